"""What became of an attempt, written to the target: applied, waiting, refused, retrying."""

import random
import secrets
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.functions import Now

from portal.lib.amounts import format_amount
from projects.actions.events import record
from quotas.backends.base import Figure
from quotas.backends.errors import BackendError, Kind
from quotas.models import Target
from quotas.states import ErrorKind, TargetState

from .leases import (
    Lease,
    LeaseLost,
    deliver_lines,
    finish_applied,
    in_seconds,
    mark_dirty,
    release,
)
from .wanted import Plan, Wanted

# Without the letters and digits that people confuse when they read an id out.
_ID_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
WAIT_SECONDS = 30


class Refusal(Exception):
    """The target cannot be made true until somebody acts; words for operators.

    untrue: ids of the limits that are concerned; the others were read back as they should
    be. None: nothing is known to be true.
    """

    def __init__(self, code: str, words: str, untrue: set[int] | None = None) -> None:
        super().__init__(f"{code}: {words}")
        self.code = code
        self.words = words
        self.untrue = untrue


def below_usage(plan: Plan) -> Refusal:
    """Names every limit that is in use beyond what was granted, with the figures."""
    parts = [
        f"{each.limit.key}: "
        f"{_amount(each, figure.floor)} in use, {_amount(each, each.units)} granted"
        for each, figure in plan.below
    ]
    words = "Nothing is set below what is in use. " + "; ".join(parts)
    return Refusal("below_usage", words, plan.untrue)


def _amount(wanted: Wanted, units: int | None) -> str:
    return format_amount((units or 0) * wanted.limit.step, wanted.limit.unit)


def missing_keys(plan: Plan) -> Refusal:
    """Names every limit that the service does not know."""
    keys = ", ".join(each.limit.key for each in plan.missing)
    return Refusal("key_missing", f"This service has no limit called {keys}.", plan.untrue)


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
    return Refusal("above_maximum", words, plan.untrue)


def not_taken(plan: Plan, figures: Mapping[str, Figure]) -> Refusal:
    """The service said yes, but another value is read back."""
    parts = [f"{key}: {units} set, {figures[key].limit} read" for key, units in plan.write.items()]
    words = (
        "The service accepted the change and did not make it; its limits may be kept "
        "elsewhere (unified limits). " + "; ".join(parts)
    )
    return Refusal("not_taken", words, plan.untrue)


def applied(lease: Lease) -> None:
    """Everything was read back as it should be."""
    try:
        with transaction.atomic():
            if finish_applied(lease):
                _record("applied", lease, generation=lease.generation)
    except LeaseLost:
        # Whoever has it now does not know what we wrote, nor when.
        mark_dirty(lease.target.pk)


def ran_out(lease: Lease) -> None:
    """The lease is nearly over: leave it to be read again when nobody can write any more."""
    later = in_seconds(settings.LEASE_SECONDS)
    if not release(lease, state=TargetState.DIRTY, dirty_until=later, next_try_at=later):
        # Taken over meanwhile, and perhaps called applied before our last write came through.
        mark_dirty(lease.target.pk)


def wait(lease: Lease) -> None:
    """The project is not there yet; that is no failure, and its arrival wakes the target."""
    release(lease, state=TargetState.WAITING, next_try_at=in_seconds(WAIT_SECONDS))


def refused(lease: Lease, refusal: Refusal) -> None:
    """Somebody must act; it is looked at again now and then, as somebody may have."""
    _failed(
        lease,
        state=TargetState.REFUSED,
        kind=ErrorKind.REFUSED,
        code=refusal.code,
        words=refusal.words,
        after=settings.REFUSED_RECHECK_SECONDS,
        untrue=refusal.untrue,
    )


def failed(lease: Lease, error: BackendError) -> None:
    """What a driver raised: refused, or tried again with exponential back-off."""
    if error.kind is Kind.REFUSED:
        refused(lease, Refusal(error.code, error.words))
    else:
        _failed(
            lease,
            state=TargetState.RETRYING,
            kind=ErrorKind(error.kind.value),
            code=error.code,
            words=error.words,
            # A service may ask for patience, not for years.
            after=max(
                back_off(lease.target.failure_count),
                min(error.retry_after or 0, settings.RETRY_CAP_SECONDS),
            ),
        )
    if error.uncertain:
        # It may have happened, or may yet happen while we look elsewhere.
        mark_dirty(lease.target.pk)


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
    untrue: set[int] | None = None,
) -> None:
    # What failed is no longer what is wanted: a decision made meanwhile does not wait for it.
    newer = Q(generation__gt=lease.generation)
    is_news = (lease.target.error_kind, lease.target.error_code) != (kind, code)
    error_id = new_error_id() if is_news else lease.target.error_id
    with transaction.atomic():
        kept = release(
            lease,
            state=Case(When(newer, then=Value(TargetState.DUE)), default=Value(state)),
            failure_count=Case(When(newer, then=Value(0)), default=F("failure_count") + 1),
            error_kind=kind,
            error_code=code,
            error_words=words[:1000],
            error_id=error_id,
            error_at=in_seconds(0),
            next_try_at=Case(When(newer, then=Now()), default=in_seconds(after)),
        )
        if kept and untrue is not None:
            # One limit that cannot be true holds up no line that does not feed it.
            deliver_lines(lease, untrue)
        if kept and is_news:
            _record(state.value, lease, code=code, error=error_id)
    if not kept:
        mark_dirty(lease.target.pk)


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
