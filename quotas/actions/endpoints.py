"""The life of an endpoint as people direct it: paused, read-only, and open again.

While it is paused nothing is called there; while it is read-only it is looked at and not
written. Nothing is lost meanwhile: changes wait in their rows, and go on in order.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Invalid
from portal.lib.locks import lock_ids
from projects.actions.events import record
from projects.models import User
from quotas.models import Endpoint, Target
from quotas.states import ENDPOINT_MOVES, TAKEABLE, EndpointState, ErrorKind, TargetState

from .repairs import check_pause, held_viewer
from .targets import wake_after_commit
from .wishes import clean_text

MAX_REASON = 500
VERBS = ("pause", "restrict", "resume")
PAST = {"pause": "endpoint paused", "restrict": "endpoint restricted", "resume": "endpoint resumed"}
# What an outage leaves in the row. A person's word ends the breaker's count, so that nothing
# is said to be failing where nothing is asked, and what is resumed starts afresh.
NO_OUTAGE = {"failure_count": 0, "failing_since": None, "next_probe_at": None}


def pause(
    *, endpoint: Endpoint, reason: str, until: datetime | None, actor: User, now: datetime
) -> Endpoint:
    """Let nothing be called at an endpoint, nor at any service behind an identity endpoint.

    until: when it opens by itself; None: when somebody resumes it. Raises Forbidden with the
    zone that is not the person's, Invalid by field, Conflict where it is paused already.
    """
    return _close("pause", endpoint, reason, until, actor, now)


def restrict(
    *, endpoint: Endpoint, reason: str, until: datetime | None, actor: User, now: datetime
) -> Endpoint:
    """Make an endpoint read-only: it is looked at, and not written. Raises what `pause` does."""
    return _close("restrict", endpoint, reason, until, actor, now)


def resume(*, endpoint: Endpoint, actor: User, now: datetime) -> Endpoint:
    """Open an endpoint again; what waited goes on, the longest waiting first.

    Raises Forbidden as `pause` does, and Conflict where it is neither paused nor read-only.
    """
    with transaction.atomic():
        check_pause(held_viewer(actor, now), endpoint)
        was = _move("resume", endpoint, now, actor=None)
        _record("resume", endpoint, was, actor, now)
        _wake(endpoint)
    return endpoint


def resume_over(now: datetime) -> int:
    """Open every endpoint whose pause has come to its end; returns how many. For the sweep."""
    over = Endpoint.objects.filter(state__in=_states("resume"), state_until__lte=now)
    count = 0
    for endpoint in over.order_by("pk"):
        with transaction.atomic():
            try:
                was = _move("resume", endpoint, now, actor=None, state_until=endpoint.state_until)
            except Conflict:
                # Somebody was first, or gave it another end.
                continue
            _record("resume", endpoint, was, None, now)
            _wake(endpoint)
            count += 1
    return count


def _close(
    verb: str, endpoint: Endpoint, reason: str, until: datetime | None, actor: User, now: datetime
) -> Endpoint:
    with transaction.atomic():
        check_pause(held_viewer(actor, now), endpoint)
        said = _check(reason, until, now)
        was = _move(verb, endpoint, now, actor=actor, reason=said, until=until)
        _record(verb, endpoint, was, actor, now, until=until.isoformat() if until else None)
    return endpoint


def _check(reason: str, until: datetime | None, now: datetime) -> str:
    """The reason as it is kept; raises Invalid with both errors."""
    errors: dict[str, list[str]] = {}
    said = ""
    try:
        said = clean_text(reason, field="reason", required=True, most=MAX_REASON)
    except Invalid as error:
        errors |= error.errors
    if until is not None and until <= now:
        errors["until"] = [_("It must lie in the future; leave it empty for no end.")]
    if errors:
        raise Invalid(errors)
    return said


def _states(verb: str) -> list[EndpointState]:
    return [state for state, each in ENDPOINT_MOVES if each == verb]


def _move(
    verb: str,
    endpoint: Endpoint,
    now: datetime,
    *,
    actor: User | None,
    reason: str = "",
    until: datetime | None = None,
    **seen: Any,
) -> str:
    """Compare-and-set; returns the state before. Raises Conflict where the move is not legal.

    The breaker writes only where the state is open or unreachable, so it never undoes this.
    """
    (to,) = {state for (_from, each), state in ENDPOINT_MOVES.items() if each == verb}
    for was in _states(verb):
        moved = Endpoint.objects.filter(pk=endpoint.pk, state=was, **seen).update(
            state=to,
            state_by=actor,
            state_reason=reason,
            state_since=now,
            state_until=until,
            **NO_OUTAGE,
        )
        if moved:
            endpoint.refresh_from_db()
            return was
    endpoint.refresh_from_db()
    words = {"name": endpoint.name, "state": endpoint.get_state_display()}
    if verb == "resume":
        sentence = _("%(name)s is %(state)s: there is nothing to resume.") % words
    else:
        sentence = _("%(name)s is %(state)s already.") % words
    raise Conflict(sentence, state=endpoint.state)


def _record(
    verb: str, endpoint: Endpoint, was: str, actor: User | None, now: datetime, **data: Any
) -> None:
    record(
        PAST[verb], actor=actor, now=now, subject_kind="endpoint", subject_id=endpoint.pk,
        was=was, **data,
    )  # fmt: skip


def _wake(endpoint: Endpoint) -> None:
    """Let the first of those that waited begin; each one that ends wakes the next."""
    behind = Target.objects.filter(Q(endpoint=endpoint) | Q(endpoint__identity=endpoint))
    silenced = behind.filter(state=TargetState.RETRYING, error_kind=ErrorKind.UNREACHABLE)
    # An outage from before the pause says nothing about now.
    silenced.filter(pk__in=lock_ids(silenced)).update(next_try_at=Now())
    due = behind.filter(state__in=TAKEABLE, next_try_at__lte=Now()).order_by("next_try_at", "pk")
    count = endpoint.concurrency or settings.ENDPOINT_CONCURRENCY
    wake_after_commit(due.values_list("pk", flat=True)[:count])
