"""Whom an announcement reaches: by what projects have in which zones, and who has which role."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from projects.models import Membership, Project, User
from projects.states import ProjectState, Role
from quotas.actions import announcements
from quotas.models import Contribution, Limit, Offering, Zone
from quotas.queries.announcements import recipients
from quotas.tests.announcements.writing import COMPUTE, STORAGE, give, reached, use, words
from quotas.tests.counting import count_queries
from quotas.tests.site import NOW, Site, join, make_group, make_project

ALL_ROLES = [role.value for role in Role]


def names(site: Site, **changes: Any) -> list[str]:
    """Who would be told if Otto sent it."""
    audience = announcements.check_audience(words(**{"roles": ALL_ROLES} | changes))
    return sorted(recipients(audience, NOW, site.otto.pk).values_list("subject", flat=True))


def nova(key: str = "cores") -> Limit:
    return Limit.objects.get(key=key)


PEOPLE = ["alice", "bob", "rita"]


@pytest.mark.parametrize(
    ("has", "by_quota", "by_usage"),
    [
        (lambda site: None, [], []),
        (lambda site: give(site.vcpu, site.project), PEOPLE, []),
        (lambda site: give(site.vcpu, site.project, 0), [], []),
        (lambda site: use(nova(), site.project), [], PEOPLE),
        (lambda site: use(nova(), site.project, 0, reserved=1), [], PEOPLE),
        (lambda site: use(nova(), site.project, 0), [], []),
        (lambda site: give(site.space, site.project), [], []),
        (lambda site: use(nova("gigabytes"), site.project), [], []),
    ],
)
def test_projects_count_by_quota_or_by_use_in_the_zones(
    site: Site, has: Callable[[Site], None], by_quota: list[str], by_usage: list[str]
) -> None:
    has(site)
    assert names(site, who="quota") == by_quota
    assert names(site, who="usage") == by_usage
    assert names(site, who="either") == (by_quota or by_usage)


def another_zone(site: Site) -> Offering:
    """A second compute zone, whose cores Nova counts with those of the first."""
    zone = Zone.objects.create(
        region=site.vcpu.zone.region, slug="compute-b", name="compute-b", kind="compute"
    )
    offering = Offering.objects.create(
        slug="geneva.compute-b.vcpu", zone=zone, resource=site.vcpu.resource
    )
    Contribution.objects.create(offering=offering, limit=nova())
    return offering


def test_use_of_a_limit_that_zones_share_counts_where_the_project_has_quota(site: Site) -> None:
    there = another_zone(site)
    use(nova(), site.project)
    both = [COMPUTE, "geneva.compute-b"]
    # Nobody knows where: it has quota in neither.
    assert [names(site, who="usage", zones=[each]) for each in both] == [PEOPLE, PEOPLE]
    give(there, site.project)
    assert [names(site, who="usage", zones=[each]) for each in both] == [[], PEOPLE]


@pytest.mark.parametrize("role", Role)
def test_a_role_reaches_who_has_it(site: Site, role: Role) -> None:
    give(site.vcpu, site.project)
    join(site.project, site.erin, Role.MANAGER, NOW)
    has = {"owner": ["alice"], "manager": ["erin"], "member": ["bob"], "reader": ["rita"]}
    assert names(site, roles=[role.value]) == has[role]


def test_people_of_groups_are_reached_and_each_once(site: Site) -> None:
    give(site.vcpu, site.project)
    join(site.project, make_group("shift", site.alice, site.mallory), Role.MEMBER, NOW)
    other = make_project(site, "other", "it", NOW)
    give(site.vcpu, other)
    join(other, site.alice, Role.OWNER, NOW)
    assert names(site) == ["alice", "bob", "mallory", "rita"]


def nobody_leads(site: Site) -> None:
    before = NOW - timedelta(days=1)
    Membership.objects.filter(user=site.alice).update(starts_at=before, ends_at=NOW)


def alice_cannot_sign_in(site: Site) -> None:
    User.objects.filter(pk=site.alice.pk).update(is_active=False)


def it_is_closed(site: Site) -> None:
    Project.objects.update(state=ProjectState.CLOSED)


def it_is_suspended(site: Site) -> None:
    Project.objects.update(state=ProjectState.SUSPENDED)


def alice_comes_tomorrow(site: Site) -> None:
    Membership.objects.filter(user=site.alice).update(starts_at=NOW + timedelta(days=1))


@pytest.mark.parametrize(
    ("what", "found"),
    [
        (nobody_leads, []),
        (alice_cannot_sign_in, []),
        (alice_comes_tomorrow, []),
        (it_is_closed, []),
        (it_is_suspended, ["alice"]),
    ],
)
def test_only_people_who_are_there_of_projects_that_stand(
    site: Site, what: Callable[[Site], None], found: list[str]
) -> None:
    give(site.vcpu, site.project)
    what(site)
    assert names(site, roles=["owner"]) == found


def test_who_sends_it_is_not_told(site: Site) -> None:
    give(site.vcpu, site.project)
    join(site.project, site.otto, Role.MEMBER, NOW)
    assert "otto" not in names(site)


def test_the_preview_counts_by_role_and_zone_and_names_the_first(site: Site) -> None:
    give(site.vcpu, site.project)
    give(site.space, site.project)
    other = make_project(site, "other", "it", NOW)
    give(site.space, other)
    join(other, site.alice, Role.MEMBER, NOW)
    join(other, site.mallory, Role.OWNER, NOW)
    zones = {each.slug: each.pk for each in Zone.objects.all()}
    found = reached(words(zones=[COMPUTE, STORAGE]), NOW, site.otto)
    assert found.count == 3
    assert found.by_role == {"owner": 2, "member": 2}
    assert found.by_zone == {zones["compute-a"]: 2, zones["storage-a"]: 3}
    assert (found.names, found.more_count) == (("Alice", "Bob", "Mallory"), 0)


def test_many_people_cost_no_more_queries(site: Site) -> None:
    give(site.vcpu, site.project)
    said = words()
    few, _queries = count_queries(lambda: reached(said, NOW, site.otto))
    crowd = User.objects.bulk_create(
        User(subject=f"p{number}", name=f"P {number:03}", password="!") for number in range(300)
    )
    join(site.project, make_group("crowd", *crowd), Role.MEMBER, NOW)
    many, _queries = count_queries(lambda: reached(said, NOW, site.otto))
    assert (few, many) == (3, 3)  # the zones that are named, the counts, the first names
    found = reached(said, NOW, site.otto)
    assert (found.count, len(found.names), found.more_count) == (302, 12, 290)
