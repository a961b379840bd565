"""Delegations with bounds: within the grantor's own, two roots at least, routed at once."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.lib.errors import Conflict, Forbidden, Invalid
from projects.models import Delegation, Notice, User
from projects.queries.viewers import Viewer
from projects.states import REPAIRING, NoticeKind, Power
from quotas.actions import decide, requests
from quotas.actions.delegations import (
    Bound,
    Deputies,
    RootEnded,
    delegate,
    delegate_root,
    name_deputy,
    revoke,
    revoke_root,
)
from quotas.actions.rerouting import work_off
from quotas.actions.wishes import Wish
from quotas.models import Decision, DelegationBound, QuotaRequest, Zone
from quotas.queries.requests import queue
from quotas.tests.site import GIB, NOW, Site
from quotas.tests.threads import at_once

DAY = timedelta(days=1)
Commits = Callable[..., AbstractContextManager[list[Callable[[], object]]]]


@pytest.fixture
def commits(django_capture_on_commit_callbacks: Commits) -> Commits:
    """What happens after a commit happens at the end of the block."""
    return django_capture_on_commit_callbacks


def hand_on(site: Site, *bounds: Bound, **changes: Any) -> Delegation:
    """Dana, who may add 128 steps of anything in one decision, hands some of it to Mallory."""
    terms: dict[str, Any] = {
        "parent": site.delegations["dana"],
        "grantor": site.dana,
        "user": site.mallory,
        "unit": site.units["atlas"],
        "powers": [Power.DECIDE_QUOTA],
        "starts_at": NOW,
        "ends_at": NOW + 10 * DAY,
        "depth": 0,
        "bounds": bounds,
        "now": NOW,
    }
    return delegate(**(terms | changes))


def waiting(person: User, now: datetime = NOW) -> list[QuotaRequest]:
    return list(queue(Viewer.of(person, now)))


def ask(site: Site, amount: int) -> QuotaRequest:
    return requests.submit(
        project=site.project, wish=Wish({site.vcpu.slug: amount}, "More"), actor=site.alice, now=NOW
    )


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


def roots(site: Site, *people: User, powers: tuple[Power, ...] = tuple(Power)) -> list[Delegation]:
    return delegate_root(
        users=people, units=[site.units["org"]], powers=powers, depth=5, ends_at=None, now=NOW
    )


def test_delegate_root_to_one_person_is_a_conflict(site: Site) -> None:
    count = Delegation.objects.count()

    with pytest.raises(Conflict):
        roots(site, site.erin)

    assert Delegation.objects.count() == count


def test_delegate_root_to_one_person_twice_is_a_conflict(site: Site) -> None:
    with pytest.raises(Conflict):
        roots(site, site.erin, site.erin)


def test_delegate_root_to_two_people(site: Site) -> None:
    made = roots(site, site.erin, site.dana)

    assert {each.user for each in made} == {site.erin, site.dana}
    assert [each.bounds.get().per_decision for each in made] == [None, None]


def test_delegate_root_counts_who_holds_it_already_and_keeps_it(site: Site) -> None:
    made = roots(site, site.otto, site.erin, powers=(Power.DECIDE_QUOTA,))

    assert [each.user for each in made] == [site.erin]


def test_delegate_root_does_not_count_other_powers(site: Site) -> None:
    """Audrey's root is of the power to audit; it decides nothing."""
    with pytest.raises(Conflict):
        roots(site, site.audrey, powers=(Power.DECIDE_PROJECTS,))


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


# --- totals, windows and zones ------------------------------------------------------------


def parent_with(site: Site, **bound: Any) -> Delegation:
    """A root of Dana with one row about vCPU."""
    held = Delegation.objects.create(
        user=site.dana, powers=list(Power), unit=site.units["atlas"], depth=2,
        starts_at=NOW - DAY, created_at=NOW,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=held, resource=site.vcpu.resource, **bound)
    return held


