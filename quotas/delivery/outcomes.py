"""What became of an attempt, written to the target: applied, waiting, refused, retrying."""

import random
import secrets
from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, Value, When

from portal.lib.amounts import format_amount
from portal.lib.locks import lock
from projects.actions.events import record
from quotas.backends.base import Figure
from quotas.backends.errors import BackendError, Kind
from quotas.models import ProjectHandle, Target
from quotas.states import ErrorKind, TargetState

from .leases import (
    Lease,
    LeaseLost,
    deliver_lines,
    finish_applied,
    give_back,
    in_seconds,
    mark_dirty,
    release,
)
from .permits import AGAIN_SECONDS, Busy
from .wanted import Plan, Wanted

# Without the letters and digits that people confuse when they read an id out.
_ID_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
WAIT_SECONDS = 30


class Refusal(Exception):
    """The target cannot be made true until somebody acts; words for operators.

    plan: says which limits are concerned; the others were read back as they should be.
    None: nothing is known to be true.
    """

    def __init__(self, code: str, words: str, plan: Plan | None = None) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words
        self.plan = plan


def below_usage(plan: Plan) -> Refusal:
    """Names every limit that is in use beyond what was granted, with the figures."""
    parts = [
        # The requester reads it too, who knows no key.
        f"{each.limit.name}: "
        f"{_amount(each, figure.floor)} in use, {_amount(each, each.units)} granted"
        for each, figure in plan.below
    ]
    words = "Nothing is set below what is in use. " + "; ".join(parts)
    return Refusal("below_usage", words, plan)


def _amount(wanted: Wanted, units: int | None) -> str:
    return format_amount((units or 0) * wanted.limit.step, wanted.limit.unit)


def missing_keys(plan: Plan) -> Refusal:
    """Names every limit that the service does not know."""
    keys = ", ".join(each.limit.key for each in plan.missing)
    return Refusal("key_missing", f"This service has no limit called {keys}.", plan)


def above_maximum(plan: Plan) -> Refusal:
    """Names every limit that is beyond what the service takes, with the bound and the way out."""
    parts = [
        # In the service's own numbers: 2 EiB less 1 GiB would read as 2 EiB.
        f"{each.limit.key}: {each.units} granted, at most "
        f"{(each.limit.maximum or 0) // each.limit.step} taken"
        for each in plan.above
    ]
    words = (
        "More was granted than this service can hold; its other limits are written. "
        f"{'; '.join(parts)}. Grant no more than that here, and the rest in another region."
    )
    return Refusal("above_maximum", words, plan)


def not_private(plan: Plan) -> Refusal:
    """Names every access that everybody has; the code is that of the drivers."""
    names = ", ".join(each.limit.key for each in plan.public)
    return Refusal("not_private", f"Everybody may use this, as it is public: {names}.", plan)


def not_taken(plan: Plan, figures: Mapping[str, Figure]) -> Refusal:
    """The service said yes, but another value is read back."""
    parts = [f"{key}: {units} set, {figures[key].limit} read" for key, units in plan.write.items()]
    words = (
        "The service accepted the change and did not make it; its limits may be kept "
        "elsewhere (unified limits). " + "; ".join(parts)
    )
    return Refusal("not_taken", words, plan)


def overwritten(others: Mapping[str, int], figures: Mapping[str, Figure]) -> BackendError:
    """Another value than was written and than was there: somebody wrote at the same moment.

    Perhaps a former holder of the lease, whose call came late: it is read again when none of
    these can have effect any more. others: {key: units that we wrote}.
    """
    parts = [f"{key}: {units} set, {figures[key].limit} read" for key, units in others.items()]
    words = "Somebody else changed this at the same moment. " + "; ".join(parts)
    return BackendError(Kind.TRANSIENT, "overwritten", words, uncertain=True)


def applied(lease: Lease, left_out: Collection[int] = ()) -> None:
    """Everything was read back as it should be, but for limits that an operator left out."""
    try:
        finish_applied(lease, left_out)
    except LeaseLost:
        lost(lease)


def lost(lease: Lease) -> None:
    """Somebody took the target over, who does not know what we wrote, nor when."""
    mark_dirty(lease.target.pk)


def ran_out(lease: Lease) -> None:
    """The lease is nearly over: leave it to be read again when nobody can write any more."""
    later = in_seconds(settings.LEASE_SECONDS)
    if not release(lease, state=TargetState.DIRTY, dirty_until=later, next_try_at=later):
        # Perhaps called applied before our last write came through.
        lost(lease)


