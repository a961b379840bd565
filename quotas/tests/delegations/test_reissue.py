"""What hangs from a delegation is seen before it is revoked, and may go on under another."""

from datetime import datetime

import pytest

from portal.lib.errors import Conflict, Forbidden, Stale
from projects.models import Delegation, Notice, User, in_force
from projects.queries.viewers import Viewer, live_delegations
from projects.states import NoticeKind, Power
from quotas.actions.authority import UsedUp
from quotas.actions.delegations import Bound, delegate, name_deputy
from quotas.actions.reissue import plan, reissue, revoke_seen
from quotas.models import Assignment, BoundUse, Policy
from quotas.queries.hanging import Hanging, hanging_from
from quotas.queries.verifying import verify
from quotas.states import AssignmentKind, PolicyState
from quotas.tests.site import NOW, Site

from .handing import DAY, Commits, ask, grant

pytestmark = pytest.mark.django_db
ENDS = NOW + 50 * DAY


@pytest.fixture(autouse=True)
def depths(site: Site) -> None:
    """Each may be handed on once less often than the one above it."""
    for name, depth in (("otto", 5), ("erin", 4), ("dana", 3)):
        Delegation.objects.filter(pk=site.delegations[name].pk).update(depth=depth)
        site.delegations[name].depth = depth


def hand(
    site: Site, parent: Delegation, user: User, *bounds: Bound, depth: int = 0, unit: str = "atlas"
) -> Delegation:
    assert parent.user is not None
    return delegate(
        parent=parent, grantor=parent.user, user=user, unit=site.units[unit],
        powers=[Power.DECIDE_QUOTA], starts_at=NOW, ends_at=ENDS, depth=depth,
        bounds=bounds or [Bound(resource=site.vcpu.resource, per_decision=64)], now=NOW,
    )  # fmt: skip


def hanging(site: Site, delegation: Delegation, who: str = "otto", now: datetime = NOW) -> Hanging:
    return hanging_from(delegation, Viewer.of(site.people[who], now))


def holders(now: datetime = NOW) -> dict[str, int | None]:
    """{who holds: the delegation above it} of everything in force."""
    rows = live_delegations(now).filter(user__isnull=False).select_related("user", "parent__user")
    return {str(row.user): row.parent_id for row in rows}


def test_what_hangs_from_a_delegation(site: Site) -> None:
    erins, danas = site.delegations["erin"], site.delegations["dana"]
    asked = ask(site, 64)
    below = hand(site, danas, site.mallory)

    found = hanging(site, erins)

    assert found.below == [danas, below]
    assert [(each.line.request, each.takers) for each in found.waiting] == [(asked, [site.otto])]
    assert (found.waiting_count, found.decision_count) == (1, 0)


def test_what_hangs_goes_to_whom_routing_brings_it(site: Site, commits: Commits) -> None:
    """Mallory is nearer than Erin, and has given this project what he may this month."""
    danas = site.delegations["dana"]
    hand(site, site.delegations["otto"], site.mallory)
    grant(site, 64, site.mallory)
    asked = ask(site, 100)

    [waits] = hanging(site, danas).waiting
    with commits(execute=True):
        revoke_seen(
            delegation=danas, actor=site.erin, why="", seen=hanging(site, danas).seen, now=NOW
        )

    live = Assignment.objects.filter(in_force(NOW), line=asked.lines.get())
    deciding = live.filter(kind=AssignmentKind.DECIDE)
    assert waits.takers == [site.erin] == [each.user for each in deciding]


def test_what_is_over_hangs_from_nothing(site: Site) -> None:
    danas = site.delegations["dana"]
    hand(site, danas, site.mallory)

    assert hanging(site, site.delegations["erin"], now=ENDS).below == [danas]


