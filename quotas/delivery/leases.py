"""Who may work on a target, and until when, by the database's clock.

OpenStack has no conditional write, so a token cannot fence the cloud. What can be done:
nothing is sent once too little of the lease is left, and whoever finds a lease taken over
or finishes late leaves the target dirty, to be read again one lease later; until then it
is not called applied.
"""

import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, DateTimeField, F, Q, QuerySet, Value, When
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from portal.lib.locks import lock_ids
from quotas.models import Contribution, Delivery, Endpoint, Target
from quotas.states import TAKEABLE, EndpointState, TargetState

# What is kept back from a lease for the last writes to our own database.
MARGIN_SECONDS = 1.0
# What an endpoint that is only asked may be; so is the identity endpoint behind another.
READABLE = (EndpointState.OPEN, EndpointState.READ_ONLY)


class LeaseOver(Exception):
    """Too little of the lease is left to begin another call."""


class LeaseLost(Exception):
    """Somebody else took the target over: what we did is for them to read."""


@dataclass(frozen=True)
class Lease:
    """The right to work on one target. `ends` is on this process's own monotonic clock."""

    target: Target
    token: uuid.UUID
    ends: float

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


def callable_now(*states: EndpointState) -> Q:
    """Targets whose endpoint is in one of these states, or silent and due for its next probe."""
    identity = _usable("endpoint__identity__", *READABLE)
    return _usable("endpoint__", *states) & (Q(endpoint__identity__isnull=True) | identity)


def _usable(prefix: str, *states: EndpointState) -> Q:
    return Q(**{f"{prefix}state__in": states}) | Q(
        **{f"{prefix}state": EndpointState.UNREACHABLE, f"{prefix}next_probe_at__lte": Now()}
    )


def take(target_id: int) -> Lease | None:
    """The lease of a due target, or None: not due, held by another, or no endpoint for it."""
    token = uuid.uuid4()
    begun = time.monotonic()
    taken = due().filter(pk=target_id)
    if not Target.objects.filter(pk__in=taken.values("pk"), state__in=TAKEABLE).update(
        state=TargetState.LEASED,
        lease_token=token,
        lease_until=in_seconds(settings.LEASE_SECONDS),
    ):
        return None
    target = Target.objects.select_related("project", "endpoint__identity").get(pk=target_id)
    lease = Lease(target=target, token=token, ends=begun + settings.LEASE_SECONDS)
    if not (
        may_call(target.endpoint, EndpointState.OPEN)
        and may_call(target.endpoint.identity, *READABLE)
    ):
        release(lease, state=TargetState.DUE, next_try_at=F("next_try_at"))
        return None
    return lease


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


def finish_applied(lease: Lease) -> bool:
    """Record that the lease's generation was read back as true; False where it may not be said.

    Raises LeaseLost. A newer generation leaves the target due. While a former holder may
    still write, it is dirty instead: the next reading decides.
    """
    still_dirty = Q(dirty_until__gt=Now())
    newer = Q(generation__gt=lease.generation)
    with transaction.atomic():
        if not release(
            lease,
            state=Case(
                When(still_dirty, then=Value(TargetState.DIRTY)),
                When(newer, then=Value(TargetState.DUE)),
                default=Value(TargetState.APPLIED),
            ),
            next_try_at=Case(
                When(still_dirty, then=F("dirty_until")),
                When(newer, then=Now()),
                default=None,
                output_field=DateTimeField(),
            ),
            applied_generation=Case(
                When(still_dirty, then=F("applied_generation")), default=Value(lease.generation)
            ),
            applied_at=Case(When(still_dirty, then=F("applied_at")), default=Now()),
            failure_count=0,
            error_id="",
            error_kind="",
            error_code="",
            error_words="",
            error_at=None,
        ):
            raise LeaseLost
        target = Target.objects.get(pk=lease.target.pk)
        if target.applied_generation < lease.generation:
            return False
        deliver_lines(lease, set())
    return True


def deliver_lines(lease: Lease, untrue: set[int]) -> None:
    """Call lines applied whose limits were all read back as true; others wait.

    untrue: ids of the limits that were not. While a former holder may still write, nothing
    is called applied.
    """
    clean = Q(target__dirty_until__isnull=True) | Q(target__dirty_until__lte=Now())
    hindered = Contribution.objects.filter(limit__in=untrue).values("offering")
    Delivery.objects.filter(
        clean, target=lease.target, generation__lte=lease.generation, applied_at__isnull=True
    ).exclude(decision_line__line__offering__in=hindered).update(applied_at=Now())


def expire() -> int:
    """Take targets from holders whose lease ran out; they are read again one lease later."""
    later = in_seconds(settings.LEASE_SECONDS)
    over = Target.objects.filter(state=TargetState.LEASED, lease_until__lte=Now())
    with transaction.atomic():
        return over.filter(pk__in=lock_ids(over)).update(
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
