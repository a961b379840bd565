"""The life of an endpoint as people direct it: paused, read-only, and open again.

While it is paused nothing is called there; while it is read-only it is looked at and not
written. Nothing is lost meanwhile: changes wait in their rows, and go on in order. Who said
what when is kept: a reason outlives the pause.
"""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Invalid, Stale
from portal.lib.locks import lock_ids
from projects.actions.events import record
from projects.models import User
from quotas.models import Endpoint, EndpointWord, Target
from quotas.states import ENDPOINT_MOVES, TAKEABLE, EndpointState, ErrorKind, TargetState

from .repairs import check_pause, held_viewer
from .targets import wake_after_commit
from .wishes import clean_text

MAX_REASON = 500
VERBS = ("pause", "restrict", "resume")
PAST = {"pause": "endpoint paused", "restrict": "endpoint restricted", "resume": "endpoint resumed"}
# What an outage leaves in the row. A person's word ends the breaker's count, so that nothing
# is said to be failing where nothing is asked, and what is resumed starts afresh.
NO_OUTAGE: dict[str, Any] = {"failure_count": 0, "failing_since": None, "next_probe_at": None}


def pause(
    *,
    endpoint: Endpoint,
    reason: str,
    until: datetime | None,
    seen: int | None = None,
    last: int | None = None,
    actor: User,
    now: datetime,
) -> Endpoint:
    """Let nothing be called at an endpoint, nor at any service behind an identity endpoint.

    until: when it opens by itself; None: when somebody resumes it. seen: the number of the
    word that it is paused by, to change its reason and its end in place. last: the number of
    the last word of any kind that the person saw, 0: of none; None: it may be any. Raises Forbidden
    with the zone that is not the person's, Invalid by field, Conflict where it is paused
    already and nothing was seen of that, Stale where somebody changed it meanwhile.
    """
    return _close("pause", endpoint, reason, until, (seen, last), actor, now)


def restrict(
    *,
    endpoint: Endpoint,
    reason: str,
    until: datetime | None,
    seen: int | None = None,
    last: int | None = None,
    actor: User,
    now: datetime,
) -> Endpoint:
    """Make an endpoint read-only: it is looked at, and not written. As `pause` in all else."""
    return _close("restrict", endpoint, reason, until, (seen, last), actor, now)


def resume(*, endpoint: Endpoint, last: int | None = None, actor: User, now: datetime) -> Endpoint:
    """Open an endpoint again; what waited goes on, the longest waiting first.

    last: as `pause` has it. Raises Forbidden and Stale as `pause` does, and Conflict where it is
    neither paused nor read-only.
    """
    with transaction.atomic():
        check_pause(held_viewer(actor, now), endpoint)
        was = _move("resume", endpoint, _states("resume"), **_opened(now))
        if last is not None:
            _check_seen(endpoint, last)
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
                was = _move("resume", endpoint, _states("resume"), _until(endpoint), **_opened(now))
            except Conflict:
                # Somebody was first, or gave it another end.
                continue
            _record("resume", endpoint, was, None, now)
            _wake(endpoint)
            count += 1
    return count


def _close(
    verb: str,
    endpoint: Endpoint,
    reason: str,
    until: datetime | None,
    words: tuple[int | None, int | None],
    actor: User,
    now: datetime,
) -> Endpoint:
    """words: `seen` and `last` of the verb."""
    seen, last = words
    with transaction.atomic():
        check_pause(held_viewer(actor, now), endpoint)
        said = _check(reason, until, now)
        terms: dict[str, Any] = {"state_by": actor, "state_reason": said, "state_until": until}
        if seen is None:
            others = [state for state in _states(verb) if state != state_after(verb)]
            was = _move(verb, endpoint, others, **terms, state_since=now, **NO_OUTAGE)
        else:
            # Since when stays: it is the same pause.
            was = _move(verb, endpoint, [state_after(verb)], **terms)
            _check_seen(endpoint, seen)
        if last is not None:
            _check_seen(endpoint, last)
        _record(verb, endpoint, was, actor, now, until=until.isoformat() if until else None)
    return endpoint


def _check_seen(endpoint: Endpoint, seen: int) -> None:
    """Raise Stale unless the word seen is the last; the caller's update holds the endpoint."""
    last = last_word(endpoint)
    if last != seen:
        raise Stale(
            _("Somebody else changed the reason or the end meanwhile. Look at it once more."),
            seen=last or None,
        )


def last_word(endpoint: Endpoint) -> int:
    """The number of what was last said of it; 0: nothing yet."""
    return endpoint.words.values_list("pk", flat=True).first() or 0


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


def state_after(verb: str) -> EndpointState:
    """The one state that a verb leads to."""
    (state,) = {state for (_from, each), state in ENDPOINT_MOVES.items() if each == verb}
    return state


def _opened(now: datetime) -> dict[str, Any]:
    """What an endpoint that is open says of itself."""
    return NO_OUTAGE | {
        "state_by": None, "state_reason": "", "state_since": now, "state_until": None,
    }  # fmt: skip


def _until(endpoint: Endpoint) -> Q:
    return Q(state_until=endpoint.state_until)


def _move(
    verb: str, endpoint: Endpoint, states: list[EndpointState], seen: Q | None = None, **values: Any
) -> str:
    """Compare-and-set from one of some states; returns that. Raises Conflict in any other.

    The breaker writes only where the state is open or unreachable, so it never undoes this.
    """
    rows = Endpoint.objects.filter(seen or Q(), pk=endpoint.pk)
    for was in states:
        if rows.filter(state=was).update(state=state_after(verb), **values):
            endpoint.refresh_from_db()
            return was
    endpoint.refresh_from_db()
    words = {"name": endpoint.name, "state": endpoint.get_state_display()}
    if verb == "resume":
        sentence = _("%(name)s is %(state)s: there is nothing to resume.") % words
    elif endpoint.state == state_after(verb):
        sentence = _("%(name)s is %(state)s already.") % words
    else:
        sentence = _("%(name)s is %(state)s: there is nothing to change.") % words
    raise Conflict(sentence, state=endpoint.state)


def _record(
    verb: str, endpoint: Endpoint, was: str, actor: User | None, now: datetime, **data: Any
) -> None:
    EndpointWord.objects.create(
        endpoint=endpoint, state=endpoint.state, reason=endpoint.state_reason,
        until=endpoint.state_until, actor=actor, at=now,
    )  # fmt: skip
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
