"""What the calendar does with quota: a closing project gives all back, a loan returns as it ends.

Only what usage leaves free goes back; the rest stays, is shown, and goes back as use falls, at
each later run. The enforced limit is the balance, always.
"""

from collections import defaultdict
from collections.abc import Callable
from datetime import date, datetime

from django.db.models import QuerySet
from django.utils import timezone

from portal.lib.locks import lock
from projects.actions.events import record
from projects.actions.project_acts import act, move_project
from projects.actions.units import hold_place
from projects.models import Project
from projects.states import ProjectActKind, ProjectState
from quotas.models import Account, Loan
from quotas.queries.leftovers import leftovers_of

from .holdings import give_back, lock_holdings
from .lives import tell_people, wake_identities
from .one_by_one import one_of_many

BATCH = 50


def end_countdowns(now: datetime, after: int = 0) -> int:
    """Begin to empty closing projects whose countdown is over; see `_each`."""
    over = Project.objects.filter(state=ProjectState.CLOSING, closes_on__lt=_today(now))
    return _each(over.values_list("pk", flat=True), after, _end_countdown, now)


def empty_closing(now: datetime, after: int = 0) -> int:
    """Take back what became free in projects that are being emptied; see `_each`."""
    rows = Project.objects.filter(state=ProjectState.CLOSING, closes_on__isnull=True)
    return _each(rows.values_list("pk", flat=True), after, _empty, now)


def end_loans(now: datetime, after: int = 0) -> int:
    """Take back what loans that are over leave free; see `_each`."""
    due = Loan.objects.filter(outstanding__gt=0, ends_at__lte=now)
    projects = Project.objects.filter(pk__in=due.values("account__project"))
    return _each(projects.values_list("pk", flat=True), after, _end_loans, now)


def _each(
    ids: "QuerySet[Project, int]",
    after: int,
    do: Callable[[Project, datetime], None],
    now: datetime,
) -> int:
    """Do it with the next projects by id, a transaction each; the last one's id, 0 at the end."""
    batch = list(ids.filter(pk__gt=after).order_by("pk")[:BATCH])
    for pk in batch:
        with one_of_many("project", pk):
            project = lock(Project.objects.filter(pk=pk).select_related("unit"))[0]
            hold_place(project)
            do(project, now)
    return batch[-1] if len(batch) == BATCH else 0


def _end_countdown(project: Project, now: datetime) -> None:
    """From here on nobody works in it in the clouds."""
    if project.closes_on is None or project.closes_on >= _today(now):
        return  # kept, or another worker was first
    Project.objects.filter(pk=project.pk).update(closes_on=None)
    project.closes_on = None
    wake_identities(project)
    _empty(project, now)


def _empty(project: Project, now: datetime) -> None:
    """Give back what is free; with nothing left it is closed."""
    if project.state != ProjectState.CLOSING or project.closes_on is not None:
        return
    holdings = lock_holdings(project)
    left = leftovers_of(project.pk, holdings.accounts)
    amounts = {each.pk: left.take(each, each.balance) for each in holdings.accounts}
    if any(amounts.values()):
        given = {each.offering.slug: amounts[each.pk] for each in holdings.accounts}
        done = act(
            project, ProjectActKind.GIVE_BACK, actor=None, now=now,
            data={"amounts": {slug: amount for slug, amount in given.items() if amount}},
        )  # fmt: skip
        give_back(holdings, amounts, done)
        record(
            "project gave back", actor=None, now=now, project=project,
            subject_kind="project", subject_id=project.pk, act=done.pk,
        )  # fmt: skip
    if not Account.objects.filter(project=project, balance__gt=0).exists():
        move_project(project, "finish")
        act(project, ProjectActKind.FINISH, actor=None, now=now)
        tell_people("project closed", project, None, now)


def _end_loans(project: Project, now: datetime) -> None:
    """Return `min(outstanding, what usage leaves free)` of each loan that is over."""
    due = Loan.objects.filter(account__project=project, outstanding__gt=0, ends_at__lte=now)
    owed: dict[int, int] = defaultdict(int)
    for account_id, outstanding in due.values_list("account", "outstanding"):
        owed[account_id] += outstanding
    holdings = lock_holdings(project, only=owed)
    left = leftovers_of(project.pk, holdings.accounts)
    # The earliest end is paid first, so what is over is paid before what is not.
    amounts = {each.pk: left.take(each, owed[each.pk]) for each in holdings.accounts}
    returned = {each.offering.slug: amounts[each.pk] for each in holdings.accounts}
    if not any(returned.values()):
        return
    done = act(
        project, ProjectActKind.LOAN_END, actor=None, now=now,
        data={"amounts": {slug: amount for slug, amount in returned.items() if amount}},
    )  # fmt: skip
    give_back(holdings, amounts, done)
    record(
        "loan returned", actor=None, now=now, project=project,
        subject_kind="project", subject_id=project.pk, act=done.pk,
    )  # fmt: skip


def _today(now: datetime) -> date:
    return timezone.localdate(now, timezone.get_default_timezone())
