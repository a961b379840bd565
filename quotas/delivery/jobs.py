"""Running a job: item by item, each exactly once, whoever dies in between.

An item is claimed by compare-and-set in the same transaction as what is done to it, so a
worker that is killed leaves it as it was. The job is held for a while that is renewed with
each item; after that another worker goes on with the items that wait.
"""

import logging
import time
import uuid
from collections.abc import Iterator, Sequence

from django.db import OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

import quotas.actions.announcing
import quotas.actions.bulk
import quotas.actions.drift
import quotas.actions.problems  # noqa: F401 - these register their kinds of work
from portal.lib.errors import DomainError
from portal.lib.locks import refusal_of
from projects.queries.tokens import token_of_work
from quotas.actions.authority import UsedUp
from quotas.actions.handing_up import handed_up
from quotas.actions.jobs import KINDS
from quotas.models import Job, JobItem
from quotas.states import ItemState, JobState

from .leases import in_seconds

logger = logging.getLogger(__name__)

# Longer than any one item takes.
HOLD_SECONDS = 60
# A worker gives the job back after so long: the sweeps of its queue must have their turn.
SLICE_SECONDS = 5.0
# So many items are read at once, and so many are done by one transaction where they can be: others
# wait for all that it holds.
AHEAD = 30
AT_ONCE = 5


class Lost(Exception):
    """Another worker holds the job now."""


def unended() -> QuerySet[Job]:
    """Jobs that nobody works on, the oldest first."""
    return Job.objects.filter(_free()).exclude(state=JobState.ENDED).order_by("created_at", "pk")


def run(job_id: int, *, seconds: float = SLICE_SECONDS) -> bool:
    """Work on a job for a while; True where more of it is left to do."""
    token = uuid.uuid4()
    if not _take(job_id, token):
        return False
    job = Job.objects.select_related("actor").get(pk=job_id)
    until = time.monotonic() + seconds
    try:
        while items := _next(job):
            for item in _left_of(items, job, token):
                if item is not None:
                    _do(item, job, token)
                if time.monotonic() >= until:
                    return _give_back(job, token)
    except Lost:
        return False
    _end(job, token)
    return False


def _free() -> Q:
    return Q(held_until__isnull=True) | Q(held_until__lte=Now())


def _take(job_id: int, token: uuid.UUID) -> bool:
    mine = {"holder": token, "held_until": in_seconds(HOLD_SECONDS)}
    free = Job.objects.filter(_free(), pk=job_id)
    begun = free.filter(state=JobState.QUEUED).update(
        state=JobState.RUNNING, started_at=Now(), **mine
    )
    return bool(begun or free.filter(state=JobState.RUNNING).update(**mine))


def _give_back(job: Job, token: uuid.UUID) -> bool:
    """Free for the next worker; whether any item still waits is for that one to find out."""
    return bool(
        Job.objects.filter(pk=job.pk, holder=token, state=JobState.RUNNING).update(
            holder=None, held_until=None
        )
    )


def _end(job: Job, token: uuid.UUID) -> None:
    waiting = JobItem.objects.filter(job=OuterRef("pk"), state=ItemState.WAITING)
    Job.objects.filter(~Exists(waiting), pk=job.pk, holder=token, state=JobState.RUNNING).update(
        state=JobState.ENDED, ended_at=Now(), holder=None, held_until=None
    )


def _next(job: Job) -> list[JobItem]:
    """What is done next; who does one of them asks again whether it still waits."""
    return list(JobItem.objects.filter(job=job, state=ItemState.WAITING).order_by("pk")[:AHEAD])


def _left_of(items: list[JobItem], job: Job, token: uuid.UUID) -> Iterator[JobItem | None]:
    """Do what can be done together, some at a time; those that are to be done alone.

    None after each step: a moment to stop at.
    """
    for some in (items[at : at + AT_ONCE] for at in range(0, len(items), AT_ONCE)):
        yield from _do_many(some, job, token)
        yield None


