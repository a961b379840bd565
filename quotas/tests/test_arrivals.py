"""A sign-in changes whose requests somebody decides; what follows a first one; many at once."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from pytest_django import Settings

from portal.lib.openid.claims import GroupClaim, PersonClaims
from projects.actions.arrivals import Arrival, arrive, arrived
from projects.actions.people import set_group_members
from projects.models import Delegation, Event, Group, GroupMembership, Unit, User
from projects.queries.viewers import Viewer
from quotas.actions.rerouting import work_off
from quotas.models import RouteMark
from quotas.queries.notice_words import sentence_of, url_of
from quotas.queries.notices import notice_rows, notices_of
from quotas.queries.requests import queue
from quotas.tests.site import NOW, Site
from quotas.tests.test_decide import ask
from quotas.tests.threads import at_once

ISSUER = "https://sso.example"
HOUR = timedelta(hours=1)


def come(subject: str, *groups: str, now: datetime) -> Arrival:
    said = tuple(GroupClaim(each) for each in groups)
    return arrive(claims=PersonClaims(ISSUER, subject, subject, "", said), now=now)


def decided_by_a_group(site: Site) -> Group:
    """What Dana holds in ATLAS is a group's, in which nobody is yet."""
    group = Group.objects.create(issuer=ISSUER, external_id="coordinators", name="Coordinators")
    Delegation.objects.filter(user=site.dana).update(user=None, group=group)
    return group


def waiting(user: User, now: datetime) -> list[int]:
    return [each.pk for each in queue(Viewer.of(user, now))]


def test_requests_reach_whoever_joins_the_group_that_decides_and_leave_with_them(
    site: Site,
) -> None:
    group = decided_by_a_group(site)
    asked = ask(site, {"geneva.compute-a.vcpu": 64})
    assert waiting(site.erin, NOW) == [asked.pk]

    joined = come("nora", "coordinators", now=NOW + HOUR)
    assert joined.joined == {group.pk}
    work_off(NOW + HOUR)
    assert waiting(joined.user, NOW + HOUR) == [asked.pk]

    come("nora", now=NOW + 2 * HOUR)
    work_off(NOW + 2 * HOUR)
    assert waiting(joined.user, NOW + 2 * HOUR) == []
    assert waiting(site.erin, NOW + 2 * HOUR) == [asked.pk]


def test_who_handed_authority_to_a_group_reads_who_joined_it(site: Site) -> None:
    group = decided_by_a_group(site)
    held = Delegation.objects.get(group=group)
    come("nora", "coordinators", now=NOW + HOUR)
    people = [come(name, now=NOW + HOUR).user for name in ("nina", "nils")]
    set_group_members(group=group, users=people, now=NOW + 2 * HOUR)

    erin = Viewer.of(site.erin, NOW + 2 * HOUR)
    rows = notice_rows(notices_of(erin), erin)
    said = f"joined a group that you delegated to: D-{held.pk} in {held.unit.label}"
    assert [sentence_of(each) for each in rows] == [f"People {said}", f"nora {said}"]
    assert {url_of(each) for each in rows} == {f"/remit/D-{held.pk}/"}


def test_groups_that_decide_nothing_mark_nothing(site: Site) -> None:
    come("nora", "hikers", now=NOW)
    assert not RouteMark.objects.exists()


def test_one_person_who_comes_by_many_windows_at_once_is_one_person(committed_site: Site) -> None:
    decided_by_a_group(committed_site)
    groups = ["coordinators", "hikers", "climbers"]
    found = at_once([lambda: come("nora", *groups, now=NOW) for _window in range(6)])
    assert {each.user.pk for each in found} == {User.objects.get(issuer=ISSUER).pk}
    assert [each.is_first for each in found].count(True) == 1
    assert GroupMembership.objects.filter(ends_at__isnull=True).count() == 3
    assert Event.objects.filter(verb="person arrived").count() == 1
    assert Event.objects.filter(verb="delegate joined").count() == 1


def test_many_people_join_the_same_new_groups_at_once(committed_site: Site) -> None:
    names = ["hikers", "climbers", "runners"]

    def comes(number: int) -> Callable[[], Arrival]:
        turned = names[number % 3 :] + names[: number % 3]
        return lambda: come(f"p{number}", *turned, now=NOW)

    acts = [comes(number) for number in range(8)]
    assert all(isinstance(each, Arrival) for each in at_once(acts))
    assert Group.objects.filter(issuer=ISSUER).count() == 3
    assert GroupMembership.objects.count() == 24


# --- What follows a sign-in ----------------------------------------------------------------


def make_a_unit(*, user: User, first_time: bool, now: datetime) -> None:
    """A step that leaves a trace."""
    Unit.objects.create(slug=f"{user.subject}-{first_time}".lower(), name="x", path=f"{user}/")


def break_after_a_trace(*, user: User, first_time: bool, now: datetime) -> None:
    Unit.objects.create(slug="broken", name="x", path="broken/")
    raise RuntimeError("the step is broken")


@pytest.mark.django_db
def test_a_step_that_fails_leaves_nothing_and_keeps_nobody_out(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ARRIVAL_STEPS = [f"{__name__}.break_after_a_trace", f"{__name__}.make_a_unit"]
    nora = come("nora", now=NOW).user
    arrived(user=nora, first_time=True, now=NOW)
    assert [each.slug for each in Unit.objects.all()] == ["nora-true"]
    assert "a step after sign-in failed" in caplog.text
