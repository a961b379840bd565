"""A year of days: each notice once, projects that end, are held or wait, loans that return."""

from collections import Counter
from datetime import date, timedelta

import pytest
from django.core.management import call_command

from projects.models import EndNotice, Event, Notice, Project
from projects.states import Power, ProjectState, Role
from quotas.actions.calendar import end_projects, warn_of_loan_ends, warn_of_project_ends
from quotas.actions.emptying import empty_closing, end_countdowns, end_loans
from quotas.actions.project_changes import accept, ask_extension
from quotas.actions.project_holds import hold, release_over
from quotas.models import Account, Loan

from .site import NOW, Site, join, make_group, make_site
from .test_lives import give, in_use

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def site() -> Site:
    return make_site()


def days(site: Site, count: int, start: int = 1) -> None:
    """Let days pass; all that the calendar does runs again at noon every fifth day, as it may."""
    for number in range(start, start + count):
        for now in [NOW + number * DAY, NOW + number * DAY + DAY / 4][: 2 - bool(number % 5)]:
            release_over(now, now.date())
            warn_of_project_ends(now)
            warn_of_loan_ends(now)
            end_projects(now)
            end_loans(now)
            end_countdowns(now)
            empty_closing(now)


def told(site: Site, name: str) -> Counter[str]:
    rows = Notice.objects.filter(person=site.people[name])
    return Counter(rows.values_list("event__verb", flat=True))


def test_in_a_year_each_notice_comes_once_and_all_goes_back_on_its_day(site: Site) -> None:
    before = site.envelope(site.vcpu)
    give(site, site.vcpu, 4)
    give(site, site.vcpu, 12, until=date(2027, 3, 1))
    in_use(site, "cores", 9)
    site_project = site.project
    Project.objects.filter(pk=site_project.pk).update(ends_on=date(2027, 9, 30))
    join(site_project, make_group("chiefs", site.mallory), Role.MANAGER, NOW)
    days(site, 110)
    assert Loan.objects.get().outstanding == 5
    in_use(site, "cores", 0)
    days(site, 210, start=111)
    assert Loan.objects.get().outstanding == 0
    ended = Event.objects.get(verb="project closing")
    assert ended.at.date() == date(2027, 10, 1)
    days(site, 45, start=321)
    assert Project.objects.get(pk=site_project.pk).state == ProjectState.CLOSED
    assert site.envelope(site.vcpu) == before
    assert told(site, "alice")["project ends soon"] == 3
    assert told(site, "mallory")["project ends soon"] == 3
    assert told(site, "bob")["project ends soon"] == 0
    assert told(site, "alice")["loan ends soon"] == 3
    stages = EndNotice.objects.order_by("pk").values_list("subject_kind", "days_before")
    assert list(stages) == [
        ("loan", 60), ("loan", 27), ("loan", 7), ("project", 60), ("project", 27), ("project", 7),
    ]  # fmt: skip
    call_command("audit_ledger")


def test_what_is_looked_at_late_is_told_once_of_the_stage_it_is_in(site: Site) -> None:
    Project.objects.filter(pk=site.project.pk).update(ends_on=NOW.date() + timedelta(5))
    assert warn_of_project_ends(NOW) == 1
    assert warn_of_project_ends(NOW) == 0
    assert EndNotice.objects.get().days_before == 7


def test_a_held_project_does_not_end_until_it_is_released(site: Site) -> None:
    Project.objects.filter(pk=site.project.pk).update(ends_on=NOW.date() + timedelta(5))
    hold(
        project=site.project, reason="An audit looks at it.", until_on=NOW.date() + timedelta(30),
        actor=site.otto, now=NOW,
    )  # fmt: skip
    days(site, 30)
    assert site.project.state == ProjectState.ACTIVE
    assert not EndNotice.objects.exists()
    days(site, 1, start=31)
    assert site.project.state == ProjectState.CLOSING


def test_a_project_waits_for_its_extension_to_be_decided(site: Site) -> None:
    for name in ("otto", "erin"):
        held = site.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    Project.objects.filter(pk=site.project.pk).update(ends_on=NOW.date() + timedelta(5))
    asked = ask_extension(
        project=site.project, until_on=date(2029, 1, 1), actor=site.alice, now=NOW
    )
    assert asked is not None
    days(site, 20)
    assert site.project.state == ProjectState.ACTIVE
    accept(change=asked, version=asked.version, actor=site.erin, now=NOW + 21 * DAY)
    days(site, 3, start=22)
    assert (site.project.state, site.project.ends_on) == ("active", date(2029, 1, 1))
    assert not Account.objects.filter(project=site.project, balance__lt=0).exists()
