"""What comes with the days: people are told before a project or a loan ends, then it ends.

Each notice once, however often a sweep runs and whatever is killed meanwhile. Nothing ends, and
nobody is told, while an operator holds the project or somebody is asked to extend it.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from portal.lib.locks import lock
from projects.actions.events import record
from projects.actions.units import hold_place
from projects.models import (
    EndNotice,
    GroupMembership,
    Membership,
    Project,
    ProjectChange,
    ProjectHold,
)
from projects.outgoing.notices import tell_all_of
from projects.states import (
    ROLES_THAT_ASK,
    ChangeKind,
    ChangeState,
    EndingKind,
    NoticeKind,
    ProjectState,
)
from quotas.models import Loan

from .lives import begin_closing
from .one_by_one import one_of_many

BATCH = 100
ENDING = (ProjectState.ACTIVE, ProjectState.SUSPENDED)


def paused(project: str = "pk") -> Q:
    """The condition on rows that a project (by this column) is held, or waits to be extended."""
    holds = ProjectHold.objects.filter(project=OuterRef(project), released_at__isnull=True)
    asked = ProjectChange.objects.filter(
        project=OuterRef(project), kind=ChangeKind.EXTEND, state=ChangeState.OPEN
    )
    return Q(Exists(holds)) | Q(Exists(asked))


def end_projects(now: datetime, most: int = BATCH) -> int:
    """Begin to close projects whose last day is over; how many."""
    today = site_day(now)
    over = Project.objects.filter(state__in=ENDING, ends_on__lt=today).exclude(paused())
    ids = list(over.order_by("ends_on", "pk").values_list("pk", flat=True)[:most])
    for pk in ids:
        with one_of_many("project", pk):
            rows = lock(Project.objects.filter(pk=pk).select_related("unit"))
            # Extended, held or closed while we waited.
            if over.filter(pk=pk).exists():
                hold_place(rows[0])
                begin_closing(rows[0], today, reason="", desk=None, now=now)
    return len(ids)


def warn_of_project_ends(now: datetime, most: int = BATCH) -> int:
    """Tell owners and managers that their project ends; how many projects."""
    today = site_day(now)
    told = 0
    for days, after, until in _stages(today):
        rows = Project.objects.filter(
            state__in=ENDING, ends_on__gt=after, ends_on__lte=until
        ).exclude(paused())
        said = EndNotice.objects.filter(
            subject_kind=EndingKind.PROJECT, subject_id=OuterRef("pk"),
            ends_on=OuterRef("ends_on"), days_before=days,
        )  # fmt: skip
        open_ones = rows.exclude(Exists(said)).select_related("unit")
        for each in open_ones.order_by("ends_on", "pk")[:most]:
            if each.ends_on is not None:
                told += _tell(EndingKind.PROJECT, each.pk, each, each.ends_on, days, now)
    return told


def warn_of_loan_ends(now: datetime, most: int = BATCH) -> int:
    """Tell owners and managers that quota that was lent goes back; how many loans."""
    told = 0
    for days, after, until in _stages(site_day(now)):
        rows = Loan.objects.filter(
            outstanding__gt=0, ends_at__gt=end_of(after), ends_at__lte=end_of(until),
            account__project__state__in=ENDING,
        )  # fmt: skip
        said = EndNotice.objects.filter(
            subject_kind=EndingKind.LOAN, subject_id=OuterRef("pk"), days_before=days
        )
        open_ones = rows.exclude(Exists(said)).select_related("account__project__unit")
        for each in open_ones.order_by("ends_at", "pk")[:most]:
            project = each.account.project
            if project is not None:
                ends_on = site_day(each.ends_at - timedelta(seconds=1))
                told += _tell(EndingKind.LOAN, each.pk, project, ends_on, days, now)
    return told


def site_day(now: datetime) -> date:
    """The site's day, whatever zone the reader has."""
    return timezone.localdate(now, timezone.get_default_timezone())


def managers_of(project: Project, now: datetime) -> QuerySet[Any]:
    """Ids of who owns or manages it, directly or through a group; a query of one column."""
    held = Membership.objects.live(now).filter(project=project, role__in=ROLES_THAT_ASK)
    through = GroupMembership.objects.live(now).filter(group__in=held.values("group"))
    return held.filter(user__isnull=False).values("user").union(through.values("user"))


def _stages(today: date) -> Iterator[tuple[int, date, date]]:
    """(days before, after which day, until which day) an end lies, the nearest first.

    What is first looked at late is told once, of the stage that it is in.
    """
    after = today - timedelta(days=1)
    for days in _sorted(settings.END_NOTICE_DAYS):
        until = today + timedelta(days=days)
        yield days, after, until
        after = until


def _sorted(days: Iterable[int]) -> list[int]:
    return sorted(set(days))


def end_of(day: date) -> datetime:
    """The first moment after a day, site time, which is when a loan until that day ends."""
    following = datetime.combine(day + timedelta(days=1), time.min)
    return timezone.make_aware(following, timezone.get_default_timezone())


def _tell(
    kind: EndingKind, subject_id: int, project: Project, ends_on: date, days: int, now: datetime
) -> int:
    """Tell of it unless somebody did at the same moment; 1 or 0."""
    try:
        with transaction.atomic():
            EndNotice.objects.create(
                subject_kind=kind, subject_id=subject_id, ends_on=ends_on, days_before=days, at=now
            )
            event = record(
                "loan ends soon" if kind == EndingKind.LOAN else "project ends soon",
                actor=None, now=now, project=project, unit=project.unit,
                subject_kind="project", subject_id=project.pk,
                ends_on=ends_on.isoformat(), days_before=days,
            )  # fmt: skip
            tell_all_of(event, managers_of(project, now), NoticeKind.ENDS_SOON)
    except IntegrityError:
        return 0
    return 1
