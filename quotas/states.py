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
    # A recommendation to those who may decide; it goes on waiting for them.
    (LineState.OPEN, "endorse"): LineState.OPEN,
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
    NOT_ENFORCED = "not enforced", _("not enforced")
    DECLINED = "declined", _("declined")
    WITHDRAWN = "withdrawn", _("withdrawn")


def request_state(
    line_states: Collection[str],
    *,
    undelivered_count: int,
    refused_count: int,
    is_left_out: bool = False,
) -> RequestState:
    """The state of a request from those of its lines.

    undelivered_count: how many of its deliveries are not applied yet; refused_count: how
    many of these wait for somebody to act; is_left_out: it has deliveries and each was left
    out, so nothing of it was ever read back. A request that waits for a person says so
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
        if undelivered_count:
            return RequestState.APPLYING
        return RequestState.NOT_ENFORCED if is_left_out else RequestState.APPLIED
    if LineState.DECLINED in states:
        return RequestState.DECLINED
    return RequestState.WITHDRAWN


class AssignmentKind(models.TextChoices):
    """What somebody is asked to do with a line."""

    DECIDE = "decide", _("to decide")
    ENDORSE = "endorse", _("to endorse")


class Direction(models.TextChoices):
    """Which wishes a policy is about."""

    INCREASE = "increase", _("increases")
    DECREASE = "decrease", _("decreases")


class PolicyState(models.TextChoices):
    DRAFT = "draft", _("draft")
    ON = "on", _("on")
    OFF = "off", _("off")


# A rule of which a decision was made is switched off, never deleted.
POLICY_MOVES = {
    (PolicyState.DRAFT, "revise"): PolicyState.DRAFT,
    (PolicyState.OFF, "revise"): PolicyState.OFF,
    (PolicyState.ON, "revise"): PolicyState.ON,
    (PolicyState.DRAFT, "switch on"): PolicyState.ON,
    (PolicyState.OFF, "switch on"): PolicyState.ON,
    (PolicyState.ON, "switch off"): PolicyState.OFF,
}


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


# The breaker's own two moves stand beside those of people: a pause outlasts a silence.
ENDPOINT_MOVES = {
    **{
        (state, "pause"): EndpointState.PAUSED
        for state in (EndpointState.OPEN, EndpointState.READ_ONLY, EndpointState.UNREACHABLE)
    },
    **{
        (state, "restrict"): EndpointState.READ_ONLY
        for state in (EndpointState.OPEN, EndpointState.PAUSED, EndpointState.UNREACHABLE)
    },
    # Another reason or end, by somebody who has seen those of now.
    (EndpointState.PAUSED, "pause"): EndpointState.PAUSED,
    (EndpointState.READ_ONLY, "restrict"): EndpointState.READ_ONLY,
    (EndpointState.PAUSED, "resume"): EndpointState.OPEN,
    (EndpointState.READ_ONLY, "resume"): EndpointState.OPEN,
    (EndpointState.OPEN, "lose"): EndpointState.UNREACHABLE,
    (EndpointState.UNREACHABLE, "answer"): EndpointState.OPEN,
}


class ErrorKind(models.TextChoices):
    """How a failure of a backend is treated."""

    TRANSIENT = "transient", _("tried again by itself")
    REFUSED = "refused", _("somebody must act")
    UNREACHABLE = "unreachable", _("the service does not answer")


class Missing(models.TextChoices):
    """Why an identity service has no id for somebody."""

    ABSENT = "absent", _("not there yet")
    TWICE = "twice", _("two match")
    # The one that matches is somebody else's already.
    SHARED = "shared", _("the same as another's")
    # Nothing to look for, as a person without a mail address.
    NAMELESS = "nameless", _("nothing to look for")


class DriftKind(models.TextChoices):
    """How a cloud differs from what was once applied there."""

    LIMIT_CHANGED = "limit changed", _("limit changed outside")
    UNLIMITED = "unlimited", _("unlimited")
    USAGE_ABOVE = "usage above", _("usage above the limit")
    KEY_MISSING = "key missing", _("limit missing")
    PROJECT_MISSING = "project missing", _("project missing")
    PROJECT_DISABLED = "project disabled", _("project disabled")
    PROJECT_RENAMED = "project renamed", _("project renamed")


# Drift of one limit; the other kinds are of a whole project at an identity endpoint.
LIMIT_DRIFT = (
    DriftKind.LIMIT_CHANGED,
    DriftKind.UNLIMITED,
    DriftKind.USAGE_ABOVE,
    DriftKind.KEY_MISSING,
)
# What Remit can put right by writing. Use above a limit falls by itself, a key does not appear.
RESTORABLE = (
    DriftKind.LIMIT_CHANGED,
    DriftKind.UNLIMITED,
    DriftKind.PROJECT_MISSING,
    DriftKind.PROJECT_DISABLED,
    DriftKind.PROJECT_RENAMED,
)
# A project that somebody deleted is made again by a person's word only.
RESTORED_BY_POLICY = tuple(kind for kind in RESTORABLE if kind != DriftKind.PROJECT_MISSING)


class KeptWhy(models.TextChoices):
    """Why the import of a cloud keeps a limit as it was found."""

    UNLIMITED = "unlimited", _("unlimited")
    # Several zones count against it, and nothing says which of them has what.
    SHARED = "shared", _("shared by several zones")
    # It is not the sum of the limits that count in it.
    TOTAL = "total", _("not the sum of its parts")
    # Two limits that one quota feeds say different things.
    DIFFERS = "differs", _("services disagree")
    STEP = "step", _("not in steps")
    UNFED = "unfed", _("nothing that is offered counts here")
    ROOM = "room", _("nothing was left to give")
    BESIDE = "beside", _("beside a limit that is kept")
    # The catalogue names it since the project was taken over, and nobody has read it yet.
    NEW = "new", _("new in the catalogue")


class DriftPolicy(models.TextChoices):
    """What an endpoint's drift leads to by itself."""

    REPORT = "report", _("report")
    RESTORE = "restore", _("restore")


