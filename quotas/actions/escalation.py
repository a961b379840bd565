"""What time does to a line that waits: its deciders are reminded, then it goes one level up.

Whom it waited for, it goes on waiting for: levels are added, none is removed. Both are found by
moments stored with the line, so that a sweep that comes late only comes late.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from portal.lib.working_days import Calendar
from projects.actions.events import record
from projects.actions.units import hold_places
from projects.models import Event, Project
from projects.outgoing.notices import tell
from projects.queries.patience import Patience, patience_of, remind_at, site_calendar
from projects.states import NoticeKind
from quotas.models import QuotaRequest, RequestLine
from quotas.queries.deciders import Deciders, deciders_of
from quotas.states import LineState

from .assigning import assign

BATCH = 100


def escalate_due(now: datetime, most: int = BATCH) -> int:
    """Hand lines that have waited long enough one level up; how many there were.

    At the top there is nobody to add: that is recorded once, and the line waits on.
    """
    with transaction.atomic():
        lines = _take(RequestLine.objects.filter(escalate_at__lte=now), most)
        deciders = deciders_of(lines, now)
        calendar = site_calendar() if lines else None
        patience = patience_of({line.project.unit.path for line in lines})
        raised: dict[int, list[RequestLine]] = defaultdict(list)
        stayed: dict[int, list[RequestLine]] = defaultdict(list)
        for line in lines:
            goes_up = line.level + 1 < len(deciders[line.pk].levels)
            if _raise(line, goes_up, patience[line.project.unit.path], calendar, now):
                (raised if goes_up else stayed)[line.request_id].append(line)
        for of_request in raised.values():
            event = _record("escalated", of_request, now)
            tell(event, _added(of_request, deciders), NoticeKind.ESCALATED)
        for of_request in stayed.values():
            _record("waits at the top", of_request, now)
        assign([of_request[0].request for of_request in raised.values()], now)
    return len(lines)


def remind_due(now: datetime, most: int = BATCH) -> int:
    """Remind those for whom lines have waited a while; how many lines there were."""
    with transaction.atomic():
        lines = _take(RequestLine.objects.filter(remind_at__lte=now), most)
        deciders = deciders_of(lines, now)
        reminded: dict[int, list[RequestLine]] = defaultdict(list)
        for line in lines:
            if _still(line, remind_at=line.remind_at).update(remind_at=None):
                reminded[line.request_id].append(line)
        for of_request in reminded.values():
            event = _record("reminded", of_request, now)
            people: set[int] = set()
            for line in of_request:
                turns = deciders[line.pk].turns(line.level)
                people |= deciders[line.pk].people_of(turns)
            tell(event, people, NoticeKind.REMINDED)
    return len(lines)


def _take(due: QuerySet[RequestLine], most: int) -> list[RequestLine]:
    """Lines that are due, under the locks of a verb: projects that nobody holds, their places."""
    due = due.filter(state=LineState.OPEN)
    ids = list(due.order_by("pk").values_list("pk", flat=True)[:most])
    wanted = Project.objects.filter(pk__in=due.filter(pk__in=ids).values("project"))
    locked = wanted.order_by("pk").select_for_update(no_key=True, skip_locked=True, of=("self",))
    projects = {each.pk: each for each in locked}
    hold_places(projects.values())
    lines = list(due.filter(pk__in=ids, project__in=projects).select_related("offering", "request"))
    requests: dict[int, QuotaRequest] = {}
    for line in lines:
        line.request = requests.setdefault(line.request_id, line.request)
        line.project = line.request.project = projects[line.project_id]
    return lines


def _raise(
    line: RequestLine, goes_up: bool, patience: Patience, calendar: Calendar | None, now: datetime
) -> bool:
    """One level up, with a new clock; or, at the top, no clock. False: somebody was first."""
    if calendar is None:  # pragma: no cover - there is one where there are lines
        raise AssertionError("no calendar")
    same = _still(line, escalate_at=line.escalate_at, level=line.level)
    if not goes_up:
        return bool(same.update(escalate_at=None))
    line.level += 1
    return bool(
        same.update(
            level=line.level,
            remind_at=remind_at(patience, calendar, now),
            escalate_at=calendar.after(now, patience.escalate_after),
        )
    )


def _still(line: RequestLine, **as_seen: object) -> QuerySet[RequestLine]:
    return RequestLine.objects.filter(pk=line.pk, state=LineState.OPEN, **as_seen)


def _added(lines: Iterable[RequestLine], deciders: dict[int, Deciders]) -> set[int]:
    """The people of the level that was added to each line."""
    people: set[int] = set()
    for line in lines:
        turns = deciders[line.pk].turns(line.level)
        people |= deciders[line.pk].people_of(each for each in turns if each.level == line.level)
    return people


def _record(verb: str, lines: Sequence[RequestLine], now: datetime) -> Event:
    request = lines[0].request
    return record(
        verb, actor=None, now=now, project=request.project, subject_kind="request",
        subject_id=request.pk, lines=[line.pk for line in lines],
    )  # fmt: skip
