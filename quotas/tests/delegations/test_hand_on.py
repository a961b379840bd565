"""Handing authority on, with bounds within one's own, and back: what waits is routed at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.lib.errors import Conflict, Forbidden, Invalid
from projects.actions.units import make_unit
from projects.models import Delegation, User
from projects.states import REPAIRING
from quotas.actions import decide
from quotas.actions.delegations import Bound, revoke
from quotas.actions.rerouting import work_off
from quotas.models import Decision, DelegationBound, Zone
from quotas.tests.site import GIB, NOW, Site
from quotas.tests.threads import at_once

from .handing import DAY, Commits, ask, hand_on, waiting


def test_delegate_stores_its_bounds(site: Site) -> None:
    made = hand_on(site, Bound(resource=site.vcpu.resource, per_decision=64))

    [row] = made.bounds.all()
    assert (row.resource, row.zone, row.per_decision) == (site.vcpu.resource, None, 64)


@pytest.mark.parametrize("amount", [129, None])
def test_delegate_more_than_ones_own_bound_names_it(site: Site, amount: int | None) -> None:
    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound(resource=site.vcpu.resource, per_decision=amount))

    assert refused.value.facts == {"dimension": "per_decision", "bound": 128}
    assert refused.value.sentence == "Of vCPU you may give 128 per decision."


def repairs_of(site: Site, *zones: str) -> Delegation:
    """Dana repairs in these zones of Geneva, and may hand it on."""
    held = Delegation.objects.create(
        user=site.dana, powers=list(REPAIRING), unit=site.units["atlas"], depth=2,
        starts_at=NOW - DAY, created_at=NOW,
    )  # fmt: skip
    for slug in zones:
        DelegationBound.objects.create(delegation=held, zone=Zone.objects.get(slug=slug))
    return held


def test_delegate_powers_to_repair_within_ones_zones(site: Site) -> None:
    parent, zone = repairs_of(site, "compute-a"), Zone.objects.get(slug="compute-a")

    made = hand_on(site, Bound(zone=zone), parent=parent, powers=REPAIRING)

    assert made.powers == list(REPAIRING)
    assert list(made.bounds.values_list("resource", "zone")) == [(None, zone.pk)]


@pytest.mark.parametrize(
    ("slug", "sentence"),
    [
        ("storage-a", "storage-a is not yours to repair; you repair compute-a."),
        ("", "You repair compute-a alone: name a zone."),
    ],
)
def test_delegate_powers_to_repair_beyond_ones_zones_names_them(
    site: Site, slug: str, sentence: str
) -> None:
    parent, zone = repairs_of(site, "compute-a"), Zone.objects.filter(slug=slug).first()

    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound(zone=zone), parent=parent, powers=REPAIRING)

    assert refused.value.sentence == sentence
    assert refused.value.facts == {"dimension": "zone", "bound": ["compute-a"]}


def test_delegate_bytes_names_the_bound_with_its_unit(site: Site) -> None:
    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound(resource=site.space.resource, per_decision=129 * GIB))

    assert refused.value.sentence == "Of Volume space you may give 128\u202fGiB per decision."


def test_delegate_a_zone_lies_within_every_zone(site: Site) -> None:
    made = hand_on(site, Bound(resource=site.vcpu.resource, zone=site.vcpu.zone, per_decision=128))

    assert made.bounds.get().zone == site.vcpu.zone


def test_delegate_every_resource_needs_to_hold_every_resource(site: Site) -> None:
    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound())

    assert refused.value.sentence == "You may give nothing of every resource yourself."


@pytest.mark.parametrize(
    ("bounds", "row"),
    [
        ((), "bounds"),
        ((Bound(per_decision=1),), "bounds.0"),
        ((Bound(), Bound()), "bounds.1"),
        ((Bound(window_days=0),), "bounds.0"),
        ((Bound(period_days=30),), "bounds.0"),
    ],
)
def test_delegate_refuses_bounds_that_cannot_be(
    site: Site, bounds: tuple[Bound, ...], row: str
) -> None:
    with pytest.raises(Invalid) as refused:
        hand_on(site, *bounds)

    assert list(refused.value.errors) == [row]


def test_delegate_brings_what_waits_to_the_nearer_delegate(site: Site, commits: Commits) -> None:
    """Erin is nearest while nobody below her may add as much; then somebody may."""
    asked = ask(site, 200)
    assert waiting(site.erin) == [asked]

    with commits(execute=True):
        hand_on(
            site,
            Bound(resource=site.vcpu.resource, per_decision=200),
            parent=site.delegations["erin"],
            grantor=site.erin,
            depth=1,
        )
    work_off(NOW)

    assert (waiting(site.mallory), waiting(site.erin)) == ([asked], [])


def test_revoke_brings_what_waits_to_whoever_is_nearest_then(site: Site, commits: Commits) -> None:
    asked = ask(site, 64)
    assert waiting(site.dana) == [asked]

    with commits(execute=True):
        revoke(delegation=site.delegations["dana"], actor=site.erin, now=NOW)
    work_off(NOW)

    assert (waiting(site.dana), waiting(site.erin)) == ([], [asked])


@pytest.mark.parametrize(
    ("other", "is_twin"),
    [
        ({}, True),
        ({"starts_at": NOW + timedelta(seconds=30)}, True),
        ({"purpose": "Another reason"}, True),
        ({"starts_at": NOW + DAY}, False),
        ({"ends_at": None}, False),
        ({"depth": 1}, False),
        ({"unit": "atlas-reco"}, False),
        ({"per_decision": 63}, False),
    ],
)
def test_delegate_the_same_again_is_a_conflict_that_names_it(
    site: Site, other: dict[str, Any], is_twin: bool
) -> None:
    first = hand_on(site, Bound(resource=site.vcpu.resource, per_decision=64))
    amount = other.get("per_decision", 64)
    terms = {name: value for name, value in other.items() if name not in ("per_decision", "unit")}
    if "unit" in other:
        terms["unit"] = make_unit(
            slug="atlas-reco", name="Reconstruction", parent=site.units["atlas"], now=NOW
        )

    def again() -> Delegation:
        return hand_on(site, Bound(resource=site.vcpu.resource, per_decision=amount), **terms)

    if not is_twin:
        assert again() != first
        return
    with pytest.raises(Conflict) as refused:
        again()
    assert refused.value.facts == {"delegation": first.pk}
    assert Delegation.objects.filter(user=site.mallory).count() == 1


def test_delegate_the_same_after_it_was_revoked_or_is_over(site: Site) -> None:
    same = Bound(resource=site.vcpu.resource, per_decision=64)
    first = hand_on(site, same)
    revoke(delegation=first, actor=site.dana, now=NOW)

    hand_on(site, same)
    later = NOW + 10 * DAY
    hand_on(site, same, starts_at=later, ends_at=later + DAY, now=later)

    assert Delegation.objects.filter(user=site.mallory).count() == 3


def test_delegate_the_same_twice_at_one_moment_makes_one(committed_site: Site) -> None:
    site = committed_site
    same = Bound(resource=site.vcpu.resource, per_decision=64)

    results = at_once([lambda: hand_on(site, same)] * 4)

    assert sorted(isinstance(each, Conflict) for each in results) == [False, True, True, True]
    assert Delegation.objects.filter(user=site.mallory).count() == 1


def test_delegate_by_what_cannot_be_handed_on_says_whom_to_ask(site: Site) -> None:
    Delegation.objects.filter(user=site.dana).update(depth=0)
    with pytest.raises(Forbidden) as refused:
        hand_on(site, Bound(resource=site.vcpu.resource, per_decision=1))
    assert refused.value.facts == {"delegation": site.delegations["dana"].pk}


def test_decisions_and_delegations_at_once_wait_for_each_other(committed_site: Site) -> None:
    """Both take the project first, so neither is refused by the database as a deadlock."""
    site = committed_site
    asked = ask(site, 64)
    line = asked.lines.get()

    def approve() -> object:
        return decide.approve(
            quota_request=asked,
            granted={line.pk: 64},
            seen={line.pk: 0},
            version=asked.version,
            actor=site.dana,
            now=NOW,
        )

    def hand() -> object:
        return hand_on(site, Bound(resource=site.vcpu.resource, per_decision=64))

    def take_back() -> None:
        revoke(delegation=site.delegations["erin"], actor=site.otto, now=NOW + DAY)

    results = at_once([hand, approve, take_back])

    # Whoever was first; a revocation that came before the decision counts.
    assert isinstance(results[0], Delegation | Forbidden)
    assert isinstance(results[1], Decision | Forbidden)
    assert site.quota(site.vcpu) == (64 if isinstance(results[1], Decision) else 0)


def test_delegate_to_a_closed_account_is_refused(site: Site) -> None:
    User.objects.filter(pk=site.mallory.pk).update(is_active=False)
    site.mallory.refresh_from_db()

    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound(resource=site.vcpu.resource, per_decision=1))

    assert refused.value.sentence == "The account of Mallory is closed."


@pytest.mark.parametrize("day", ["starts_at", "ends_at"])
def test_delegate_to_where_dates_end_is_refused(site: Site, day: str) -> None:
    far = datetime(9999, 12, 31, 23, 30, tzinfo=UTC)
    with pytest.raises(Invalid) as refused:
        hand_on(
            site, Bound(resource=site.vcpu.resource, per_decision=1), **{"ends_at": None, day: far}
        )
    assert refused.value.errors == {day: ["It lies too far ahead: before the year 3000."]}


def test_delegate_by_what_was_revoked_while_one_waited_is_refused(site: Site) -> None:
    revoke(delegation=site.delegations["erin"], actor=site.otto, now=NOW + timedelta(seconds=1))
    with pytest.raises(Forbidden):
        hand_on(site, Bound(resource=site.vcpu.resource, per_decision=1))
    assert not Delegation.objects.filter(user=site.mallory).exists()


def test_revoke_says_why_in_characters_that_can_be_seen(site: Site) -> None:
    with pytest.raises(Invalid) as refused:
        revoke(delegation=site.delegations["dana"], actor=site.erin, why="a\u202eb", now=NOW)
    assert list(refused.value.errors) == ["reason"]