def _do_many(items: Sequence[JobItem], job: Job, token: uuid.UUID) -> Sequence[JobItem]:
    """Claim the items and do them by one transaction; those that it leaves. Raises Lost.

    Whatever goes wrong with it undoes it, and is found again, and told, with the item alone.
    """
    kind = KINDS.get(job.kind)
    if kind is None or kind.act_on_many is None or len(items) < 2:
        return items
    try:
        with transaction.atomic():
            claimed = _claim(items, token)
            own = [each for each in items if each.pk in claimed]
            done = set() if _why_not(job) else set(kind.act_on_many(own, job, timezone.now()))
            left = [each for each in own if each.subject_id not in done]
            if left:
                waiting = JobItem.objects.filter(pk__in=[each.pk for each in left])
                waiting.update(state=ItemState.WAITING, ended_at=None)
            return left
    except Lost:
        raise
    except DomainError:
        return items
    except OperationalError as error:
        if refusal_of(error) is None:
            raise
        return items
    except Exception:
        logger.exception("items failed together", extra={"job": job.pk})
        return items


def _do(item: JobItem, job: Job, token: uuid.UUID) -> None:
    """Claim the item and do it, both or neither. Raises Lost."""
    with transaction.atomic():
        if not _claim([item], token):
            return
        if words := _act(item, job):
            own = JobItem.objects.filter(pk=item.pk)
            own.update(state=ItemState.REFUSED, words=words[:1000])


# The job's row is held until the items are done: who comes late waits, and then is late. It is held
# before they are, which are looked for among those of a job that is held.
CLAIM = """
WITH held AS (
    UPDATE quotas_job SET held_until = statement_timestamp() + %(hold)s * interval '1 second'
    WHERE id = %(job)s AND holder = %(token)s AND state = %(running)s
    RETURNING id
), claimed AS (
    UPDATE quotas_jobitem SET state = %(done)s, ended_at = statement_timestamp()
    FROM held
    WHERE quotas_jobitem.job_id = held.id AND quotas_jobitem.id = ANY(%(items)s)
      AND quotas_jobitem.state = %(waiting)s
    RETURNING quotas_jobitem.id
)
SELECT EXISTS (SELECT FROM held), ARRAY(SELECT id FROM claimed)
"""


def _claim(items: Sequence[JobItem], token: uuid.UUID) -> set[int]:
    """Renew the hold of the job, and mark those of the items as done that wait; one query.

    Their ids. Raises Lost.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM,
            {
                "job": items[0].job_id, "items": [each.pk for each in items], "token": token,
                "hold": HOLD_SECONDS, "running": str(JobState.RUNNING),
                "waiting": str(ItemState.WAITING), "done": str(ItemState.DONE),
            },
        )  # fmt: skip
        is_held, claimed = cursor.fetchone()
    if not is_held:
        raise Lost
    return set(claimed)


def _why_not(job: Job) -> str:
    """Why nothing more is done of a job, by whoever asked for it; empty where it goes on."""
    # As they are now: powers are taken from people while their work goes on.
    job.actor.refresh_from_db()
    if not job.actor.is_active:
        return _("Whoever asked for this may no longer sign in.")
    if job.token_id is not None:
        token = token_of_work(job.token_id, timezone.now())
        if token is None or token.person != job.actor:
            return _("The token that asked for this is not in force any more.")
        job.actor.token = token
    return ""


def _act(item: JobItem, job: Job) -> str:
    """Do it; the words that say why not, empty where it was done. A refusal undoes its part."""
    kind = KINDS.get(job.kind)
    if kind is None:
        return _("This release of Remit knows no such work.")
    if words := _why_not(job):
        return words
    try:
        with transaction.atomic():
            kind.act(item, job, timezone.now())
    except UsedUp as refusal:
        # Only now that the item is undone: it goes to whoever may still grant it.
        return handed_up(refusal, timezone.now()).sentence
    except DomainError as refusal:
        return refusal.sentence or refusal.code
    except OperationalError as error:
        busy = refusal_of(error)
        if busy is None:
            raise
        return busy.sentence
    except Exception:
        # A mistake of ours in one item must not keep the others from being done.
        logger.exception("item failed", extra={"job": job.pk, "item": item.pk})
        return _("This failed by a mistake of Remit's own; its operators see it in the log.")
    return ""
