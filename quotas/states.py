"""The states of lines, targets and endpoints, and every legal move: data only.

A table maps (state, verb) to the next state; what is not in it is a conflict.
"""

from collections.abc import Collection

from django.db import models
from django.utils.translation import gettext_lazy as _


class LineState(models.TextChoices):
    DRAFT = "draft", _("draft")
    OPEN = "open", _("open")
    RETURNED = "returned", _("returned")
    GRANTED = "granted", _("granted")
    DECLINED = "declined", _("declined")
    WITHDRAWN = "withdrawn", _("withdrawn")


LINE_MOVES = {
    (LineState.DRAFT, "submit"): LineState.OPEN,
    (LineState.OPEN, "amend"): LineState.OPEN,
    (LineState.OPEN, "approve"): LineState.GRANTED,
    (LineState.OPEN, "decline"): LineState.DECLINED,
    (LineState.OPEN, "return"): LineState.RETURNED,
    (LineState.OPEN, "withdraw"): LineState.WITHDRAWN,
    (LineState.RETURNED, "answer"): LineState.OPEN,
    (LineState.RETURNED, "withdraw"): LineState.WITHDRAWN,
}
LINE_VERBS = tuple(dict.fromkeys(verb for _state, verb in LINE_MOVES))

# One line in one of these states per (project, offering).
PENDING = (LineState.OPEN, LineState.RETURNED)
DECIDED = (LineState.GRANTED, LineState.DECLINED, LineState.WITHDRAWN)


class RequestState(models.TextChoices):
    """What a request is called; derived from its lines and their delivery, never stored."""

    DRAFT = "draft", _("draft")
    OPEN = "open", _("waits for a decision")
    RETURNED = "returned", _("returned to you")
    APPLYING = "applying", _("applying")
    REFUSED = "refused", _("refused by the cloud")
    APPLIED = "applied", _("applied")
    DECLINED = "declined", _("declined")
    WITHDRAWN = "withdrawn", _("withdrawn")


def request_state(
    line_states: Collection[str], *, undelivered_count: int, refused_count: int
) -> RequestState:
    """The state of a request from those of its lines.

    undelivered_count: how many of its deliveries are not applied yet; refused_count: how
    many of these wait for somebody to act. A request that waits for a person says so
    first; only then comes what became of it.
    """
    states = set(line_states)
    for state, word in (
        (LineState.DRAFT, RequestState.DRAFT),
        (LineState.RETURNED, RequestState.RETURNED),
        (LineState.OPEN, RequestState.OPEN),
    ):
        if state in states:
            return word
    if LineState.GRANTED in states:
        if refused_count:
            return RequestState.REFUSED
        return RequestState.APPLYING if undelivered_count else RequestState.APPLIED
    if LineState.DECLINED in states:
        return RequestState.DECLINED
    return RequestState.WITHDRAWN


class TargetState(models.TextChoices):
    WAITING = "waiting", _("waits for its project")
    DUE = "due", _("due")
    LEASED = "leased", _("in work")
    APPLIED = "applied", _("applied")
    RETRYING = "retrying", _("retrying")
    REFUSED = "refused", _("refused")
    DIRTY = "dirty", _("to be read again")
    SKIPPED = "skipped", _("skipped")


# A worker may take a target from these once its `next_try_at` has come.
TAKEABLE = (
    TargetState.WAITING,
    TargetState.DUE,
    TargetState.RETRYING,
    TargetState.REFUSED,
    TargetState.DIRTY,
)

TARGET_MOVES = {
    **{(state, "lease"): TargetState.LEASED for state in TAKEABLE},
    # A lease that ran out: somebody may still be writing, so the next one reads again.
    (TargetState.LEASED, "take over"): TargetState.DIRTY,
    (TargetState.LEASED, "wait"): TargetState.WAITING,
    (TargetState.LEASED, "apply"): TargetState.APPLIED,
    (TargetState.LEASED, "retry"): TargetState.RETRYING,
    (TargetState.LEASED, "refuse"): TargetState.REFUSED,
    (TargetState.LEASED, "dirty"): TargetState.DIRTY,
    # The ledger moved, or somebody asks to look again.
    **{
        (state, "wake"): TargetState.DUE
        for state in (*TAKEABLE, TargetState.APPLIED, TargetState.SKIPPED)
    },
    **{(state, "skip"): TargetState.SKIPPED for state in TAKEABLE},
}


class EndpointState(models.TextChoices):
    OPEN = "open", _("open")
    PAUSED = "paused", _("paused")
    READ_ONLY = "read-only", _("read-only")
    UNREACHABLE = "unreachable", _("unreachable")


class ErrorKind(models.TextChoices):
    """How a failure of a backend is treated."""

    TRANSIENT = "transient", _("tried again by itself")
    REFUSED = "refused", _("somebody must act")
    UNREACHABLE = "unreachable", _("the service does not answer")
