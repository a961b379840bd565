"""Who may work on a target, and until when, by the database's clock.

OpenStack has no conditional write, so a token cannot fence the cloud. What can be done:
nothing is sent once too little of the lease is left, and whoever finds a lease taken over
or finishes late leaves the target dirty, to be read again one lease later; until then it
is not called applied.
"""

import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import (
    Case,
    Count,
    F,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
    Window,
)
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Coalesce, Now, RowNumber

from portal.lib.compiled import Slot
from portal.lib.locks import lock_ids
from portal.lib.prepared import Prepared
from quotas.models import Contribution, Delivery, Endpoint, Target
from quotas.states import TAKEABLE, EndpointState, TargetState

from .lease_rows import finished, lease_statement, leased
from .permits import PATIENCE_SECONDS, Left

# What is kept back from a lease for the last writes to our own database.
MARGIN_SECONDS = 1.0
# What an endpoint that is only asked may be; so is the identity endpoint behind another.
READABLE = (EndpointState.OPEN, EndpointState.READ_ONLY)


class LeaseOver(Exception):
    """Too little of the lease is left to begin another call."""


class LeaseLost(Exception):
    """Somebody else took the target over: what we did is for them to read."""


@dataclass
class Lease:
    """The right to work on one target. `ends` is on this process's own monotonic clock.

    `found`: the state that the target was taken in. `has_written`: a call that changes
    something was begun under it.
    """

    target: Target
    token: uuid.UUID
    ends: float
    found: str = TargetState.DUE
    has_written: bool = False

    @property
    def generation(self) -> int:
        """The generation that the ledger had when the lease was taken, or an older one."""
        return self.target.generation

    def timeout(self) -> float:
        """Seconds for the next call: never longer than what is left. Raises LeaseOver.

        Nor begun with next to nothing left: it would time out by our own doing, and that
        would be held against the endpoint.
        """
        left = self.ends - time.monotonic() - MARGIN_SECONDS
        if left < min(settings.CALL_TIMEOUT_SECONDS, settings.LEASE_SECONDS / 10):
            raise LeaseOver
        return min(settings.CALL_TIMEOUT_SECONDS, left)

    def write_timeout(self, known: Left | None = None) -> float:
        """`timeout` for a call that changes something. Raises LeaseOver, and LeaseLost.

        Asks the database first whose the lease is: this process, or its machine, may have
        been asleep since, and the clock of one that sleeps may stand still. known: what it has
        just said.
        """
        left = known or Left.of(self.target.pk, self.token)
        if left.seconds is None:
            raise LeaseLost
        self.ends = min(self.ends, left.asked + left.seconds)
        timeout = self.timeout()
        self.has_written = True
        return timeout


def in_seconds(seconds: float) -> CombinedExpression:
    """A moment from now on the database's clock."""
    return Now() + Value(timedelta(seconds=seconds))


def due() -> QuerySet[Target]:
    """Targets whose time has come, at endpoints that take work."""
    # One that waits for its project calls nobody: as a probe it would be wasted.
    idle = Q(state=TargetState.WAITING, endpoint__state=EndpointState.UNREACHABLE)
    return Target.objects.filter(
        ~idle, callable_now(EndpointState.OPEN), state__in=TAKEABLE, next_try_at__lte=Now()
    )


def next_due(endpoint_id: int) -> int | None:
    """The id of the target that waits longest at an endpoint; None where none is due."""
    waiting = due().filter(endpoint=endpoint_id).order_by("next_try_at")
    return waiting.values_list("pk", flat=True).first()


def due_in_turn(most: int) -> list[int]:
    """Ids of due targets: of each endpoint as many as it can have in work, those first that
    wait longest; endpoints take turns, so that none of them takes the place of the others."""
    place = Window(RowNumber(), partition_by="endpoint", order_by=["next_try_at", "pk"])
    ranked = due().annotate(place=place).filter(place__lte=_concurrency())
    return list(ranked.order_by("place", "next_try_at").values_list("pk", flat=True)[:most])


def _concurrency() -> Coalesce:
    return Coalesce("endpoint__concurrency", Value(settings.ENDPOINT_CONCURRENCY))


def callable_now(*states: EndpointState) -> Q:
    """Targets whose endpoint is in one of these states, or silent and due for its next probe."""
    identity = _usable("endpoint__identity__", *READABLE)
    return _usable("endpoint__", *states) & (Q(endpoint__identity__isnull=True) | identity)


