"""Who left, who is back, and who is offered an orphan: through both doors alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import (
    Absence,
    Delegation,
    Event,
    Membership,
    Notice,
    ProjectChange,
    User,
)
from projects.states import Power, Role
from quotas.actions.leaving import leave_site
from quotas.tests.site import Site

JSON = "application/json"
DONE = 200


@dataclass(frozen=True)
class Act:
    """A verb of a person about somebody; before: who has left by then."""

    verb: str
    person: str
    about: str
    reason: str = "tests"
    before: str = ""
    version: int | None = None

    def __str__(self) -> str:
        return f"{self.person} {self.verb} {self.about} {self.reason} {self.before}"


DONE_ACTS = [
    Act("leave", "otto", "alice"),
    Act("leave", "otto", "dana"),
    Act("return", "otto", "bob", before="bob"),
    Act("offer", "otto", "bob", before="alice"),
    Act("offer", "erin", "dana", "", before="alice"),
]
REFUSED_ACTS = [
    (422, Act("leave", "otto", "alice", reason="")),
    (403, Act("leave", "erin", "alice")),
    (403, Act("leave", "audrey", "alice")),
    (403, Act("leave", "otto", "otto")),
    (409, Act("leave", "otto", "alice", before="alice")),
    (404, Act("leave", "otto", "nobody")),
    (409, Act("return", "otto", "alice")),
    (403, Act("return", "erin", "alice", before="alice")),
    (409, Act("offer", "otto", "bob")),
    (403, Act("offer", "bob", "bob", before="alice")),
    (403, Act("offer", "dana", "bob", before="alice")),
    (404, Act("offer", "mallory", "bob", before="alice")),
    (422, Act("offer", "otto", "alice", before="alice")),
    (422, Act("offer", "otto", "nobody", before="alice")),
    (412, Act("offer", "otto", "bob", before="alice", version=7)),
]


@pytest.fixture
def house(site_today: Site) -> Site:
    """Otto and Erin decide projects."""
    for name in ("otto", "erin"):
        held = site_today.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    return site_today


NOBODY = "00000000-0000-4000-8000-000000000000"


def public_id(site: Site, act: Act) -> str:
    return NOBODY if act.about == "nobody" else str(site.people[act.about].public_id)


def through_page(site: Site, act: Act) -> int:
    client = Client()
    client.force_login(site.people[act.person])
    form: dict[str, Any] = {"reason": act.reason}
    if act.verb == "offer":
        version = site.project.version if act.version is None else act.version
        form |= {"holder": f"person:{public_id(site, act)}", "version": version}
        url = reverse("orphan_offer", args=["atlas-reco"])
    else:
        url = reverse(f"person_{act.verb}", args=[public_id(site, act)])
    answer = client.post(url, form)
    return DONE if answer.status_code == 302 else answer.status_code


def through_api(site: Site, act: Act) -> int:
    client = Client()
    client.force_login(site.people[act.person])
    sent: dict[str, Any] = {} if act.verb == "return" else {"reason": act.reason}
    if act.verb == "offer":
        sent["person"] = public_id(site, act)
        if act.version is not None:
            sent["version"] = act.version
        url = reverse("api_orphan_offer", args=["atlas-reco"])
    else:
        url = reverse(f"api_person_{act.verb}", args=[public_id(site, act)])
    answer = client.post(url, sent, JSON)
    return DONE if answer.status_code < 300 else int(answer.status_code)


def rows() -> dict[str, list[Any]]:
    """What the verbs could change, without moments."""
    return {
        "people": list(User.objects.order_by("pk").values_list("is_active", "is_operator")),
        "absences": list(Absence.objects.order_by("pk").values_list(
            "user", "reason", "left_by", "back_by")),
        "members": _standing(Membership, "user", "role", "ends_at"),
        "delegations": _standing(Delegation, "pk", "user", "revoked_at"),
        "changes": list(ProjectChange.objects.order_by("pk").values_list(
            "kind", "state", "asked_by", "to_user", "reason")),
        "events": list(Event.objects.order_by("pk").values_list("verb", "actor")),
        "notices": list(Notice.objects.order_by("person", "pk").values_list("person", "kind")),
    }  # fmt: skip


def _standing(model: Any, *columns: str) -> list[Any]:
    """The rows, and of the last column only whether it is set."""
    found = model.objects.order_by("user", "pk").values_list(*columns)
    return [(*each[:-1], each[-1] is None) for each in found]


Door = Callable[[Site, Act], int]


def at(site: Site, door: Door, act: Act) -> tuple[int, dict[str, list[Any]]]:
    with transaction.atomic():
        if act.before:
            leave_site(user=site.people[act.before], actor=None, now=timezone.now())
        status = door(site, act)
        after = rows()
        transaction.set_rollback(True)
    for each in site.people.values():
        each.refresh_from_db()
    return status, after


@pytest.mark.parametrize("act", DONE_ACTS, ids=str)
def test_both_doors_leave_the_same_rows(house: Site, act: Act) -> None:
    before = rows()
    page, api = (at(house, door, act) for door in (through_page, through_api))
    assert (page[0], api[0]) == (DONE, DONE)
    assert page[1] == api[1]
    assert page[1] != before


@pytest.mark.parametrize(("status", "act"), REFUSED_ACTS, ids=str)
def test_both_doors_refuse_alike(house: Site, status: int, act: Act) -> None:
    page, api = (at(house, door, act) for door in (through_page, through_api))
    assert (page[0], api[0]) == (status, status)
    assert page[1] == api[1]


def test_an_offer_takes_the_place_of_the_one_before(house: Site) -> None:
    leave_site(user=house.alice, actor=None, now=timezone.now())
    for name in ("bob", "dana"):
        assert through_api(house, Act("offer", "otto", name)) == DONE
    found = ProjectChange.objects.order_by("pk").values_list("to_user__subject", "state")
    assert list(found) == [("bob", "withdrawn"), ("dana", "open")]
    assert Membership.objects.filter(role=Role.OWNER, ends_at__isnull=True).count() == 0
