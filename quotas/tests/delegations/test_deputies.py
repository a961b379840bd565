"""Deputies: somebody stands in for a time, with all terms and in the same queue."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from portal.lib.errors import Conflict, Invalid, NotVisible
from projects.actions.people import set_group_members
from projects.models import Delegation, Group, GroupMembership, Notice, in_force
from projects.queries.viewers import live_delegations
from projects.states import NoticeKind
from quotas.actions import decide
from quotas.actions.delegations import Bound, Deputies, name_deputy, revoke
from quotas.actions.rerouting import work_off
from quotas.models import Assignment
from quotas.queries.verifying import verify
from quotas.tests.site import NOW, Site, make_group

from .handing import DAY, Commits, ask, grant, hand_on, parent_with, waiting


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


# --- a deputy whose grantor holds nothing any more ------------------------------------------


def held_by_a_group(site: Site) -> Group:
    """Dana holds what she has in ATLAS through a group, in which Erin is too."""
    group = make_group("coordinators", site.dana, site.erin)
    Delegation.objects.filter(user=site.dana).update(user=None, group=group)
    site.delegations["dana"].refresh_from_db()
    return group


def leaves(site: Site, group: Group, now: datetime) -> None:
    """Dana leaves the group, as its identity provider would tell."""
    set_group_members(group=group, users=[site.erin], now=now)


def test_a_deputy_decides_only_while_whom_they_stand_in_for_is_in_the_group(
    site: Site, commits: Commits
) -> None:
    group = held_by_a_group(site)
    deputise(site, starts_at=NOW)
    with commits(execute=True):
        asked = ask(site, 64)
    assert waiting(site.mallory) == [asked]

    later = NOW + timedelta(hours=1)
    with commits(execute=True):
        leaves(site, group, later)

    assert (waiting(site.mallory, later), waiting(site.erin, later)) == ([], [asked])
    waits_by = Assignment.objects.filter(in_force(later), line__request=asked)
    assert [each.group for each in waits_by] == [group]
    with pytest.raises(NotVisible):
        decide.decline(
            quota_request=asked, line_ids=[asked.lines.get().pk], reason="No", version=1,
            actor=site.mallory, now=later,
        )  # fmt: skip


def test_what_a_deputy_handed_on_ends_with_whom_they_stood_in_for(site: Site) -> None:
    group = held_by_a_group(site)
    [made] = deputise(site, starts_at=NOW).made
    below = hand_on(
        site, Bound(resource=site.vcpu.resource, per_decision=1), parent=made, grantor=site.mallory,
        user=site.bob, ends_at=NOW + DAY,
    )  # fmt: skip
    assert below in live_delegations(NOW)

    leaves(site, group, NOW + timedelta(hours=1))

    live = live_delegations(NOW + timedelta(hours=1))
    assert not live.filter(pk__in=[made.pk, below.pk]).exists()


def test_somebody_else_of_the_group_may_have_the_same_deputy(site: Site) -> None:
    """Whoever stands in for one who left stands in for nobody, and for Erin not yet."""
    group = held_by_a_group(site)
    deputise(site, starts_at=NOW)
    later = NOW + timedelta(hours=1)
    leaves(site, group, later)

    held = site.delegations["dana"]
    [made] = deputise(
        site, holder=site.erin, starts_at=later, now=later, delegations=[held.pk]
    ).made

    assert (made.grantor, made.parent) == (site.erin, held)
    assert made in live_delegations(later)
    with pytest.raises(Conflict, match="is deputy for ORG/EP/ATLAS at that time already"):
        deputise(site, holder=site.erin, starts_at=later, now=later, delegations=[held.pk])


def test_the_proof_of_a_deputy_is_checked_against_the_group_of_then(site: Site) -> None:
    group = held_by_a_group(site)
    deputise(site, starts_at=NOW)
    grant(site, 64, site.mallory, NOW + timedelta(hours=1))
    assert list(verify()) == []

    GroupMembership.objects.filter(group=group, user=site.dana).update(ends_at=NOW + DAY / 48)

    made, held = Delegation.objects.get(user=site.mallory), site.delegations["dana"]
    [found] = verify()
    assert found.what.startswith(f"grantor of {made} holding {held} at ")
