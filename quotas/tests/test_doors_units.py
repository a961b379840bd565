"""The verbs on envelopes and units through both doors: equal rows after each, equal refusals."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.actions.units import make_unit
from projects.models import Delegation, Event, Project, Unit
from projects.states import Role
from quotas.actions.funding import Seen
from quotas.models import Account, BoundUse, DelegationBound, EnvelopeAct, Transfer
from quotas.queries.envelopes import standings
from quotas.queries.unit_changes import move_of, retirement_of
from quotas.tests.site import Site, join
from quotas.tests.test_envelopes import give
from quotas.views.funding_sheet import write_seen

VCPU = "geneva.compute-a.vcpu"
RAM = "geneva.compute-a.ram"
DONE = 200


@dataclass(frozen=True)
class Act:
    """A verb of a person on a unit; changes: {offering: base units}; seen: another one's."""

    verb: str
    person: str
    unit: str
    changes: dict[str, int] = field(default_factory=dict)
    parent: str = ""
    is_stale: bool = False
    reason: str = "tests"

    def __str__(self) -> str:
        return f"{self.person} {self.verb} {self.unit} {self.parent}{sorted(self.changes.values())}"


FUND, TAKE, DECLARE = {VCPU: 5}, {VCPU: -5}, {VCPU: 0}
DONE_ACTS = [
    Act("change", "erin", "atlas", FUND),
    Act("change", "erin", "atlas", TAKE),
    Act("change", "dana", "trigger", DECLARE),
    Act("change", "dana", "trigger", {VCPU: 5, RAM: 2**30}),
    Act("change", "otto", "ep", FUND),
    Act("move", "otto", "atlas", parent="it"),
    Act("move", "dana", "trigger", parent="daq"),
    Act("retire", "erin", "atlas"),
    Act("retire", "dana", "trigger"),
]
REFUSED_ACTS = [
    # The stranger, who reads and who decides without the power; who lacks it above.
    *(
        (403, Act(verb, person, "atlas", FUND if verb == "change" else {}, parent="it"))
        for verb in ("change", "move", "retire")
        for person in ("mallory", "rita", "alice", "audrey", "dora", "dana")
    ),
    *((404, Act(verb, "erin", "nowhere", parent="it")) for verb in ("change", "move", "retire")),
    (404, Act("move", "erin", "atlas", parent="nowhere")),
    (403, Act("change", "erin", "ep", FUND)),
    (403, Act("change", "ina", "atlas", FUND)),
    (403, Act("change", "dana", "trigger", {VCPU: 129})),
    (403, Act("move", "ina", "atlas", parent="it")),
    (403, Act("retire", "otto", "org")),
    (409, Act("change", "otto", "old", FUND)),
    (409, Act("change", "erin", "atlas", {VCPU: 5000})),
    (409, Act("change", "erin", "atlas", {VCPU: -950})),
    (409, Act("change", "erin", "bounded", {VCPU: 51})),
    (409, Act("move", "otto", "ep", parent="atlas")),
    (409, Act("move", "otto", "atlas", parent="old")),
    (409, Act("retire", "otto", "old")),
    (412, Act("change", "erin", "atlas", FUND, is_stale=True)),
    (412, Act("move", "otto", "atlas", parent="it", is_stale=True)),
    (412, Act("retire", "erin", "atlas", is_stale=True)),
    (422, Act("change", "erin", "atlas", {})),
    (422, Act("change", "erin", "atlas", {RAM: 1})),
    (422, Act("change", "erin", "atlas", FUND, reason="a\x1bb")),
    (422, Act("retire", "erin", "atlas", reason="a" * 500)),
]


@pytest.fixture
def house(site_today: Site) -> Site:
    """Two units below ATLAS, a retired one, and two more people.

    Dora decides quota for EP and nothing else; Ina holds EP by Otto, and owns a project of
    ATLAS. `bounded`: ATLAS, with 50 vCPU left of Erin's total.
    """
    site, now = site_today, timezone.now() - timedelta(hours=2)
    for name in ("trigger", "daq"):
        site.units[name] = make_unit(slug=name, name=name, parent=site.units["atlas"], now=now)
    site.units["old"] = make_unit(slug="old", name="Old", parent=site.units["org"], now=now)
    Unit.objects.filter(slug="old").update(retired_at=now)
    people = type(site.alice).objects
    otto = site.delegations["otto"]
    for name, powers in (("dora", ["decide quota"]), ("ina", otto.powers)):
        site.people[name] = people.create(subject=name, name=name.capitalize(), password="!")
        made = Delegation.objects.create(
            parent=otto, ancestors=otto.chain_ids, grantor=site.otto, user=site.people[name],
            powers=powers, unit=site.units["org" if name == "ina" else "ep"],
            starts_at=otto.starts_at, created_at=now,
        )  # fmt: skip
        DelegationBound.objects.create(delegation=made)
    join(site.project, site.people["ina"], Role.OWNER, now)
    give(site, 100)
    return site


