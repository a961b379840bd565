"""The life of a project and its people through both doors: the same rows, the same refusals."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import (
    Event,
    Membership,
    Notice,
    Project,
    ProjectAct,
    ProjectChange,
    ProjectHold,
)
from projects.states import ChangeKind, Power, ProjectState
from quotas.actions.posting import Journal
from quotas.models import Account, Transfer
from quotas.tests.api import caller
from quotas.tests.site import Site
from quotas.tests.test_envelopes import give

JSON = "application/json"
DONE = 200


@dataclass(frozen=True)
class Act:
    """A verb of a person; sent: what both doors are told; state: the project's before."""

    verb: str
    person: str
    sent: dict[str, Any] = field(default_factory=dict)
    state: str = "active"

    def __str__(self) -> str:
        return f"{self.person} {self.verb} {' '.join(str(each) for each in self.sent.values())}"


def day(days: int) -> str:
    return str(timezone.localdate() + timedelta(days=days))


WHY = {"reason": "tests"}
DONE_ACTS = [
    Act("set", "alice", {"who": "mallory", "role": "reader", "seen": ""}),
    Act("set", "alice", {"who": "bob", "role": "manager", "seen": "member"}),
    Act("remove", "alice", {"who": "bob", "seen": "member"}),
    Act("leave", "bob"),
    Act("offer", "alice", {"who": "mallory", "then": "reader"}),
    Act("extend", "alice", {"days": 100}),
    Act("extend", "alice", {"days": 1000}),
    Act("extend", "erin", {"days": 1000}),
    Act("move", "alice", {"unit": "it"}),
    Act("move", "otto", {"unit": "it"}),
    Act("suspend", "erin", WHY),
    Act("resume", "otto", WHY, "suspended"),
    Act("close", "alice", WHY),
    Act("keep", "alice", {"days": 50}, "closing"),
    Act("hold", "otto", WHY),
    Act("release", "otto", state="held"),
    Act("accept", "erin", {"answer": ""}),
    Act("decline", "erin", {"answer": "No."}),
    Act("withdraw", "alice"),
]
REFUSED_ACTS = [
    (403, Act("set", "bob", {"who": "rita", "role": "member", "seen": "reader"})),
    (412, Act("set", "alice", {"who": "bob", "role": "reader", "seen": "manager"})),
    (422, Act("set", "alice", {"who": "bob", "role": "owner", "seen": "member"})),
    (404, Act("set", "mallory", {"who": "bob", "role": "reader", "seen": "member"})),
    (409, Act("remove", "alice", {"who": "alice", "seen": "owner"})),
    (409, Act("leave", "alice")),
    (403, Act("leave", "otto")),
    (422, Act("offer", "alice", {"who": "alice", "then": ""})),
    (403, Act("offer", "bob", {"who": "mallory", "then": ""})),
    (422, Act("extend", "alice", {"days": -1})),
    (403, Act("extend", "bob", {"days": 10})),
    (409, Act("extend", "alice", {"days": 10}, "closing")),
    (412, Act("extend", "alice", {"days": 10, "version": 7})),
    (422, Act("move", "alice", {"unit": "nowhere"})),
    (422, Act("move", "alice", {"unit": "atlas"})),
    (422, Act("suspend", "erin", {"reason": ""})),
    (403, Act("suspend", "alice", WHY)),
    (409, Act("resume", "otto", WHY)),
    (409, Act("close", "alice", WHY, "closing")),
    (409, Act("keep", "alice", {"days": 50})),
    (403, Act("hold", "erin", WHY)),
    (422, Act("hold", "otto", {"reason": ""})),
    (409, Act("release", "otto")),
    (403, Act("accept", "bob", {"answer": ""})),
    (412, Act("accept", "erin", {"answer": "", "version": 7})),
    (422, Act("decline", "erin", {"answer": ""})),
    (403, Act("withdraw", "erin")),
]  # fmt: skip