def test_revoke_after_something_else_hangs_from_it_is_stale(site: Site) -> None:
    danas = site.delegations["dana"]
    seen = hanging(site, danas, "erin").seen
    hand(site, danas, site.mallory)

    with pytest.raises(Stale) as refused:
        revoke_seen(delegation=danas, actor=site.erin, why="", seen=seen, now=NOW)

    fresh = refused.value.facts["seen"]
    revoke_seen(delegation=danas, actor=site.erin, why="Moved to IT", seen=fresh, now=NOW)
    danas.refresh_from_db()
    assert (danas.revoked_at, danas.revoked_by, danas.revoked_why) == (
        NOW,
        site.erin,
        "Moved to IT",
    )


def test_revoke_tells_everybody_who_loses_something(site: Site) -> None:
    danas = site.delegations["dana"]
    hand(site, danas, site.mallory)

    revoke_seen(delegation=danas, actor=site.erin, why="", seen=hanging(site, danas).seen, now=NOW)

    told = Notice.objects.filter(kind=NoticeKind.REVOKED).values_list("person__subject", flat=True)
    assert set(told) == {"dana", "mallory"}


def test_reissue_takes_over_what_was_handed_on_below(site: Site) -> None:
    ottos, erins, danas = (site.delegations[name] for name in ("otto", "erin", "dana"))
    hand(site, danas, site.mallory)

    done = reissue(
        delegation=erins, parent=ottos, actor=site.otto, why="Left",
        seen=hanging(site, erins).seen, now=NOW,
    )  # fmt: skip

    first, second = done.made
    assert (first.parent, first.grantor, first.replaces) == (ottos, site.otto, danas)
    assert (second.parent, second.grantor) == (first, site.dana)
    assert first.powers == danas.powers
    assert [each.per_decision for each in first.bounds.order_by("pk")] == [
        each.per_decision for each in danas.bounds.order_by("pk")
    ]
    assert "Erin" not in holders()
    assert (holders()["Dana"], holders()["Mallory"]) == (ottos.pk, first.pk)


def test_reissue_brings_what_waits_to_the_new_delegation(site: Site, commits: Commits) -> None:
    asked = ask(site, 64)
    erins = site.delegations["erin"]

    with commits(execute=True):
        [made] = reissue(
            delegation=erins, parent=site.delegations["otto"], actor=site.otto,
            seen=hanging(site, erins).seen, now=NOW,
        ).made  # fmt: skip

    live = Assignment.objects.filter(in_force(NOW), line=asked.lines.get())
    assert [each.delegation for each in live] == [made]


def test_reissue_keeps_what_is_consumed_and_the_policies(site: Site) -> None:
    erins, danas = site.delegations["erin"], site.delegations["dana"]
    row = danas.bounds.get(resource=site.vcpu.resource)
    type(row).objects.filter(pk=row.pk).update(total=200, period_days=365)
    BoundUse.objects.create(bound=row, power=Power.DECIDE_QUOTA, period=0, most=200, used=120)
    policy = Policy.objects.create(
        unit=site.units["atlas"], delegation=danas, person=site.dana, name="Small",
        state=PolicyState.ON, created_at=NOW,
    )  # fmt: skip
    seen = hanging(site, erins)
    assert seen.policies == [policy]

    [made] = reissue(
        delegation=erins, parent=site.delegations["otto"], actor=site.otto, seen=seen.seen, now=NOW
    ).made

    [use] = BoundUse.objects.filter(bound__delegation=made)
    assert (use.used, use.most, use.power) == (120, 200, Power.DECIDE_QUOTA)
    policy.refresh_from_db()
    assert policy.delegation == made


def take_over(site: Site, what: str, who: str, now: datetime) -> Delegation:
    """Revoke somebody's delegation; the one thing that hangs from it goes on under one's own."""
    gone = site.delegations[what]
    [made] = reissue(
        delegation=gone, parent=site.delegations[who], actor=site.people[who],
        seen=hanging(site, gone, who, now).seen, now=now,
    ).made  # fmt: skip
    return made


