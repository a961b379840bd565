"""What a requester is told while a service is not as it should be: a sentence that helps, an id.

The service's own words are for operators and auditors; no sentence here repeats them.
"""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from portal.lib.moments import minute_words
from quotas.models import Endpoint, Limit, Target
from quotas.problems import match
from quotas.states import EndpointState, TargetState

# What a worker would do something about, were the endpoint open.
STOPPED = (TargetState.DUE, TargetState.DIRTY, TargetState.RETRYING)


@dataclass(frozen=True)
class Trouble:
    """What is the matter, what it means and who moves next."""

    tone: str
    icon: str
    heading: str
    text: str
    error_id: str = ""
    own_words: str = ""


def trouble_of(endpoint: Endpoint, target: Target | None) -> Trouble | None:
    """None where all is well, or will be in a moment.

    endpoint: with its identity endpoint, whose pause or silence stops it too.
    """
    holder = held_by(endpoint)
    if holder is not None:
        return _closed(holder) or _silent(holder, target)
    return _target_trouble(target, {"name": endpoint.name}) if target is not None else None


def sentence_of(target: Target) -> str:
    """The trouble of a target in plain text; empty where all is well."""
    trouble = trouble_of(target.endpoint, target)
    return f"{trouble.heading}. {trouble.text}" if trouble else ""


def left_out_sentence(limit: Limit) -> str:
    """Why a limit is enforced nowhere; empty where it is enforced."""
    if limit.left_out_at is None:
        return ""
    reason = as_sentence(limit.left_out_reason)
    words = {"name": limit.endpoint.name, "limit": limit.name, "reason": reason}
    return _("%(name)s does not have %(limit)s, so it is not enforced. %(reason)s") % words


def as_sentence(reason: str) -> str:
    """What somebody wrote, ended as a sentence is, so that another can follow."""
    text = reason.strip()
    return text if not text or text.endswith((".", "!", "?", "…")) else f"{text}."


def held_by(endpoint: Endpoint) -> Endpoint | None:
    """The endpoint that stops work at this one: itself or its identity endpoint; None: none.

    One that a person closed is said rather than one that fails: there somebody can be asked.
    A read-only identity endpoint stops no service behind it.
    """
    if endpoint.state in (EndpointState.PAUSED, EndpointState.READ_ONLY):
        return endpoint
    identity = endpoint.identity
    if identity is not None and identity.state == EndpointState.PAUSED:
        return identity
    for each in (endpoint, identity):
        if each is not None and each.state == EndpointState.UNREACHABLE:
            return each
    return None


def shown_state(endpoint: Endpoint, state: str) -> str:
    """A target's state as people read it: "held" for what its endpoint stops.

    endpoint: with its identity endpoint. At one that is silent something is still tried.
    """
    holder = held_by(endpoint)
    if holder is None or state not in STOPPED:
        return state
    is_silent = holder.state == EndpointState.UNREACHABLE
    return state if is_silent and state != TargetState.DUE else "held"


def _silent(endpoint: Endpoint, target: Target | None) -> Trouble:
    return Trouble(
        "bad",
        "plug",
        _("%(name)s does not answer") % {"name": endpoint.name},
        _(
            "The figures are from when it last did. What runs there is not touched by this, "
            "and what was approved is applied as soon as it answers."
        ),
        target.error_id if target else "",
        target.error_words if target else "",
    )


def _closed(endpoint: Endpoint) -> Trouble | None:
    """Paused or read-only: by whom, why, until when; None where it is neither."""
    name = {"name": endpoint.name}
    if endpoint.state == EndpointState.PAUSED:
        heading = _("%(name)s is paused") % name
    elif endpoint.state == EndpointState.READ_ONLY:
        heading = _("%(name)s is read-only") % name
    else:
        return None
    sentences = [
        _until_when(endpoint),
        _("Ask as usual. What is approved meanwhile is applied once it is open again."),
    ]
    if reason := as_sentence(endpoint.state_reason):
        who = str(endpoint.state_by).strip() if endpoint.state_by else ""
        words = _("%(who)s says:") % {"who": who} if who else _("The operators say:")
        sentences.append(f"{words} {reason}")
    return Trouble("warn", "lock", heading, " ".join(each for each in sentences if each))


def _until_when(endpoint: Endpoint) -> str:
    if endpoint.state_until is None:
        return ""
    return _("It opens again by %(moment)s.") % {"moment": minute_words(endpoint.state_until)}


def _target_trouble(target: Target, name: dict[str, str]) -> Trouble | None:
    found = {
        TargetState.RETRYING: _retrying,
        TargetState.REFUSED: _refused,
        TargetState.SKIPPED: _skipped,
        TargetState.WAITING: _waiting,
    }.get(TargetState(target.state))
    if found is None:
        return None
    tone, icon, heading, text = found(target)
    return Trouble(tone, icon, heading % name, text % name, target.error_id, target.error_words)


def _retrying(target: Target) -> tuple[str, str, str, str]:
    heading = _("%(name)s has not taken the change yet; Remit tries again by itself")
    return "warn", "retry", heading, _for_people(target)


def _refused(target: Target) -> tuple[str, str, str, str]:
    text = _for_people(target)
    if target.error_code == "below_usage":
        # The sentence is ours, not the service's; its figures are the reader's own.
        figures = target.error_words.partition(". ")[2].replace("%", "%%")
        text = f"{text} {figures}."
    return "bad", "stop", _("%(name)s did not take the change"), text


def _for_people(target: Target) -> str:
    """What is known of the error that a target has, as requesters read it."""
    return match(target.endpoint.driver, target.error_code, target.error_words).for_people


def _skipped(target: Target) -> tuple[str, str, str, str]:
    text = _("An operator left this out until the project's quota changes again.")
    reason = as_sentence(target.skip_reason).replace("%", "%%")
    return "warn", "minus", _("%(name)s is left out for now"), f"{text} {reason}".strip()


def _waiting(_target: Target) -> tuple[str, str, str, str]:
    return (
        "busy",
        "clock",
        _("%(name)s waits for the project to exist in the cloud"),
        _("It is made first; then the limits follow by themselves."),
    )
