"""What time does to a line that waits: reminders, levels added, and who is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

from projects.models import Event, Holiday, Notice, Unit
from projects.queries.viewers import Viewer
from quotas.actions import requests
from quotas.actions.escalation import escalate_due, remind_due
from quotas.models import Assignment, QuotaRequest, RequestLine
from quotas.queries.requests import queue
from quotas.tests.site import NOW, Site
from quotas.tests.test_decide import ask

# NOW is a Friday, 12:00: two working days later it is Tuesday, five later the Friday after.
TUESDAY = datetime(2026, 11, 24, 12, tzinfo=UTC)
FRIDAY = datetime(2026, 11, 27, 12, tzinfo=UTC)


def line_of(asked: QuotaRequest) -> RequestLine:
    return asked.lines.get()


def queues(site: Site, now: datetime = FRIDAY) -> set[str]:
    return {
        name for name, user in site.people.items() if queue(Viewer.of(user, now)).exists()
    }  # fmt: skip


def told(kind: str) -> set[str]:
    return set(Notice.objects.filter(kind=kind).values_list("person__subject", flat=True))


def test_a_line_that_is_sent_knows_when_it_is_reminded_of_and_when_it_goes_up(site: Site) -> None:
    Holiday.objects.create(on=datetime(2026, 11, 25, tzinfo=UTC).date(), name="a holiday")
    line = line_of(ask(site))
    assert (line.waits_since, line.remind_at, line.escalate_at) == (
        NOW, TUESDAY, FRIDAY + timedelta(days=3),
    )  # fmt: skip


def test_the_nearest_unit_that_says_so_sets_the_days(site: Site) -> None:
    Unit.objects.filter(slug="org").update(remind_after_days=0, escalate_after_days=1)
    Unit.objects.filter(slug="ep").update(escalate_after_days=2)
    line = line_of(ask(site))
    assert (line.remind_at, line.escalate_at) == (None, TUESDAY)


def test_deciders_are_reminded_once(site: Site) -> None:
    ask(site)
    assert remind_due(TUESDAY - timedelta(seconds=1)) == 0
    assert (remind_due(TUESDAY), remind_due(TUESDAY)) == (1, 0)
    assert told("reminded") == {"dana"}


def test_what_waited_too_long_goes_up_and_leaves_nobodys_queue(site: Site) -> None:
    asked = ask(site)
    assert escalate_due(FRIDAY - timedelta(seconds=1)) == 0
    assert escalate_due(FRIDAY) == 1
    assert (queues(site), told("escalated")) == ({"dana", "erin"}, {"erin"})
    line = line_of(asked)
    assert (line.level, line.remind_at, line.escalate_at) == (
        1, FRIDAY + timedelta(days=4), FRIDAY + timedelta(days=7),
    )  # fmt: skip


def test_at_the_top_it_is_said_once_and_waits_on(site: Site) -> None:
    asked = ask(site)
    at = FRIDAY
    for _level in range(5):
        escalate_due(at)
        at += timedelta(days=30)
    assert queues(site, at) == {"dana", "erin", "otto"}
    verbs = list(
        Event.objects.filter(subject_id=asked.pk).order_by("pk").values_list("verb", flat=True)
    )
    assert (verbs.count("escalated"), verbs.count("waits at the top")) == (2, 1)
    assert line_of(asked).escalate_at is None


def test_what_is_decided_or_returned_waits_no_more(site: Site) -> None:
    asked = ask(site)
    requests.withdraw(quota_request=asked, actor=site.alice, now=NOW)
    line = line_of(asked)
    assert (line.waits_since, line.remind_at, line.escalate_at) == (None, None, None)
    assert escalate_due(FRIDAY) == 0


def test_an_amended_line_has_waited_as_long_as_before(site: Site) -> None:
    asked = ask(site)
    requests.amend(
        quota_request=asked, wanted={line_of(asked).pk: 90}, reason="Fewer will do.",
        version=asked.version, actor=site.alice, now=NOW + timedelta(days=3),
    )  # fmt: skip
    assert line_of(asked).waits_since == NOW


def test_assignments_know_their_level(site: Site) -> None:
    asked = ask(site)
    escalate_due(FRIDAY)
    found: Any = Assignment.objects.filter(line__request=asked).order_by("level")
    assert list(found.values_list("delegation__user__subject", "kind", "level")) == [
        ("dana", "decide", 0), ("erin", "decide", 1),
    ]  # fmt: skip
