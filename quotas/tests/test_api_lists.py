"""What every list does: an order, chosen fields, pages by cursor."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from portal.lib.together import Statement
from projects.models import Project
from projects.states import ProjectState, Role
from quotas.models import Transfer
from quotas.tests.access.case import make_case
from quotas.tests.access.samples import SAMPLES
from quotas.tests.api import Caller, approval, caller, grant, refusal, results, submit
from quotas.tests.counting import count_queries
from quotas.tests.site import Site, join, make_site


def walk(person: Caller, path: str, **query: Any) -> list[dict[str, Any]]:
    """The rows of all pages."""
    answer = person.get(path, **query)
    found = results(answer)
    while answer.json()["next"]:
        answer = person.client.get(answer.json()["next"])
        found += results(answer)
    return found


@pytest.mark.parametrize("size", ["1", "2", "3", "200"])
@pytest.mark.parametrize("order", ["slug", "-slug", "created_at", "-created_at"])
def test_whoever_follows_next_sees_each_row_once(
    site_today: Site, alices_projects: list[str], size: str, order: str
) -> None:
    found = walk(caller(site_today, "alice"), "projects/", page_size=size, order=order)
    slugs = [each["slug"] for each in found]
    assert sorted(slugs) == alices_projects
    key = order.removeprefix("-")
    values = [each[key] for each in found]
    assert values == sorted(values, reverse=order.startswith("-"))


@pytest.mark.parametrize("size", ["1", "200"])
@pytest.mark.parametrize("order", ["id", "-id"])
def test_transfers_of_a_project_are_those_of_its_accounts(
    site_today: Site, size: str, order: str
) -> None:
    """Found by the accounts, and the same as all that were made say."""
    alice = caller(site_today, "alice")
    grant(site_today)
    dana = caller(site_today, "dana")
    for amount in (120, 90):
        asked = submit(site_today, {site_today.vcpu.slug: amount})
        answer = dana.post(f"requests/{asked.pk}/approve/", approval(site_today, asked))
        assert answer.status_code == 200
    rows = Transfer.objects.filter(
        Q(debit__project__slug="atlas-reco") | Q(credit__project__slug="atlas-reco")
    )
    found = walk(alice, "projects/atlas-reco/transfers/", page_size=size, order=order)
    assert [each["id"] for each in found] == [each.pk for each in rows.order_by(order)]
    assert len(found) >= 3


def test_the_first_page_is_of_who_asks_and_of_now(
    site_today: Site, alices_projects: list[str]
) -> None:
    """Its statement is made once, and asked for each person and after each change anew."""
    names = ("alice", "mallory", "dana", "otto", "alice", "mallory")

    def seen() -> list[list[str]]:
        people = [caller(site_today, name) for name in names]
        return [[each["slug"] for each in results(one.get("projects/"))] for one in people]

    before = seen()
    assert before[0] == before[4] == alices_projects
    assert before[1] == before[5] == []
    assert before[2] == before[3] == sorted(Project.objects.values_list("slug", flat=True))
    join(
        Project.objects.get(slug=alices_projects[0]),
        site_today.mallory,
        Role.READER,
        timezone.now(),
    )
    assert seen()[1] == alices_projects[:1]
    Project.objects.filter(slug=alices_projects[0]).update(state=ProjectState.DROPPED)
    assert seen()[1] == []
    assert [
        each["slug"]
        for each in results(caller(site_today, "mallory").get("projects/", state="dropped"))
    ] == alices_projects[:1]


def test_pages_of_all_sizes_are_few_statements(
    site_today: Site, alices_projects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would be planned and kept by every connection of every process."""
    alice = caller(site_today, "alice")
    count = len(results(alice.get("projects/", page_size="50")))
    assert count == len(alices_projects) > 3
    alice.get("events/", page_size="50")
    made, make = [], Statement.of

    def counting(parts: Any) -> Statement:
        made.append(parts)
        return make(parts)

    monkeypatch.setattr(Statement, "of", counting)
    for size in (1, 2, 3, 50):
        answer = alice.get("projects/", page_size=str(size))
        assert [each["slug"] for each in results(answer)] == alices_projects[:size]
        assert (answer.json()["next"] is None) == (size >= count)
        assert len(results(alice.get("events/", page_size=str(size)))) <= size
    assert made == []