@pytest.mark.parametrize(
    ("held", "given", "dimension", "most"),
    [
        ({"per_decision": 64}, {"per_decision": 65}, "per_decision", 64),
        ({"per_decision": 64}, {}, "per_decision", 64),
        (
            {"per_decision": 64, "window_days": 60}, {"per_decision": 64, "window_days": 59},
            "window_days", 60,
        ),
        ({"total": 200}, {"total": 201}, "total", 200),
        ({"total": 200}, {"per_decision": 1}, "total", 200),
        (
            {"total": 200, "period_days": 365}, {"total": 200, "period_days": 364},
            "period_days", 365,
        ),
        ({"total": 200}, {"total": 200, "period_days": 3000}, "period_days", None),
    ],
)  # fmt: skip
def test_delegate_beyond_a_bound_names_its_dimension_and_row(
    site: Site, held: dict[str, Any], given: dict[str, Any], dimension: str, most: int | None
) -> None:
    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound(resource=site.vcpu.resource, **given), parent=parent_with(site, **held))

    assert list(refused.value.errors) == ["bounds.0"]
    assert refused.value.facts == {"dimension": dimension, "bound": most}


@pytest.mark.parametrize(
    ("held", "given"),
    [
        ({"per_decision": 64, "window_days": 60}, {"per_decision": 64, "window_days": 60}),
        ({"total": 200, "period_days": 365}, {"total": 200, "period_days": 366}),
        ({"total": 200, "period_days": 365}, {"total": 200}),
        ({"total": 200}, {"total": 0}),
        ({}, {}),
    ],
)
def test_delegate_within_every_bound(
    site: Site, held: dict[str, Any], given: dict[str, Any]
) -> None:
    made = hand_on(
        site, Bound(resource=site.vcpu.resource, **given), parent=parent_with(site, **held)
    )

    assert made.bounds.count() == 1


def test_delegate_every_zone_where_one_holds_one_names_it(site: Site) -> None:
    with pytest.raises(Invalid) as refused:
        hand_on(
            site, Bound(resource=site.vcpu.resource),
            parent=parent_with(site, zone=site.vcpu.zone),
        )  # fmt: skip

    assert refused.value.sentence == "vCPU is yours to give in compute-a alone: name a zone."
    assert refused.value.facts == {"dimension": "zone", "bound": ["compute-a"]}


def test_delegate_every_resource_is_bounded_where_one_of_them_is(site: Site) -> None:
    """Of anything else any amount may be given, of vCPU 64: that needs a row of its own."""
    held = parent_with(site, per_decision=64)
    DelegationBound.objects.create(delegation=held)

    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound(), parent=held)

    assert refused.value.sentence == (
        "Of vCPU you may give 64 per decision. Give it a row of its own."
    )
    own = Bound(resource=site.vcpu.resource, per_decision=64)
    assert hand_on(site, Bound(), own, parent=held).bounds.count() == 2


def test_delegate_names_every_field_that_goes_beyond(site: Site) -> None:
    with pytest.raises(Invalid) as refused:
        hand_on(
            site, Bound(resource=site.vcpu.resource, per_decision=1),
            Bound(resource=site.space.resource, per_decision=GIB * 1000),
            powers=[Power.AUDIT, Power.DECIDE_QUOTA], unit=site.units["it"], depth=9,
        )  # fmt: skip

    assert set(refused.value.errors) == {"powers", "unit", "depth", "bounds.1"}
    assert refused.value.facts["dimension"] == "powers"


@pytest.mark.parametrize("power", list(Power))
def test_delegate_a_power_only_if_it_is_held(site: Site, power: Power) -> None:
    powers = [each for each in Power if each != power]
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(powers=powers)

    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound(resource=site.vcpu.resource, per_decision=1), powers=[power])

    assert list(refused.value.errors) == ["powers"]


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


# --- deputies -----------------------------------------------------------------------------


def deputise(site: Site, **changes: Any) -> Deputies:
    terms: dict[str, Any] = {
        "holder": site.dana, "user": site.mallory, "starts_at": NOW + DAY,
        "ends_at": NOW + 10 * DAY, "now": NOW,
    }  # fmt: skip
    return name_deputy(**(terms | changes))


def test_a_deputy_has_all_terms_and_one_hand_on_fewer(site: Site) -> None:
    danas = site.delegations["dana"]

    [made] = deputise(site).made

    assert (made.parent, made.grantor, made.is_deputy, made.depth) == (danas, site.dana, True, 2)
    assert (made.powers, made.unit) == (danas.powers, danas.unit)
    assert set(made.bounds.values_list("resource", "per_decision")) == set(
        danas.bounds.values_list("resource", "per_decision")
    )
    [notice] = Notice.objects.all()
    assert (notice.person, notice.kind) == (site.mallory, NoticeKind.DEPUTY)