def wait(lease: Lease) -> None:
    """The project is not there yet; that is no failure, and its arrival wakes the target."""
    identity = lease.target.endpoint.identity
    with transaction.atomic():
        # Under the lock: one that came since we looked found nobody waiting.
        lock(Target.objects.filter(pk=lease.target.pk))
        is_there = ProjectHandle.objects.filter(project=lease.target.project, identity=identity)
        later = 0 if is_there.exists() else WAIT_SECONDS
        release(lease, state=TargetState.WAITING, next_try_at=in_seconds(later))


def busy(lease: Lease, busy: Busy) -> None:
    """No call could begin: nothing failed, and others shall not all come back at once.

    What was written under this lease was answered; the next reading sees it.
    """
    later = busy.seconds + random.uniform(0, AGAIN_SECONDS)  # noqa: S311 - it only spreads
    if not give_back(lease, after=later):
        lost(lease)


def refused(lease: Lease, refusal: Refusal) -> None:
    """Somebody must act; it is looked at again now and then, as somebody may have."""
    _failed(
        lease,
        state=TargetState.REFUSED,
        kind=ErrorKind.REFUSED,
        code=refusal.code,
        words=refusal.words,
        after=settings.REFUSED_RECHECK_SECONDS,
        plan=refusal.plan,
    )


def failed(lease: Lease, error: BackendError) -> None:
    """What a driver raised: refused, or tried again with exponential back-off.

    A write that may have happened, or may yet happen while we look elsewhere, leaves the
    target dirty.
    """
    is_refused = error.kind is Kind.REFUSED
    # A service may ask for patience, not for years. It is never asked again any sooner.
    patience = min(error.retry_after or 0, settings.RETRY_CAP_SECONDS)
    again = settings.REFUSED_RECHECK_SECONDS if is_refused else back_off(lease.target.failure_count)
    _failed(
        lease,
        state=TargetState.REFUSED if is_refused else TargetState.RETRYING,
        kind=ErrorKind(error.kind.value),
        code=error.code,
        words=error.words,
        after=max(again, patience),
        at_least=patience,
        uncertain=error.uncertain,
    )


def back_off(failure_count: int) -> float:
    """Seconds until the next try: doubling from the base to the cap, with jitter below it."""
    longest = min(
        settings.RETRY_CAP_SECONDS, settings.RETRY_BASE_SECONDS * 2 ** min(failure_count, 20)
    )
    # It spreads retries and keeps no secret.
    return float(longest * random.uniform(0.5, 1))  # noqa: S311


def _failed(
    lease: Lease,
    *,
    state: TargetState,
    kind: ErrorKind,
    code: str,
    words: str,
    after: float,
    at_least: float = 0,
    uncertain: bool = False,
    plan: Plan | None = None,
) -> None:
    """The end of an attempt that made not everything true.

    after: seconds until the next one; at_least: also for a decision made meanwhile, which
    does not wait for what is no longer wanted. plan: see Refusal.
    """
    is_news = (lease.target.error_kind, lease.target.error_code) != (kind, code)
    error_id = new_error_id() if is_news else lease.target.error_id
    newer = Q(generation__gt=lease.generation)
    next_state: Any = Case(When(newer, then=Value(TargetState.DUE)), default=Value(state))
    next_try_at: Any = Case(When(newer, then=in_seconds(at_least)), default=in_seconds(after))
    dirty: dict[str, Any] = {}
    if uncertain:
        next_state = TargetState.DIRTY
        next_try_at = in_seconds(max(at_least, settings.LEASE_SECONDS))
        dirty = {"dirty_until": in_seconds(settings.LEASE_SECONDS)}
    with transaction.atomic():
        kept = release(
            lease,
            state=next_state,
            failure_count=Case(When(newer, then=Value(0)), default=F("failure_count") + 1),
            error_kind=kind,
            error_code=code,
            error_words=words[:1000],
            error_id=error_id,
            error_at=in_seconds(0),
            next_try_at=next_try_at,
            **dirty,
        )
        delivered = 0
        if kept and plan is not None:
            # One limit that cannot be true holds up no line that does not feed it.
            delivered = deliver_lines(lease, untrue=plan.untrue, left_out=plan.left_out)
        if kept and (is_news or delivered):
            _record(state.value, lease, code=code, error=error_id)
    if not kept:
        lost(lease)


def new_error_id() -> str:
    """A short id that people can read out to the service desk."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(6))


def _record(verb: str, lease: Lease, **data: Any) -> None:
    target = lease.target
    # The database's clock dates it: workers run on other machines than the web.
    now = Target.objects.values_list(in_seconds(0), flat=True)[:1].get()
    record(
        verb, actor=None, now=now, project=target.project, subject_kind="target",
        subject_id=target.pk, endpoint=target.endpoint.slug, **data,
    )  # fmt: skip
