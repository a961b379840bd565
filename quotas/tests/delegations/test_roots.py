"""Roots: always held by two people, given by the operator's command and ended by it."""

from datetime import datetime, timedelta

import pytest

from portal.lib.errors import Conflict
from projects.models import Delegation, User
from projects.states import Power
from quotas.actions.roots import RootEnded, delegate_root, revoke_root
from quotas.tests.site import NOW, Site
from quotas.tests.threads import at_once

DAY = timedelta(days=1)


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