@pytest.fixture
def house(site_today: Site) -> Site:
    """Otto and Erin decide projects, and the project has vCPU from ATLAS."""
    for name in ("otto", "erin"):
        held = site_today.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    give(site_today, 20)
    return site_today


def prepare(site: Site, act: Act) -> int:
    """The project in its state; the id of what is answered, 0 for none."""
    if act.state == "held":
        ProjectHold.objects.create(
            project=site.project, reason="x", made_by=site.otto, made_at=timezone.now()
        )
    elif act.state != "active":
        closes_on = day(3) if act.state == ProjectState.CLOSING else None
        Project.objects.filter(pk=site.project.pk).update(state=act.state, closes_on=closes_on)
    if act.verb not in ("accept", "decline", "withdraw"):
        return 0
    return ProjectChange.objects.create(
        project=site.project, kind=ChangeKind.EXTEND, asked_by=site.alice, until_on=day(900),
        created_at=timezone.now(),
    ).pk  # fmt: skip


def person_id(site: Site, act: Act) -> str:
    return str(site.people[act.sent["who"]].public_id)


def through_page(site: Site, act: Act, change: int) -> int:
    client = Client()
    client.force_login(site.people[act.person])
    form = {key: value for key, value in act.sent.items() if key not in ("who", "days")}
    if "who" in act.sent:
        form["holder"] = f"person:{person_id(site, act)}"
    if "days" in act.sent:
        form["ends_on" if act.verb == "keep" else "until_on"] = day(act.sent["days"])
    if change:
        form = {"version": 1} | form
    name = {"set": "member_set", "remove": "member_remove"}.get(act.verb)
    name = name or (f"change_{act.verb}" if change else f"project_{act.verb}")
    answer = client.post(reverse(name, args=[change or "atlas-reco"]), form)
    return DONE if answer.status_code == 302 else answer.status_code


def through_api(site: Site, act: Act, change: int) -> int:
    client = Client()
    client.force_login(site.people[act.person])
    sent = {key: value for key, value in act.sent.items() if key not in ("who", "days")}
    if "days" in act.sent:
        sent["ends_on" if act.verb == "keep" else "until_on"] = day(act.sent["days"])
    if "who" in act.sent and act.verb != "remove":
        sent["person"] = person_id(site, act)
    for name in ("seen", "then"):
        if name in sent:
            sent[name] = sent[name] or None
    if change:
        url, sent = reverse(f"api_change_{act.verb}", args=[change]), {"version": 1} | sent
    elif act.verb == "remove":
        rows = Membership.objects.filter(project=site.project, user=site.people[act.sent["who"]])
        url = reverse("api_member", args=["atlas-reco", rows.get().pk])
        return _status(client.delete(url))
    else:
        name = "api_members" if act.verb == "set" else f"api_project_{act.verb}"
        url = reverse(name, args=["atlas-reco"])
    return _status(client.post(url, sent, JSON))


def _status(answer: Any) -> int:
    return DONE if answer.status_code < 300 else int(answer.status_code)


def rows() -> dict[str, list[Any]]:
    """What the verbs could change, without moments."""
    return {
        "projects": list(Project.objects.order_by("pk").values_list(
            "state", "unit", "ends_on", "closes_on", "version")),
        "members": list(Membership.objects.order_by("user", "pk").values_list("user", "role")),
        "acts": list(ProjectAct.objects.order_by("pk").values_list("kind", "actor", "delegation",
                                                                   "reason", "data")),
        "changes": list(ProjectChange.objects.order_by("pk").values_list(
            "kind", "state", "to_user", "to_unit", "until_on", "then_role", "reason", "answer",
            "answered_by", "version")),
        "holds": list(ProjectHold.objects.order_by("pk").values_list(
            "reason", "until_on", "released_by")),
        "accounts": list(Account.objects.order_by("pk").values_list("unit", "project", "balance")),
        "transfers": list(Transfer.objects.order_by("pk").values_list("kind", "amount", "actor")),
        "events": list(Event.objects.order_by("pk").values_list("verb", "actor")),
        "notices": list(Notice.objects.order_by("person", "pk").values_list("person", "kind")),
    }  # fmt: skip


