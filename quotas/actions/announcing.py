"""Telling people of an announcement: begun once, then slice by slice, until everybody was told.

A slice is people with ids from one bound to the next. It is told in the transaction in which the
job's item is claimed, and a person has one notice of an event (a constraint), so that each is
told once, however often workers are killed and whoever goes on.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.errors import Conflict, Forbidden
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import User
from projects.outgoing.notices import tell_all_of
from projects.queries.viewers import Viewer
from projects.rules import may_operate
from projects.states import NoticeKind
from quotas.models import Announcement, Job, JobItem
from quotas.queries.announcements import Audience, recipients, told_count
from quotas.states import ANNOUNCEMENT_MOVES, AnnouncementState, ItemState, JobState

from .jobs import job_kind, start_job

KIND = "announce"
# A slice takes a fraction of a second, and a worker gives way between two.
SLICE = 500
SWEEP_BATCH = 20


def check_move(held: Announcement, verb: str) -> AnnouncementState:
    """The state that a verb leads to; raises Conflict where it leads nowhere."""
    to = ANNOUNCEMENT_MOVES.get((AnnouncementState(held.state), verb))
    if to is None:
        words = {"state": held.get_state_display()}
        raise Conflict(_("It is %(state)s: that cannot be done now.") % words, state=held.state)
    return to


def move(held: Announcement, verb: str, **values: Any) -> None:
    """Compare-and-set by the table of moves, of the row as the caller holds it; Conflict."""
    changed = {**values, "state": check_move(held, verb)}
    if not Announcement.objects.filter(pk=held.pk, state=held.state).update(**changed):
        raise Conflict(_("Somebody else changed it meanwhile."), state=held.state)
    for name, value in changed.items():
        setattr(held, name, value)


def begin(held: Announcement, sender: User, now: datetime) -> None:
    """Start to tell people, in the sender's name; the caller holds the announcement."""
    ids = sorted(recipients(Audience.of(held), now, sender.pk).values_list("pk", flat=True))
    event = record(
        "announced", actor=sender, now=now, subject_kind="announcement", subject_id=held.pk,
        people=len(ids),
    )  # fmt: skip
    job = None
    if ids:
        # The first slice begins at nobody, the last has no end: who comes meanwhile is in one.
        bounds = [0, *ids[SLICE::SLICE]]
        job = start_job(
            kind=KIND, subjects=range(1, len(bounds) + 1), arguments={"bounds": bounds},
            actor=sender, now=now,
        )  # fmt: skip
    move(held, "send", event=event, job=job, people_count=len(ids))
    if job is None:
        finish(held, now)


def finish(held: Announcement, now: datetime) -> None:
    """Nobody is left to be told; the caller holds the announcement."""
    move(held, "finish")
    record(
        "announcement sent", actor=None, now=now, subject_kind="announcement",
        subject_id=held.pk, told=told_count(held),
    )  # fmt: skip


def begin_due(now: datetime) -> int:
    """Begin with those whose moment has come; how many there were. For the sweep."""
    due = Announcement.objects.filter(state=AnnouncementState.SCHEDULED, starts_at__lte=now)
    count = 0
    for number in list(due.order_by("starts_at").values_list("pk", flat=True)[:SWEEP_BATCH]):
        with transaction.atomic():
            held = _if_free(number, AnnouncementState.SCHEDULED)
            # Somebody may have given it another moment since.
            if held is None or held.starts_at is None or held.starts_at > now:
                continue
            if held.sender is not None and may_operate(Viewer.of(held.sender, now)):
                begin(held, held.sender, now)
            else:
                _put_back(held, now)
            count += 1
    return count


def finish_over(now: datetime) -> int:
    """End those whose job is over without telling everybody, as refused slices end none."""
    over = Announcement.objects.filter(
        state=AnnouncementState.SENDING, job__state=JobState.ENDED
    ).order_by("pk")
    count = 0
    for number in list(over.values_list("pk", flat=True)[:SWEEP_BATCH]):
        with transaction.atomic():
            held = _if_free(number, AnnouncementState.SENDING)
            if held is not None:
                finish(held, now)
                count += 1
    return count


def _if_free(number: int, state: AnnouncementState) -> Announcement | None:
    """The announcement, locked, in that state; None: somebody else is at it, or was first."""
    rows = Announcement.objects.filter(pk=number, state=state)
    return rows.select_for_update(no_key=True, skip_locked=True).first()


def _put_back(held: Announcement, now: datetime) -> None:
    """A draft again: whoever scheduled it may not send it any more."""
    move(held, "put back", starts_at=None, sender=None, version=held.version + 1)
    record(
        "announcement put back", actor=None, now=now, subject_kind="announcement",
        subject_id=held.pk,
    )  # fmt: skip


@job_kind(KIND, subject="recipients", title=gettext_lazy("Announce"))
def _tell_slice(item: JobItem, job: Job, now: datetime) -> None:
    """Tell the people between two bounds, as they are now. The item's number is the slice's."""
    held = lock(Announcement.objects.filter(job=job))[0]
    if held.state != AnnouncementState.SENDING or held.event is None:
        raise Conflict(_("It was withdrawn."))
    if not may_operate(Viewer.of(job.actor, now)):
        raise Forbidden(_("Whoever sent it does not operate the cloud any more."))
    bounds = [*job.arguments["bounds"], None]
    low, high = bounds[item.subject_id - 1], bounds[item.subject_id]
    people = recipients(Audience.of(held), now, job.actor.pk, low=low, high=high)
    tell_all_of(held.event, people.values("pk"), NoticeKind.ANNOUNCED)
    if not JobItem.objects.filter(job=job, state=ItemState.WAITING).exists():
        finish(held, now)
