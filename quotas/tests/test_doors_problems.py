"""One domain, two doors, for the work list: skip, remedy, limits left out, and many as a job."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Event
from quotas.actions.keys import leave_out
from quotas.models import Job, JobItem, Limit, Target
from quotas.states import TargetState
from quotas.tests.site import Site
from quotas.tests.test_problems import crowd, fail, target_of

DONE = 200
CAUSE = "unexpected"
MANY = ("retry", "skip", "remedy")
ONE = ("skip one", "remedy one")
LIMIT = ("leave-out", "take-in")


@dataclass(frozen=True)
class Act:
    """A verb of a person: on all targets of a cause at Nova, on one, or on a limit."""

    verb: str
    person: str
    sent: dict[str, Any] = field(default_factory=lambda: {"reason": "Later."})
    target_state: str = TargetState.REFUSED
    key: str = "cores"

    def __str__(self) -> str:
        return f"{self.person} {self.verb} {self.target_state} {self.key} {len(str(self.sent))}"

    @property
    def body(self) -> dict[str, Any]:
        return self.sent if self.verb in ("skip", "skip one", "leave-out") else {}


def through_page(site: Site, act: Act) -> tuple[str, dict[str, Any]]:
    if act.verb in LIMIT:
        limit = Limit.objects.get(key=act.key)
        name = f"limit_{act.verb.replace('-', '_')}"
        return reverse(name, args=[limit.endpoint.slug, limit.pk]), act.body
    url = reverse(f"problem_{act.verb.split()[0]}", args=[CAUSE, "nova-geneva"])
    which = {"only": target_of(site.project).pk} if act.verb in ONE else {"all": "yes"}
    return url, {**act.body, **which}


def through_api(site: Site, act: Act) -> tuple[str, dict[str, Any]]:
    if act.verb in LIMIT:
        limit = Limit.objects.get(key=act.key)
        name = f"api_limit_{act.verb.replace('-', '_')}"
        return reverse(name, args=[limit.endpoint.slug, limit.key]), act.body
    if act.verb in ONE:
        name = f"api_target_{act.verb.split()[0]}"
        return reverse(name, args=[target_of(site.project).pk]), act.body
    return reverse(f"api_problem_{act.verb}", args=[CAUSE, "nova-geneva"]), act.body


def at(site: Site, door: str, act: Act) -> tuple[int, dict[str, Any], bool]:
    """The status of an act at a door, the rows after it, and whether they are those of before."""
    with transaction.atomic():
        Target.objects.filter(error_code=CAUSE).update(
            state=act.target_state,
            next_try_at=None if act.target_state == TargetState.APPLIED else timezone.now(),
        )
        before = rows()
        client = Client()
        client.force_login(site.people[act.person])
        if door == "page":
            status = client.post(*through_page(site, act)).status_code
        else:
            status = client.post(*through_api(site, act), "application/json").status_code
        after = rows()
        transaction.set_rollback(True)
    return DONE if status in (302, 202) else status, after, before == after


def rows() -> dict[str, Any]:
    return {
        "targets": list(Target.objects.order_by("pk").values_list("pk", "state", "skip_reason")),
        "limits": list(Limit.objects.order_by("pk").values_list("key", "left_out_reason")),
        "jobs": list(Job.objects.order_by("pk").values_list("kind", "actor__subject", "arguments")),
        "items": list(JobItem.objects.order_by("pk").values_list("subject_kind", "subject_id")),
        "events": list(
            Event.objects.order_by("pk").values_list("verb", "actor__subject", "subject_kind")
        ),
    }


@pytest.fixture
def house(site_today: Site) -> Site:
    """Two targets of one cause at Nova, and a limit that is left out there."""
    fail(target_of(site_today.project), CAUSE, "302")
    crowd(site_today, 1, CAUSE, "302")
    limit = Limit.objects.get(key="ram")
    leave_out(limit=limit, reason="Lacking.", actor=site_today.otto, now=timezone.now())
    return site_today


DONE_ACTS = [
    *(Act(verb, "otto") for verb in (*MANY, *ONE)),
    Act("leave-out", "otto"),
    Act("take-in", "otto", key="ram"),
]
REFUSED_ACTS = [
    *(
        (403, Act(verb, who))
        for verb in (*MANY, *ONE, *LIMIT)
        for who in ("alice", "mallory", "dana", "audrey")
    ),
    *(
        (422, Act(verb, "otto", sent={"reason": reason}))
        for verb in ("skip", "skip one", "leave-out")
        for reason in ("", " ", "x" * 501, "a\x00b")
    ),
    *((409, Act(verb, "otto", target_state=TargetState.APPLIED)) for verb in (*MANY, *ONE)),
    (409, Act("leave-out", "otto", key="ram")),
    (409, Act("take-in", "otto")),
]


@pytest.mark.parametrize("act", DONE_ACTS, ids=str)
def test_both_doors_leave_equal_rows(house: Site, act: Act) -> None:
    by_page, page_rows, is_same = at(house, "page", act)
    by_api, api_rows, _is_same = at(house, "api", act)
    assert (by_page, by_api) == (DONE, DONE)
    assert not is_same
    assert page_rows == api_rows


@pytest.mark.parametrize(("status", "act"), REFUSED_ACTS, ids=str)
def test_both_doors_refuse_alike_and_store_nothing(house: Site, status: int, act: Act) -> None:
    outcomes = {door: at(house, door, act) for door in ("page", "api")}
    assert {door: outcome[0] for door, outcome in outcomes.items()} == {
        "page": status, "api": status,
    }  # fmt: skip
    assert all(outcome[2] for outcome in outcomes.values())


def test_every_verb_is_done_and_refused_above() -> None:
    verbs = {*MANY, *ONE, *LIMIT}
    assert {act.verb for act in DONE_ACTS} == verbs
    assert {act.verb for _status, act in REFUSED_ACTS} == verbs
