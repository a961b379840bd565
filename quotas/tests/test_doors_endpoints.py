"""One domain, two doors, for the verbs on endpoints and deliveries: equal rows, equal refusals."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Delegation, Event, User
from projects.states import REPAIRING
from quotas.actions.endpoints import VERBS
from quotas.models import DelegationBound, Endpoint, EndpointWord, Target, Zone
from quotas.states import TargetState
from quotas.tests.site import Site, make_project

DONE = 200
UNTIL = "2100-01-31T14:00"
SERVICES = ("pause", "restrict", "resume", "retry")


@dataclass(frozen=True)
class Act:
    """A verb of a person at Nova, which is in `state`; target: of that project instead."""

    verb: str
    person: str
    state: str = "open"
    endpoint: str = "nova-geneva"
    target: str = ""
    sent: dict[str, Any] = field(default_factory=lambda: {"reason": "Upgrade"})

    def __str__(self) -> str:
        return f"{self.person} {self.verb} {self.endpoint} {self.state} {self.target}".strip()

    @property
    def body(self) -> dict[str, Any]:
        """`seen` as a number of words after the newest, which is 0."""
        if self.verb not in ("pause", "restrict"):
            return {}
        if "seen" not in self.sent:
            return self.sent
        newest = EndpointWord.objects.filter(endpoint__slug=self.endpoint).latest("pk")
        return self.sent | {"seen": newest.pk + self.sent["seen"]}


def through_page(act: Act) -> tuple[str, dict[str, Any]]:
    if act.target:
        name, number = f"target_{act.verb}", [act.endpoint, target_of(act).pk]
        return reverse(name, args=number), act.body
    return reverse(f"endpoint_{act.verb}", args=[act.endpoint]), act.body


def through_api(act: Act) -> tuple[str, dict[str, Any]]:
    if act.target:
        return reverse(f"api_target_{act.verb}", args=[target_of(act).pk]), act.body
    body = act.body
    if "until" in body:
        moment = timezone.make_aware(datetime.fromisoformat(body["until"]))
        body = body | {"until": moment.isoformat()}
    return reverse(f"api_endpoint_{act.verb}", args=[act.endpoint]), body


def target_of(act: Act) -> Target:
    return Target.objects.get(project__slug=act.target, endpoint__slug=act.endpoint)


def at(site: Site, door: str, act: Act) -> tuple[int, dict[str, Any], bool]:
    """The status of an act at a door, the rows after it, and whether they are those of before."""
    with transaction.atomic():
        Endpoint.objects.filter(slug=act.endpoint).update(state=act.state)
        for endpoint in Endpoint.objects.filter(slug=act.endpoint).exclude(state="open"):
            EndpointWord.objects.create(
                endpoint=endpoint, state=act.state, reason="Earlier", at=timezone.now()
            )
        before = rows()
        client = Client()
        client.force_login(site.people[act.person])
        if door == "page":
            status = client.post(*through_page(act)).status_code
        else:
            status = client.post(*through_api(act), "application/json").status_code
        after = rows()
        transaction.set_rollback(True)
    return DONE if status == 302 else status, after, before == after


def rows() -> dict[str, Any]:
    return {
        "endpoints": list(
            Endpoint.objects.order_by("pk").values_list(
                "slug", "state", "state_reason", "state_by__subject", "state_until"
            )
        ),
        "words": list(
            EndpointWord.objects.order_by("pk").values_list(
                "endpoint__slug", "state", "reason", "until", "actor__subject"
            )
        ),
        "targets": list(Target.objects.order_by("pk").values_list("pk", "state", "skip_reason")),
        "events": list(
            Event.objects.order_by("pk").values_list(
                "verb", "actor__subject", "project__slug", "subject_kind", "subject_id"
            )
        ),
    }


@pytest.fixture
def house(site_today: Site) -> Site:
    """Something failed everywhere. Rosa repairs all, Carl compute-a for IT, Stan storage-a."""
    since = timezone.now() - timedelta(hours=2)
    make_project(site_today, "other", "it", since)
    Target.objects.update(state=TargetState.REFUSED)
    applied = make_project(site_today, "applied", "it", since)
    Target.objects.filter(project=applied).update(state=TargetState.APPLIED, next_try_at=None)
    for name, zone, unit in (
        ("rosa", None, "org"), ("carl", "compute-a", "it"), ("stan", "storage-a", "org"),
    ):  # fmt: skip
        person = User.objects.create(subject=name, name=name.capitalize(), password="!")
        held = Delegation.objects.create(
            user=person, powers=list(REPAIRING), unit=site_today.units[unit],
            starts_at=since, created_at=since,
        )  # fmt: skip
        bound = Zone.objects.get(slug=zone) if zone else None
        DelegationBound.objects.create(delegation=held, zone=bound)
        site_today.people[name] = person
    return site_today


WITH_END = {"reason": "Upgrade\nuntil noon", "until": UNTIL}
DONE_ACTS = [
    Act("pause", "otto"),
    Act("pause", "otto", sent=WITH_END),
    Act("pause", "rosa", endpoint="keystone"),
    Act("pause", "carl", "unreachable"),
    Act("restrict", "otto", "paused"),
    Act("restrict", "stan", endpoint="cinder-geneva", sent=WITH_END),
    Act("pause", "carl", "paused", sent=WITH_END | {"seen": 0}),
    Act("restrict", "otto", "read-only", sent={"reason": "Longer", "seen": 0}),
    Act("resume", "otto", "paused"),
    Act("resume", "carl", "read-only"),
    Act("retry", "otto"),
    Act("retry", "carl"),
    Act("retry", "otto", target="other"),
    Act("retry", "carl", target="other"),
]
REFUSED_ACTS = [
    *((403, Act(verb, who)) for verb in SERVICES for who in ("alice", "mallory", "dana", "audrey")),
    *((403, Act(verb, "stan")) for verb in SERVICES),
    *((403, Act(verb, "stan", endpoint="keystone")) for verb in SERVICES),
    *((404, Act(verb, "otto", endpoint="nowhere")) for verb in SERVICES),
    (409, Act("pause", "otto", "paused")),
    (409, Act("restrict", "otto", "read-only")),
    (412, Act("pause", "otto", "paused", sent={"reason": "Upgrade", "seen": -1})),
    (412, Act("restrict", "otto", "read-only", sent={"reason": "Upgrade", "seen": 1})),
    (409, Act("restrict", "otto", "paused", sent={"reason": "Upgrade", "seen": 0})),
    (403, Act("pause", "stan", "paused", sent={"reason": "Upgrade", "seen": 0})),
    (409, Act("resume", "otto")),
    (409, Act("resume", "otto", "unreachable")),
    *(
        (422, Act(verb, "otto", sent=sent))
        for verb in ("pause", "restrict")
        for sent in (
            {"reason": " "}, {"reason": "x" * 501}, {"reason": "a\x00b"},
            {"reason": "Upgrade", "until": "2001-01-31T14:00"},
        )
    ),
    (403, Act("retry", "alice", target="atlas-reco")),
    (403, Act("retry", "stan", target="other")),
    (404, Act("retry", "carl", target="atlas-reco")),
    (409, Act("retry", "otto", target="applied")),
]  # fmt: skip


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
    assert {act.verb for act in DONE_ACTS} == set(SERVICES)
    assert {act.verb for _status, act in REFUSED_ACTS} == set(SERVICES)
    assert set(VERBS) <= set(SERVICES)
