"""The word, icon and tone of every state: one table, so that a state looks the same everywhere."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Look:
    """How one state is shown; tone is "", "ok", "warn", "bad" or "busy"."""

    word: str | Promise
    icon: str
    tone: str = ""


# (what it is, state) → look. A check mark stands only where something was read back or is in force.
LOOKS: dict[tuple[str, str], Look] = {
    ("line", "draft"): Look(_("draft"), "pencil"),
    ("line", "open"): Look(_("waits for a decision"), "clock"),
    ("line", "returned"): Look(_("returned"), "back", "warn"),
    ("line", "granted"): Look(_("granted"), "stamp", "busy"),
    ("line", "declined"): Look(_("declined"), "cross", "bad"),
    ("line", "withdrawn"): Look(_("withdrawn"), "back"),
    ("request", "draft"): Look(_("draft"), "pencil"),
    ("request", "open"): Look(_("waits for a decision"), "clock"),
    ("request", "returned"): Look(_("returned"), "back", "warn"),
    ("request", "partly_decided"): Look(_("partly decided"), "half", "busy"),
    ("request", "granted"): Look(_("granted"), "stamp", "busy"),
    ("request", "applying"): Look(_("applying"), "half", "busy"),
    ("request", "refused"): Look(_("refused by the cloud"), "stop", "bad"),
    ("request", "applied"): Look(_("applied"), "check", "ok"),
    ("request", "not enforced"): Look(_("not enforced"), "minus", "warn"),
    ("request", "declined"): Look(_("declined"), "cross", "bad"),
    ("request", "withdrawn"): Look(_("withdrawn"), "back"),
    ("project", "proposed"): Look(_("proposed"), "clock"),
    ("project", "active"): Look(_("active"), "check", "ok"),
    ("project", "suspended"): Look(_("suspended"), "lock", "warn"),
    ("project", "closing"): Look(_("closing"), "half", "warn"),
    ("project", "closed"): Look(_("closed"), "lock"),
    ("target", "waiting"): Look(_("waits for the project"), "clock"),
    ("target", "due"): Look(_("is next"), "clock", "busy"),
    # Not a state of its own: due, and held up by its endpoint.
    ("target", "held"): Look(_("waits"), "lock", "warn"),
    ("target", "leased"): Look(_("being written"), "half", "busy"),
    ("target", "applied"): Look(_("applied"), "check", "ok"),
    ("target", "retrying"): Look(_("retrying"), "retry", "warn"),
    ("target", "refused"): Look(_("refused"), "stop", "bad"),
    ("target", "dirty"): Look(_("to be read again"), "retry", "busy"),
    ("target", "skipped"): Look(_("skipped by an operator"), "minus", "warn"),
    ("endpoint", "open"): Look(_("answers"), "check", "ok"),
    ("endpoint", "paused"): Look(_("paused"), "lock", "warn"),
    ("endpoint", "read-only"): Look(_("read-only"), "lock", "warn"),
    ("endpoint", "read_only"): Look(_("read-only"), "lock", "warn"),
    ("endpoint", "unreachable"): Look(_("does not answer"), "plug", "bad"),
    ("letter", "due"): Look(_("waits"), "clock", "busy"),
    ("letter", "sending"): Look(_("being sent"), "half", "busy"),
    ("letter", "sent"): Look(_("sent"), "check", "ok"),
    ("letter", "refused"): Look(_("refused by the mail server"), "stop", "bad"),
    ("letter", "given up"): Look(_("given up"), "cross", "bad"),
    ("letter", "unknown"): Look(_("perhaps sent"), "warn", "warn"),
    ("letter", "withheld"): Look(_("nothing left to tell"), "minus"),
    ("announcement", "draft"): Look(_("draft"), "pencil"),
    ("announcement", "scheduled"): Look(_("scheduled"), "calendar", "busy"),
    ("announcement", "sending"): Look(_("being sent"), "half", "busy"),
    ("announcement", "sent"): Look(_("sent"), "send", "busy"),
    ("announcement", "withdrawn"): Look(_("withdrawn"), "back"),
    ("policy", "draft"): Look(_("draft"), "pencil"),
    ("policy", "on"): Look(_("on"), "check", "ok"),
    ("policy", "off"): Look(_("off"), "minus"),
    # Not a state of its own: on, and without the authority that it stands on.
    ("policy", "ended"): Look(_("without effect"), "warn", "warn"),
    ("webhook", "on"): Look(_("on"), "check", "ok"),
    ("webhook", "off"): Look(_("off"), "minus"),
    ("webhook", "disabled"): Look(_("disabled"), "warn", "bad"),
    ("call", "due"): Look(_("waits"), "clock", "busy"),
    ("call", "taken"): Look(_("taken"), "check", "ok"),
    ("call", "given up"): Look(_("given up"), "cross", "bad"),
    ("call", "withheld"): Look(_("no longer yours to see"), "lock"),
    ("job", "queued"): Look(_("is next"), "clock", "busy"),
    ("job", "running"): Look(_("under way"), "half", "busy"),
    ("job", "ended"): Look(_("ended"), "tray"),
    ("item", "waiting"): Look(_("waiting"), "clock"),
    # No check mark: what was asked for is under way, nothing was read back.
    ("item", "done"): Look(_("done"), "stamp", "busy"),
    ("item", "refused"): Look(_("not done"), "stop", "bad"),
    ("drift", "limit changed"): Look(_("limit changed outside"), "pencil", "warn"),
    ("drift", "unlimited"): Look(_("unlimited"), "up", "bad"),
    ("drift", "usage above"): Look(_("usage above the limit"), "warn", "bad"),
    ("drift", "key missing"): Look(_("limit missing"), "minus", "warn"),
    ("drift", "project missing"): Look(_("project missing"), "cross", "bad"),
    ("drift", "project disabled"): Look(_("project disabled"), "lock", "bad"),
    ("drift", "project renamed"): Look(_("project renamed"), "pencil", "warn"),
    ("drift", "restored"): Look(_("restored"), "check", "ok"),
    ("drift", "adopted"): Look(_("adopted"), "stamp", "busy"),
    ("drift", "gone"): Look(_("gone by itself"), "check"),
    ("room", "ample"): Look(_("ample"), "check"),
    ("room", "tight"): Look(_("tight"), "warn", "warn"),
    ("room", "none"): Look(_("none"), "stop", "bad"),
    ("room", "unknown"): Look(_("unknown"), "minus"),
    ("message", "debug"): Look(_("Note"), "info"),
    ("message", "info"): Look(_("Note"), "info", "busy"),
    ("message", "success"): Look(_("Done"), "check", "ok"),
    ("message", "warning"): Look(_("Take care"), "warn", "warn"),
    ("message", "error"): Look(_("Not done"), "stop", "bad"),
}


def look_of(kind: str, code: str) -> Look:
    """Return the look of a state; one that has none yet is shown by its code, without tone."""
    return LOOKS.get((kind, code)) or Look(code.replace("_", " "), "info")