def _usable(prefix: str, *states: EndpointState) -> Q:
    may_answer = Q(**{f"{prefix}state__in": states}) | Q(
        **{f"{prefix}state": EndpointState.UNREACHABLE, f"{prefix}next_probe_at__lte": Now()}
    )
    # One that asked for patience is left in peace: see permits.hold_back.
    pace = f"{prefix}call_pace__"
    return may_answer & (
        Q(**{f"{pace}isnull": True}) | Q(**{f"{pace}next_at__lte": in_seconds(PATIENCE_SECONDS)})
    )


def take(target_id: int) -> Lease | None:
    """The lease of a due target, or None: not due, held by another, or no room or endpoint for
    it now."""
    return _take(_itself, target_id)


def take_beside(target_id: int) -> Lease | None:
    """The lease of the target that waits longest at the same endpoint as this one."""
    return _take(_beside, target_id)


def take_elsewhere(target_id: int) -> Lease | None:
    """The lease of the target that waits longest where nobody is at work, at another endpoint."""
    return _take(_elsewhere, target_id)


def _itself(target: Slot) -> QuerySet[Target]:
    return due().filter(pk=target)


def _beside(target: Slot) -> QuerySet[Target]:
    # By nothing else: thousands that came due at one moment would be sorted for each that is taken.
    return due().filter(endpoint=_endpoint_of(target)).order_by("next_try_at")


def _elsewhere(target: Slot) -> QuerySet[Target]:
    in_work = Target.objects.filter(state=TargetState.LEASED).values("endpoint")
    others = due().exclude(Q(endpoint=_endpoint_of(target)) | Q(endpoint__in=in_work))
    return others.order_by("next_try_at")


def _endpoint_of(target: Slot) -> Subquery:
    return Subquery(Target.objects.filter(pk=target).values("endpoint"))


def _take(wanted: Callable[[Slot], QuerySet[Target]], target_id: int) -> Lease | None:
    """wanted: what may be taken, of the endpoint of the target of this id."""
    token = uuid.uuid4()
    begun = time.monotonic()
    statement = _statement(wanted, settings.ENDPOINT_CONCURRENCY)
    found = leased(statement, target_id, token, settings.LEASE_SECONDS)
    if found is None:
        return None
    target, state = found
    lease = Lease(target, token, begun + settings.LEASE_SECONDS, found=state)
    if not (
        may_call(target.endpoint, EndpointState.OPEN)
        and may_call(target.endpoint.identity, *READABLE)
    ):
        give_back(lease)
        return None
    return lease


@cache
def _statement(wanted: Callable[[Slot], QuerySet[Target]], _concurrency: int) -> Prepared:
    """What takes the first of these, made once: it takes longer to make than to carry out.

    _concurrency: the setting, which is among its parameters.
    """
    target = Slot("target")
    targets = wanted(target)
    # Where nobody is at work there is room.
    if wanted is not _elsewhere:
        targets = _with_room(targets, _endpoint_of(target))
    return lease_statement(targets)


def _with_room(targets: QuerySet[Target], endpoint: Subquery) -> QuerySet[Target]:
    """These, all of one endpoint, if it has fewer targets in work than calls at once.

    So that workers do not queue up for one endpoint while others wait. About so many: what
    holds exactly are the slots of calls (permits).
    """
    # Counted once, not for each of thousands that are due: it does not depend on the row.
    in_work = (
        Target.objects.filter(endpoint=endpoint, state=TargetState.LEASED)
        .order_by()
        .values("endpoint")
        .annotate(count=Count("pk"))
        .values("count")
    )
    return targets.alias(in_work=Coalesce(Subquery(in_work), 0)).filter(in_work__lt=_concurrency())


def may_call(endpoint: Endpoint | None, *states: EndpointState) -> bool:
    """In one of these states; one that does not answer is probed by one worker at a time."""
    if endpoint is None or endpoint.state in states:
        return True
    return bool(
        Endpoint.objects.filter(
            pk=endpoint.pk, state=EndpointState.UNREACHABLE, next_probe_at__lte=Now()
        ).update(
            next_probe_at=in_seconds(settings.LEASE_SECONDS),
            # Probes alone lengthen the pause: see breaker.silent.
            failure_count=F("failure_count") + 1,
        )
    )


