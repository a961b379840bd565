"""The tasks of the calendar: each of its acts is run, in slices, and nobody holds up the others."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from django.utils import timezone

from portal.lib.errors import Conflict
from projects.models import Notice, Project, ProjectChange, ProjectHold
from projects.states import ChangeState, ProjectState
from quotas import tasks
from quotas.actions import emptying
from quotas.actions.one_by_one import one_of_many
from quotas.actions.project_changes import offer
from quotas.actions.project_holds import hold
from quotas.models import Loan

from .site import NOW, Site, make_project, make_site
from .test_lives import give, in_use

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def site() -> Site:
    return make_site()


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the clock of the tasks, which are the only ones that ask for one."""
    return lambda now: monkeypatch.setattr(timezone, "now", lambda: now)


def ends_on(slug: str, day: date) -> None:
    Project.objects.filter(slug=slug).update(ends_on=day)


def state_of(slug: str) -> str:
    return Project.objects.get(slug=slug).state


def test_the_calendar_releases_lapses_tells_and_ends(
    site: Site, at: Callable[[datetime], None]
) -> None:
    make_project(site, "atlas-old", "atlas", NOW)
    ends_on("atlas-old", (NOW + 3 * DAY).date())
    ends_on("atlas-reco", (NOW + 30 * DAY).date())
    old = Project.objects.get(slug="atlas-old")
    hold(project=old, reason="Audit", until_on=(NOW + 9 * DAY).date(), actor=site.otto, now=NOW)
    asked = offer(project=site.project, user=site.mallory, actor=site.alice, now=NOW)
    at(NOW + 5 * DAY)
    tasks.sweep_calendar()
    assert state_of("atlas-old") == ProjectState.ACTIVE
    assert Notice.objects.filter(person=site.alice, kind="ends soon").count() == 1
    at(NOW + 15 * DAY)
    tasks.sweep_calendar()
    assert ProjectHold.objects.get().released_at == NOW + 15 * DAY
    assert state_of("atlas-old") == ProjectState.CLOSING
    assert ProjectChange.objects.get(pk=asked.pk).state == ChangeState.LAPSED


def test_what_became_free_goes_back_by_the_task(site: Site, at: Callable[[datetime], None]) -> None:
    before = site.envelope(site.vcpu)
    give(site, site.vcpu, 12, until=date(2026, 12, 1))
    in_use(site, "cores", 0)
    at(datetime(2026, 12, 2, 1, tzinfo=NOW.tzinfo))
    tasks.sweep_emptying()
    assert Loan.objects.get().outstanding == 0
    assert site.envelope(site.vcpu) == before


def test_a_slice_goes_on_behind_the_last_project(
    site: Site, at: Callable[[datetime], None], monkeypatch: pytest.MonkeyPatch, broker: object
) -> None:
    for number in range(3):
        make_project(site, f"old-{number}", "atlas", NOW)
    Project.objects.filter(slug__startswith="old-").update(
        state=ProjectState.CLOSING, closes_on=NOW.date()
    )
    monkeypatch.setattr(emptying, "BATCH", 1)
    monkeypatch.setattr(tasks, "EMPTYING_SLICE_SECONDS", 0.0)
    at(NOW + DAY)
    first = Project.objects.get(slug="old-0").pk
    tasks.sweep_emptying()
    assert [state_of(f"old-{each}") for each in range(3)] == ["closed", "closing", "closing"]
    tasks.sweep_emptying(step=0, after=first)
    assert state_of("old-1") == ProjectState.CLOSED


def test_who_cannot_be_served_now_holds_up_nobody_else(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse() -> None:
        raise Conflict("Not now.")

    with one_of_many("project", site.project.pk):
        ends_on("atlas-reco", NOW.date())
        refuse()
    assert site.project.ends_on is None
    assert caplog.messages == [
        f"project {site.project.pk} is left for the next sweep: Not now."
    ]  # fmt: skip