Door = Callable[[Site, Act, int], int]


def at(site: Site, door: Door, act: Act) -> tuple[int, dict[str, list[Any]]]:
    with transaction.atomic():
        status = door(site, act, prepare(site, act))
        after = rows()
        transaction.set_rollback(True)
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


def test_a_rehearsed_move_tells_what_each_envelope_lacks(house: Site) -> None:
    before = rows()
    answer = caller(house, "otto").post("projects/atlas-reco/move/?dry_run=true", {"unit": "it"})
    assert answer.status_code == 200
    assert rows() == before
    plan = answer.json()
    assert plan["is_asked"] is False
    assert [(each["offering"], each["quota"]) for each in plan["offerings"]] == [
        (house.vcpu.slug, 20)
    ]


def test_an_answer_needs_the_version_that_was_seen(house: Site) -> None:
    pk = prepare(house, Act("accept", "erin"))
    erin = caller(house, "erin")
    answer = erin.post(f"changes/{pk}/accept/", {"answer": ""})
    assert (answer.status_code, answer.json()["code"]) == (428, "precondition_required")
    tag = erin.get(f"changes/{pk}/").headers["ETag"]
    done = erin.client.post(
        f"/api/v1/changes/{pk}/accept/", {"answer": ""}, JSON, headers={"If-Match": tag}
    )
    assert (done.status_code, done.json()["state"]) == (200, "accepted")


def test_who_waits_finds_it_and_nobody_else(house: Site) -> None:
    pk = prepare(house, Act("accept", "erin"))
    found = caller(house, "erin").get("changes/", mine="true").json()["results"]
    assert [each["id"] for each in found] == [pk]
    assert caller(house, "bob").get("changes/", mine="true").json()["results"] == []
    assert caller(house, "mallory").get("changes/").json()["results"] == []


LOAN_ACTS = [
    (DONE, "alice", {"until_on": day(100), "reason": "Run 4."}),
    (DONE, "alice", {"until_on": None, "reason": ""}),
    (403, "bob", {"until_on": day(100)}),
    (403, "dana", {"until_on": day(100)}),
    (404, "mallory", {"until_on": day(100)}),
    (422, "alice", {"until_on": day(-1)}),
]


@pytest.mark.parametrize(("status", "person", "sent"), LOAN_ACTS)
def test_both_doors_ask_for_a_longer_loan_alike(
    house: Site, status: int, person: str, sent: dict[str, Any]
) -> None:
    account = Account.objects.get(project=house.project)
    source = Account.objects.get(offering=house.vcpu, unit=house.units["atlas"])
    journal = Journal(actor=None, now=timezone.now())
    ends_at = timezone.now() + timedelta(days=5)
    journal.increase(line=None, account=account, source=source, amount=3, ends_at=ends_at)
    journal.write()
    args, found = ["atlas-reco", journal.opened[0].pk], []
    form = {key: value for key, value in sent.items() if value is not None}
    if sent["until_on"] is None:
        form["for_good"] = "true"
    for name, body in (("loan_ask", form), ("api_loan_ask", sent)):
        client = Client()
        client.force_login(house.people[person])
        with transaction.atomic():
            if name == "loan_ask":
                answer: Any = client.post(reverse(name, args=args), body)
                said = DONE if answer.status_code == 302 else answer.status_code
            else:
                said = _status(client.post(reverse(name, args=args), body, JSON))
            found.append((said, rows()))
            transaction.set_rollback(True)
    assert (found[0][0], found[1][0]) == (status, status)
    assert found[0][1] == found[1][1]
