"""Returning, undoing and asking through both doors: the same rows, the same refusals."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import ProjectAct
from quotas.actions.unused import find_unused
from quotas.models import Account, Holder, QuotaReturn
from quotas.tests.api import caller
from quotas.tests.counting import assert_all_flat
from quotas.tests.site import Site, make_project
from quotas.tests.using import use_for

JSON = "application/json"
DONE = 200
PROJECT = "atlas-reco"


@pytest.fixture
def using(site_today: Site) -> Site:
    """100 vCPU for long, of which 20 are in use."""
    Account.objects.create(
        offering=site_today.vcpu, project=site_today.project, holder=Holder.PROJECT, balance=100
    )
    use_for(site_today.project, "cores", 20, timezone.now())
    return site_today


def client_of(site: Site, name: str) -> Client:
    client = Client()
    client.force_login(site.people[name])
    return client


def through_page(site: Site, name: str, verb: str, sent: dict[str, Any]) -> int:
    url, form = _page(verb, sent)
    answer = client_of(site, name).post(url, form)
    return DONE if answer.status_code == 302 else answer.status_code


def _page(verb: str, sent: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    if verb == "return":
        return reverse("quota_return", args=[PROJECT]), sent
    if verb == "undo":
        pk = QuotaReturn.objects.latest("pk").pk
        return reverse("return_undo", args=[PROJECT, pk]), sent
    return reverse("return_ask", args=[PROJECT]), sent


def through_api(site: Site, name: str, verb: str, sent: dict[str, Any]) -> int:
    if verb == "return":
        path = f"projects/{PROJECT}/returns/"
    elif verb == "undo":
        path = f"projects/{PROJECT}/returns/{QuotaReturn.objects.latest('pk').pk}/undo/"
    else:
        path = f"projects/{PROJECT}/ask-back/"
    answer = client_of(site, name).post(f"/api/v1/{path}", sent, JSON)
    return DONE if answer.status_code < 300 else answer.status_code


DOORS = {"page": through_page, "api": through_api}
WANTED = {"offering": "geneva.compute-a.vcpu", "amount": 64, "seen": 100}


@pytest.mark.parametrize("door", DOORS)
def test_through_either_door_it_is_done_alike(using: Site, door: str) -> None:
    go = DOORS[door]
    steps: list[tuple[str, str, dict[str, Any], int]] = [
        ("alice", "return", WANTED | {"seen": 99}, 412),
        ("alice", "return", WANTED | {"amount": 81}, 409),
        ("alice", "return", WANTED | {"amount": 101}, 422),
        ("bob", "return", WANTED, 403),
        ("dana", "return", WANTED, 403),
        ("mallory", "return", WANTED, 404),
        ("alice", "ask", {}, 403),
        ("mallory", "ask", {}, 404),
        ("dana", "ask", {"reason": "Others wait."}, DONE),
        ("dana", "ask", {"reason": "Others wait."}, 409),
        ("alice", "return", WANTED, DONE),
        ("alice", "return", WANTED, 412),
        ("bob", "undo", {}, 403),
        ("alice", "undo", {"amount": 65}, 422),
        ("alice", "undo", {"amount": 60}, DONE),
        ("alice", "undo", {}, 409),
    ]
    assert [go(using, name, verb, sent) for name, verb, sent, _status in steps] == [
        status for *_step, status in steps
    ]
    assert using.quota(using.vcpu) == 96
    row = QuotaReturn.objects.get()
    assert (row.amount, row.undone_amount) == (64, 60)


@pytest.mark.parametrize("door", DOORS)
def test_what_others_left_of_it_is_taken_through_either_door(using: Site, door: str) -> None:
    assert through_api(using, "alice", "return", WANTED) == DONE
    source = Account.objects.get(unit__slug="atlas", offering=using.vcpu)
    pool = Account.objects.get(holder=Holder.POOL, offering=using.vcpu)
    Account.objects.filter(pk=pool.pk).update(balance=pool.balance + source.balance - 10)
    Account.objects.filter(pk=source.pk).update(balance=10)
    page = client_of(using, "alice").get(f"/projects/{PROJECT}/unused/").content.decode()
    assert 'name="as_much"' in page
    go = DOORS[door]
    assert go(using, "alice", "undo", {}) == 409
    assert go(using, "alice", "undo", {"as_much": "yes"}) == DONE
    assert (using.quota(using.vcpu), QuotaReturn.objects.get().undone_amount) == (46, 10)


@pytest.mark.parametrize("door", DOORS)
def test_owners_are_asked_through_either_door(using: Site, door: str) -> None:
    find_unused(timezone.now())
    go = DOORS[door]
    assert go(using, "dana", "ask", {"reason": "Others wait."}) == DONE
    assert ProjectAct.objects.get().reason == "Others wait."
    assert go(using, "otto", "ask", {}) == 409


def test_pages_and_rest_tell_the_same_figures(using: Site) -> None:
    find_unused(timezone.now())
    alice, dana = caller(using, "alice"), caller(using, "dana")
    (one,) = alice.get(f"projects/{PROJECT}/unused/").json()
    assert (one["quota"], one["amount"], one["left"], one["peak"], one["day_count"]) == (
        100, 76, 24, 20, 90
    )  # fmt: skip
    (row,) = dana.get("unused/", resource="vcpu").json()["results"]
    assert {name: row[name] for name in ("amount", "left", "peak")} == {
        name: one[name] for name in ("amount", "left", "peak")
    }
    (total,) = dana.get("unused/sums/").json()
    assert (total["offering"], total["amount"], total["project_count"]) == (
        using.vcpu.slug, 76, 1
    )  # fmt: skip
    assert alice.get("unused/").status_code == 403
    for url in (f"/projects/{PROJECT}/", f"/projects/{PROJECT}/unused/"):
        page = client_of(using, "alice").get(url).content.decode()
        assert 'name="amount" value="76"' in page
    assert 'name="amount"' not in client_of(using, "bob").get(url).content.decode()
    assert "76" in client_of(using, "dana").get("/unused/?resource=vcpu").content.decode()
    assert client_of(using, "alice").get("/unused/").status_code == 403


def add_projects(site: Site, numbers: range) -> None:
    """Each with a quota that it hardly uses."""
    now = timezone.now()
    for number in numbers:
        project = make_project(site, f"p{number}", "atlas", now - timedelta(hours=1))
        Account.objects.create(
            offering=site.vcpu, project=project, holder=Holder.PROJECT, balance=50
        )
        use_for(project, "cores", 1, now, days=61)
    find_unused(now)


def test_pages_cost_as_much_for_twenty_as_for_three(using: Site) -> None:
    caller(using, "alice").post(f"projects/{PROJECT}/returns/", WANTED | {"amount": 1})
    add_projects(using, range(2))

    def load(name: str, url: str) -> Callable[[], object]:
        client = client_of(using, name)

        def get() -> None:
            assert client.get(url).status_code == 200

        return get

    def grow() -> None:
        for seen in range(99, 95, -1):
            sent = WANTED | {"amount": 1, "seen": seen}
            assert through_api(using, "alice", "return", sent) == DONE
        add_projects(using, range(2, 20))

    pages = {
        "page unused_list": load("dana", "/unused/"),
        "page project_unused": load("alice", f"/projects/{PROJECT}/unused/"),
        "api unused/": load("dana", "/api/v1/unused/"),
        "api projects/atlas-reco/returns/": load("alice", f"/api/v1/projects/{PROJECT}/returns/"),
    }
    assert_all_flat(pages, grow)