def test_previous_leads_back_to_the_same_page(site_today: Site, alices_projects: list[str]) -> None:
    alice = caller(site_today, "alice")
    first = alice.get("projects/", page_size="2")
    second = alice.client.get(first.json()["next"])
    assert first.json()["previous"] is None
    back = alice.client.get(second.json()["previous"]).json()
    assert back["results"] == first.json()["results"]
    assert back["previous"] is None
    assert alice.client.get(back["next"]).json()["results"] == second.json()["results"]


def test_a_page_is_capped(site_today: Site, alices_projects: list[str]) -> None:
    alice = caller(site_today, "alice")
    assert len(results(alice.get("projects/", page_size="9999"))) == len(alices_projects)
    for wrong in ("0", "-1", "x", "١"):
        assert refusal(alice.get("projects/", page_size=wrong)) == (422, "invalid")


def test_the_named_fields_alone_are_sent(site_today: Site, alices_projects: list[str]) -> None:
    alice = caller(site_today, "alice")
    found = results(alice.get("projects/", fields="slug,state"))
    assert found[0] == {"slug": "atlas-reco", "state": "active"}
    assert alice.get("projects/atlas-reco/", fields="state").json() == {"state": "active"}
    accounts = results(alice.get("projects/atlas-reco/accounts/", fields="offering"))
    assert all(set(each) == {"offering"} for each in accounts)


def test_the_named_fields_alone_are_worked_out(site_today: Site) -> None:
    submit(site_today)
    alice = caller(site_today, "alice")
    few, _said = count_queries(lambda: alice.get("requests/", fields="id,reason"))
    every, _said = count_queries(lambda: alice.get("requests/"))
    assert every - few == 1  # its lines, whom they wait for, and their deliveries


@pytest.mark.parametrize(
    ("query", "pointer", "known"),
    [
        ({"fields": "slug,colour"}, "#/fields", "unit_path"),
        ({"fields": ""}, "#/fields", "slug"),
        ({"order": "name"}, "#/order", "-created_at"),
        ({"order": "id"}, "#/order", "slug"),
    ],
)
def test_what_is_not_declared_is_refused_with_what_there_is(
    site_today: Site, query: dict[str, str], pointer: str, known: str
) -> None:
    answer = caller(site_today, "alice").get("projects/", **query)
    assert refusal(answer) == (422, "invalid")
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert known in error["detail"]


@pytest.mark.parametrize("name", ["updated_since", "updated_until"])
def test_a_list_that_is_not_followed_knows_no_marker(site_today: Site, name: str) -> None:
    answer = caller(site_today, "alice").get("regions/", **{name: "1.0"})
    assert refusal(answer) == (422, "invalid")


def test_whatever_is_read_knows_its_fields(module_database: object) -> None:
    """Lists and details of today and later, by the samples of the test of access."""
    case = make_case(make_site(timezone.now() - timedelta(days=1)))
    client = caller(case.site, "otto").client
    for name, samples in SAMPLES.items():
        for sample in samples:
            if not name.startswith("api_") or name == "api_schema" or sample.method != "GET":
                continue
            url = reverse(name, kwargs=sample.kwargs(case))
            before = client.get(url + sample.query)
            if before.status_code != 200:
                continue
            sign = "&" if sample.query else "?"
            answer = client.get(f"{url}{sample.query}{sign}fields=no_such_field")
            assert answer.status_code == 422, (name, answer.content)
            assert answer.json()["errors"][0]["pointer"] == "#/fields", name