def send(site: Site, door: str, act: Act) -> int:
    client = Client()
    client.force_login(site.people[act.person])
    if door == "page":
        name = "unit_fund" if act.verb == "change" else f"unit_{act.verb}"
        answer = client.post(reverse(name, args=[act.unit]), form_of(act))
        return DONE if answer.status_code == 302 else answer.status_code
    name = "api_envelopes_change" if act.verb == "change" else f"api_unit_{act.verb}"
    return client.post(reverse(name, args=[act.unit]), body_of(act), "application/json").status_code


def seen_of(act: Act) -> dict[str, Seen]:
    unit = Unit.objects.filter(slug=act.unit).first()
    if unit is None:
        return {}
    from_catalogue = Account.objects.filter(holder="pool", offering__slug__in=act.changes)
    offerings = [each.offering for each in from_catalogue.select_related("offering__resource")]
    found = {each.offering.slug: Seen.of(each) for each in standings(unit, offerings).values()}
    if act.is_stale:
        return {slug: Seen(7, 0, each.source, 7) for slug, each in found.items()}
    return found


def token(act: Act) -> str:
    unit = Unit.objects.select_related("parent").filter(slug=act.unit).first()
    parent = Unit.objects.filter(slug=act.parent).first()
    if unit is None or act.is_stale or (act.verb == "move" and parent is None):
        return "old"
    now = timezone.now()
    return move_of(unit, parent, now).seen if act.verb == "move" else retirement_of(unit, now).seen


def form_of(act: Act) -> dict[str, Any]:
    if act.verb != "change":
        return {"parent": act.parent, "seen": token(act), "reason": act.reason}
    seen = seen_of(act)
    form: dict[str, Any] = {"do": "book", "region": "geneva", "reason": act.reason}
    for slug, change in act.changes.items():
        unit = "B" if slug == RAM else ""
        form |= {
            f"amount-{slug}": f"{'-' if change < 0 else '+'}{abs(change)}{unit}",
            f"seen-{slug}": write_seen(seen[slug]),
        }
    return form


def body_of(act: Act) -> dict[str, Any]:
    if act.verb == "move":
        return {"parent": act.parent, "seen": token(act)}
    if act.verb == "retire":
        return {"seen": token(act), "reason": act.reason}
    return {
        "changes": act.changes, "reason": act.reason,
        "seen": {slug: each.figures for slug, each in seen_of(act).items()},
    }  # fmt: skip


def rows() -> dict[str, list[Any]]:
    """What the verbs could change, without moments."""
    return {
        "accounts": list(
            Account.objects.order_by("pk").values_list("unit", "project", "offering", "balance")
        ),
        "transfers": list(Transfer.objects.order_by("pk").values_list("kind", "amount", "actor")),
        "acts": list(
            EnvelopeAct.objects.order_by("pk").values_list(
                "kind", "unit", "amount", "actor", "delegation", "reason"
            )
        ),
        "used": list(BoundUse.objects.order_by("pk").values_list("bound", "used")),
        "units": list(Unit.objects.order_by("pk").values_list("path", "parent")),
        "retired": list(
            Unit.objects.filter(retired_at__isnull=False).order_by("pk").values_list("slug")
        ),
        "projects": list(Project.objects.order_by("pk").values_list("slug", "unit")),
        "delegations": list(
            Delegation.objects.filter(revoked_at__isnull=False)
            .order_by("pk")
            .values_list("pk", "revoked_by")
        ),
        "events": list(Event.objects.order_by("pk").values_list("verb", "actor", "unit")),
    }


def at(site: Site, door: str, act: Act) -> tuple[int, dict[str, list[Any]]]:
    with transaction.atomic():
        status = send(site, door, act)
        after = rows()
        transaction.set_rollback(True)
    return status, after


@pytest.mark.parametrize("act", DONE_ACTS, ids=str)
def test_both_doors_leave_equal_rows(house: Site, act: Act) -> None:
    before = rows()

    by_page, page_rows = at(house, "page", act)
    by_api, api_rows = at(house, "api", act)

    assert (by_page, by_api) == (DONE, DONE)
    assert page_rows == api_rows != before


def test_both_doors_refuse_alike_and_store_nothing(house: Site) -> None:
    outcomes = []
    for status, act in REFUSED_ACTS:
        with transaction.atomic():
            real = act
            if act.unit == "bounded":
                DelegationBound.objects.create(
                    delegation=house.delegations["erin"], resource=house.vcpu.resource, total=50
                )
                real = Act(act.verb, act.person, "atlas", act.changes)
            before = rows()
            found = {door: at(house, door, real) for door in ("page", "api")}
            transaction.set_rollback(True)
        outcomes.append((str(act), status, {door: each[0] for door, each in found.items()}))
        assert all(each[1] == before for each in found.values()), str(act)
    wrong = [each for each in outcomes if each[2] != dict.fromkeys(("page", "api"), each[1])]
    assert wrong == []