def test_a_window_goes_on_however_often_a_delegation_is_made_again(site: Site) -> None:
    """Mallory may add 64 in 30 days, by whichever of three delegations in turn."""
    second, third = NOW + DAY, NOW + 2 * DAY
    before = hand(site, site.delegations["dana"], site.mallory)
    grant(site, 40, site.mallory)
    between = take_over(site, "dana", "erin", second)
    grant(site, 60, site.mallory, second)
    last = take_over(site, "erin", "otto", third)

    with pytest.raises(UsedUp) as refused:
        grant(site, 65, site.mallory, third)

    assert last.predecessors == [before.pk, between.pk]
    facts = refused.value.facts
    assert (facts["bound"], facts["used"], facts["left"]) == ("per_decision", 60, 4)


def test_a_window_that_goes_on_is_proved(site: Site) -> None:
    hand(site, site.delegations["dana"], site.mallory)
    grant(site, 40, site.mallory)
    take_over(site, "dana", "erin", NOW + DAY)

    decision = grant(site, 60, site.mallory, NOW + DAY)

    [bound] = [
        each
        for each in decision.snapshot["lines"][0]["bounds"]
        if each["delegation"] == decision.lines.get().delegation_id
    ]
    assert (bound["window_used"], bound["increase"]) == (40, 20)
    assert list(verify()) == []


def narrow(site: Site, per_decision: int) -> Delegation:
    """A second delegation of Otto, by which less may be given, and nothing of others."""
    narrower = Delegation.objects.create(
        user=site.otto, unit=site.units["org"], powers=[Power.DECIDE_QUOTA], depth=3,
        starts_at=NOW - DAY, ends_at=NOW + 9 * DAY, created_at=NOW,
    )  # fmt: skip
    narrower.bounds.create(resource=site.vcpu.resource, per_decision=per_decision)
    return narrower


def test_what_does_not_fit_the_new_parent_is_named(site: Site) -> None:
    [move] = plan(
        delegation=site.delegations["erin"], parent=narrow(site, 32), actor=site.otto, now=NOW
    )

    assert move.can_be_trimmed
    assert move.beyond[0] == "You do not hold the power to manage envelopes."
    assert "Of vCPU you may give 32 per decision." in move.beyond
    assert move.terms.powers == [Power.DECIDE_QUOTA]
    assert [(each.resource, each.per_decision) for each in move.bounds] == [
        (site.vcpu.resource, 32)
    ]


@pytest.mark.parametrize("is_trimmed", [True, False])
def test_reissue_of_what_does_not_fit_is_trimmed_with_consent_or_left_out(
    site: Site, is_trimmed: bool
) -> None:
    parent, erins, danas = narrow(site, 32), site.delegations["erin"], site.delegations["dana"]

    done = reissue(
        delegation=erins, parent=parent, actor=site.otto, trim=[danas.pk] if is_trimmed else [],
        seen=hanging(site, erins).seen, now=NOW,
    )  # fmt: skip

    assert [each.user for each in done.made] == ([site.dana] if is_trimmed else [])
    assert [each.old for each in done.left_out] == ([] if is_trimmed else [danas])
    assert ("Dana" in holders()) is is_trimmed


def test_reissue_leaves_out_whoever_stood_in(site: Site) -> None:
    erins = site.delegations["erin"]
    name_deputy(holder=site.erin, user=site.mallory, starts_at=NOW, ends_at=ENDS, now=NOW)

    moves = plan(delegation=erins, parent=site.delegations["otto"], actor=site.otto, now=NOW)

    assert {str(each.old.user): each.why_not for each in moves} == {
        "Dana": "", "Mallory": "It stands in for Erin.",
    }  # fmt: skip


def test_reissue_under_what_hangs_from_it_is_a_conflict(site: Site) -> None:
    danas = site.delegations["dana"]
    below = hand(site, danas, site.erin, depth=1)

    with pytest.raises(Conflict):
        reissue(
            delegation=danas, parent=below, actor=site.erin, seen=hanging(site, danas).seen, now=NOW
        )

    assert danas.revoked_at is None


def test_reissue_by_somebody_below_is_forbidden(site: Site) -> None:
    erins = site.delegations["erin"]

    with pytest.raises(Forbidden):
        reissue(
            delegation=erins, parent=site.delegations["dana"], actor=site.dana,
            seen=hanging(site, erins).seen, now=NOW,
        )  # fmt: skip