def release(lease: Lease, **fields: Any) -> bool:
    """Give the lease back with what came of it; False where it was lost meanwhile."""
    return bool(
        Target.objects.filter(
            pk=lease.target.pk, lease_token=lease.token, state=TargetState.LEASED
        ).update(lease_token=None, lease_until=None, **fields)
    )


def give_back(lease: Lease, *, after: float | None = None) -> bool:
    """Give the lease back as if it had not been taken; False where it was lost meanwhile.

    State, error and time are what they were; after: seconds until the next try instead. What
    failed before is no longer what is wanted where a newer generation came meanwhile.
    """
    anew = Q(generation__gt=lease.generation) & ~Q(dirty_until__gt=Now())
    return release(
        lease,
        state=Case(When(anew, then=Value(TargetState.DUE)), default=Value(lease.found)),
        next_try_at=F("next_try_at") if after is None else in_seconds(after),
    )


def finish_applied(lease: Lease, left_out: Collection[int] = ()) -> datetime | None:
    """Note that the lease's generation was read back as true, with a line of the record; when, by
    the database's clock.

    None where it may not be said. Raises LeaseLost. A newer generation leaves the target due.
    While a former holder may still write, it is dirty instead: the next reading decides.
    left_out: ids of limits that the service lacks, by an operator's word.
    """
    if not left_out:
        return _finish(lease, delivers=True)
    with transaction.atomic():
        moment = _finish(lease, delivers=False)
        if moment is not None:
            deliver_lines(lease, left_out=left_out)
    return moment


def _finish(lease: Lease, *, delivers: bool) -> datetime | None:
    row = finished(lease.target, lease.token, lease.generation, delivers=delivers)
    if row is None:
        raise LeaseLost
    applied_generation, moment = row
    return None if applied_generation < lease.generation else moment


def deliver_lines(
    lease: Lease, *, untrue: Collection[int] = (), left_out: Collection[int] = ()
) -> int:
    """Call lines applied whose limits were all read back as true; others wait. How many it changed.

    untrue, left_out: ids of the limits that were not, and of those that the service lacks. A
    line that feeds nothing here but these is noted as left out, never as applied. While a
    former holder may still write, nothing is said.
    """
    clean = Q(target__dirty_until__isnull=True) | Q(target__dirty_until__lte=Now())
    feeds = Contribution.objects.filter(limit__endpoint=lease.target.endpoint_id)
    pending = Delivery.objects.filter(
        clean, target=lease.target, generation__lte=lease.generation, applied_at__isnull=True
    ).exclude(decision_line__line__offering__in=feeds.filter(limit__in=untrue).values("offering"))
    count = 0
    if left_out:
        enforced = feeds.exclude(limit__in=left_out).values("offering")
        lacking = feeds.filter(limit__in=left_out).exclude(offering__in=enforced).values("offering")
        lacked = pending.filter(left_out_at__isnull=True)
        count = lacked.filter(decision_line__line__offering__in=lacking).update(left_out_at=Now())
        pending = pending.exclude(decision_line__line__offering__in=lacking)
    # One that was left out, too, once the service knows its limit.
    return count + pending.update(applied_at=Now(), left_out_at=None)


def expire() -> int:
    """Take targets from holders whose lease ran out; they are read again one lease later."""
    return take_over(Target.objects.filter(lease_until__lte=Now()))


def take_over(targets: QuerySet[Target]) -> int:
    """Take those of these that are held from their holders, who may still be writing."""
    later = in_seconds(settings.LEASE_SECONDS)
    held = targets.filter(state=TargetState.LEASED)
    with transaction.atomic():
        return held.filter(pk__in=lock_ids(held)).update(
            state=TargetState.DIRTY,
            lease_token=None,
            lease_until=None,
            dirty_until=later,
            next_try_at=later,
        )


def mark_dirty(target_id: int) -> None:
    """A call may still have effect: whatever is true now, look again one lease later."""
    later = in_seconds(settings.LEASE_SECONDS)
    Target.objects.filter(pk=target_id).exclude(state=TargetState.SKIPPED).update(
        dirty_until=later,
        next_try_at=later,
        state=Case(
            When(state=TargetState.LEASED, then=F("state")), default=Value(TargetState.DIRTY)
        ),
    )