def test_what_waits_is_in_the_deputys_queue_for_that_time(site: Site, commits: Commits) -> None:
    asked = ask(site, 64)
    with commits(execute=True):
        deputise(site)
    begun, over = NOW + DAY, NOW + 10 * DAY
    assert waiting(site.mallory) == []

    while work_off(begun):
        pass
    assert (waiting(site.mallory, begun), waiting(site.dana, begun)) == ([asked], [asked])
    assert (waiting(site.mallory, over), waiting(site.dana, over)) == ([], [asked])


def test_what_waits_leaves_the_deputys_queue_when_it_is_revoked(
    site: Site, commits: Commits
) -> None:
    asked = ask(site, 64)
    with commits(execute=True):
        [made] = deputise(site, starts_at=NOW).made
    assert waiting(site.mallory) == [asked]

    with commits(execute=True):
        revoke(delegation=made, actor=site.dana, now=NOW)

    assert (waiting(site.mallory), waiting(site.dana)) == ([], [asked])


def test_a_deputy_where_nothing_can_be_handed_on_is_refused_with_the_way_out(site: Site) -> None:
    Delegation.objects.filter(user=site.dana).update(depth=0)

    with pytest.raises(Conflict) as refused:
        deputise(site)

    pk = site.delegations["dana"].pk
    assert refused.value.sentence == (
        f"D-{pk} for ORG/EP/ATLAS cannot be handed on: ask Erin to name a deputy."
    )
    assert refused.value.facts == {"delegations": [pk]}


def test_a_deputy_for_some_of_ones_delegations_says_which_are_left_out(site: Site) -> None:
    other = parent_with(site)
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(depth=0)

    done = deputise(site)

    assert [each.parent for each in done.made] == [other]
    assert [each.delegation for each in done.left_out] == [site.delegations["dana"]]


def test_a_deputy_ends_with_what_they_stand_in_by(site: Site) -> None:
    Delegation.objects.filter(user=site.dana).update(ends_at=NOW + 5 * DAY)

    [made] = deputise(site).made

    assert made.ends_at == NOW + 5 * DAY


def test_a_deputy_twice_at_a_time_is_a_conflict(site: Site) -> None:
    deputise(site)

    with pytest.raises(Conflict):
        deputise(site, starts_at=NOW + 9 * DAY, ends_at=NOW + 20 * DAY)


@pytest.mark.parametrize("ends_at", [None, NOW])
def test_a_deputy_needs_an_end_after_the_start(site: Site, ends_at: datetime | None) -> None:
    with pytest.raises(Invalid) as refused:
        deputise(site, ends_at=ends_at)

    assert list(refused.value.errors) == ["ends_at"]


# --- ending roots -------------------------------------------------------------------------


def more_roots(site: Site, *people: User, ends_at: datetime | None = None) -> list[Delegation]:
    return delegate_root(
        users=people, units=[site.units["org"]], powers=[Power.DECIDE_QUOTA], depth=5,
        ends_at=ends_at, now=NOW,
    )  # fmt: skip


def end(root: Delegation) -> RootEnded:
    return revoke_root(root=root, now=NOW)


def test_a_root_ends_where_two_people_are_left(site: Site) -> None:
    first, second = more_roots(site, site.erin, site.dana)

    assert end(first) == RootEnded(0, {})

    first.refresh_from_db()
    assert (first.revoked_at, first.revoked_by) == (NOW, None)
    with pytest.raises(Conflict) as refused:
        end(second)
    assert refused.value.facts == {"unit": "org", "power": "decide quota"}


def test_a_root_that_ends_tells_from_when_on_too_few_are_left(site: Site) -> None:
    lasting = more_roots(site, site.erin, site.dana)[0]
    Delegation.objects.filter(user=site.otto).update(ends_at=NOW + 30 * DAY)

    assert end(lasting).too_few == {Power.DECIDE_QUOTA: NOW + 30 * DAY}


def test_a_root_of_closed_accounts_does_not_count(site: Site) -> None:
    first, __ = more_roots(site, site.erin, site.dana)
    User.objects.filter(pk=site.otto.pk).update(is_active=False)

    with pytest.raises(Conflict):
        end(first)


def test_two_roots_that_count_on_each_other_are_not_ended_at_once(committed_site: Site) -> None:
    site = committed_site
    first, second = more_roots(site, site.erin, site.dana)

    results = at_once([lambda: end(first), lambda: end(second)])

    assert sorted(isinstance(each, Conflict) for each in results) == [False, True]