class DriftEnd(models.TextChoices):
    """How a drift ended."""

    RESTORED = "restored", _("restored")
    ADOPTED = "adopted", _("adopted")
    GONE = "gone", _("gone by itself")


class JobState(models.TextChoices):
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    ENDED = "ended", _("ended")


JOB_MOVES = {
    (JobState.QUEUED, "start"): JobState.RUNNING,
    (JobState.RUNNING, "end"): JobState.ENDED,
}


class ItemState(models.TextChoices):
    """What became of one item of a job."""

    WAITING = "waiting", _("waiting")
    DONE = "done", _("done")
    REFUSED = "refused", _("not done")


class AnnouncementState(models.TextChoices):
    """How far an announcement is, from its first words until it holds no more."""

    DRAFT = "draft", _("draft")
    SCHEDULED = "scheduled", _("scheduled")
    SENDING = "sending", _("being sent")
    SENT = "sent", _("sent")
    WITHDRAWN = "withdrawn", _("withdrawn")


ANNOUNCEMENT_MOVES: dict[tuple[AnnouncementState, str], AnnouncementState] = {
    (AnnouncementState.DRAFT, "change"): AnnouncementState.DRAFT,
    (AnnouncementState.SCHEDULED, "change"): AnnouncementState.SCHEDULED,
    (AnnouncementState.DRAFT, "schedule"): AnnouncementState.SCHEDULED,
    # For another moment.
    (AnnouncementState.SCHEDULED, "schedule"): AnnouncementState.SCHEDULED,
    # Who scheduled it is no operator any more as its moment comes.
    (AnnouncementState.SCHEDULED, "put back"): AnnouncementState.DRAFT,
    (AnnouncementState.SCHEDULED, "send"): AnnouncementState.SENDING,
    (AnnouncementState.SENDING, "finish"): AnnouncementState.SENT,
    **{
        (state, "withdraw"): AnnouncementState.WITHDRAWN
        for state in AnnouncementState
        if state != AnnouncementState.WITHDRAWN
    },
}
# Whoever signs in may read it; people are, or were, told of it.
ANNOUNCED = (AnnouncementState.SENDING, AnnouncementState.SENT)


class AnnouncedTo(models.TextChoices):
    """What a project must have in the chosen zones for its people to be told."""

    QUOTA = "quota", _("with quota there")
    USAGE = "usage", _("with something in use there")
    EITHER = "either", _("with quota or something in use there")
