"""What a plan says about a limit, an endpoint and a refresh that will not come."""

from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount, format_exact, format_pair
from quotas.models import Endpoint, Target
from quotas.states import DriftKind, EndpointState, TargetState

from .plan import PlanLimit, Verdict
from .preview import Warn

# A look that began longer ago was lost with its worker.
LOOKING = timedelta(minutes=1)
# Kinds of drift that the verdict or the figures say already.
_SAID = {
    Verdict.DRIFT: (DriftKind.LIMIT_CHANGED, DriftKind.UNLIMITED),
    Verdict.MISSING: (DriftKind.KEY_MISSING,),
}


def warnings_of(row: PlanLimit, target: Target) -> list[Warn]:
    """What to know about a limit; `code` is the verdict's, or what else is amiss."""
    found = [*_verdict_warning(row, target)]
    if row.is_unlimited and row.verdict not in (Verdict.UNREAD, Verdict.PUBLIC):
        hint = _("Remit writes a number there.") if row.will_change else ""
        found.append(Warn("unlimited", _("The service sets no limit here."), hint))
    if row.drift_kind and not _is_said(row):
        kind = DriftKind(row.drift_kind)
        found.append(Warn("drift", _("Drift: %(kind)s.") % {"kind": kind.label}))
    return found


def _is_said(row: PlanLimit) -> bool:
    return row.drift_kind in _SAID.get(row.verdict, ()) or (
        row.drift_kind == DriftKind.UNLIMITED and row.is_unlimited
    )


def _verdict_warning(row: PlanLimit, target: Target) -> list[Warn]:
    said = _SENTENCES.get(row.verdict)
    if said is None or (row.verdict == Verdict.LEFT_OUT and not row.granted):
        return []
    text, hint, tone = said(row, target)
    return [Warn(row.verdict.value.replace(" ", "_"), text, hint, tone)]


def _unread(row: PlanLimit, target: Target) -> tuple[str, str, str]:
    return _("Not read yet."), _("What is there is known once it was read."), "warn"


def _left_out(row: PlanLimit, target: Target) -> tuple[str, str, str]:
    granted = {"granted": format_amount(row.granted, row.limit.quota_unit)}
    text = _("Left out by an operator: %(granted)s granted are not enforced here.") % granted
    return text, row.limit.left_out_reason, "warn"


def _missing(row: PlanLimit, target: Target) -> tuple[str, str, str]:
    text = _("The service has no limit called %(key)s.") % {"key": row.limit.key}
    hint = _("It may not exist in this release, or its volume type is gone.")
    return text, hint, "bad"


def _above(row: PlanLimit, target: Target) -> tuple[str, str, str]:
    most = 0 if row.limit.maximum is None else row.limit.maximum
    words = {
        "granted": format_exact(row.granted, row.limit.unit),
        "most": format_exact(most, row.limit.unit),
    }
    text = _("%(granted)s granted, the service takes at most %(most)s.") % words
    return text, _("Nothing is written here until less is granted."), "bad"


def _public(row: PlanLimit, target: Target) -> tuple[str, str, str]:
    text = _("Everybody may use it, as it is public there.")
    return text, _("Make it private in the cloud, or take it out of the catalogue."), "bad"


def _below(row: PlanLimit, target: Target) -> tuple[str, str, str]:
    taken = 0 if row.taken is None else row.taken
    used, granted = format_pair(taken, row.granted, row.limit.unit)
    text = _("%(used)s in use, %(granted)s granted.") % {"used": used, "granted": granted}
    return text, _("Nothing is written below what is in use."), "bad"


def _skipped(row: PlanLimit, target: Target) -> tuple[str, str, str]:
    text = _("An operator left this target out until the next change.")
    return text, target.skip_reason, "warn"


def _drifted(row: PlanLimit, target: Target) -> tuple[str, str, str]:
    if row.is_kept:
        text = _("It was so before the cloud was taken over.")
        return text, _("It stays so until somebody says what it is to be."), "warn"
    text = _("Changed outside Remit after it was applied.")
    return text, _("It stays so until somebody restores or adopts it."), "warn"


_SENTENCES = {
    Verdict.UNREAD: _unread,
    Verdict.LEFT_OUT: _left_out,
    Verdict.MISSING: _missing,
    Verdict.ABOVE: _above,
    Verdict.PUBLIC: _public,
    Verdict.BELOW: _below,
    Verdict.SKIPPED: _skipped,
    Verdict.DRIFT: _drifted,
}


def project_warnings(kinds: tuple[str, ...]) -> list[Warn]:
    """What is amiss with a project as a whole at its identity service."""
    return [
        Warn("drift", _("Drift: %(kind)s.") % {"kind": DriftKind(kind).label}, tone="bad")
        for kind in kinds
    ]


def endpoint_warning(endpoint: Endpoint) -> Warn | None:
    """Why nothing of the plan is carried out now; None where it is."""
    for each in (endpoint, endpoint.identity):
        found = _held_up(each) if each is not None else None
        if found is not None:
            return found
    return None


def _held_up(endpoint: Endpoint) -> Warn | None:
    name = {"name": endpoint.name}
    if endpoint.state == EndpointState.PAUSED:
        return Warn(
            "paused",
            _("%(name)s is paused: nothing is written or read there.") % name,
            endpoint.state_reason,
        )
    if endpoint.state == EndpointState.UNREACHABLE:
        return Warn(
            "unreachable",
            _("%(name)s does not answer: all this happens once it does.") % name,
            tone="bad",
        )
    if endpoint.state == EndpointState.READ_ONLY and endpoint.identity is not None:
        return Warn(
            "read-only",
            _("%(name)s is read-only: readings go on, nothing is written.") % name,
            endpoint.state_reason,
        )
    return None


def no_refresh(target: Target) -> str:
    """Why a reading of this target cannot be asked for now; empty where it can."""
    return {
        TargetState.WAITING: _("It waits for its project, of which there is nothing to read yet."),
        TargetState.DUE: _("It is next to be worked on, which reads it."),
        TargetState.LEASED: _("It is being worked on, which reads it."),
        TargetState.DIRTY: _("It is read again by itself as soon as no former write can come."),
        TargetState.RETRYING: _(
            "It is tried again by itself, which reads it; or have it tried now."
        ),
    }.get(TargetState(target.state), "")


def no_reading(target: Target) -> str:
    """As `no_refresh`, and what its endpoint says to it, which comes first."""
    for each in (target.endpoint, target.endpoint.identity):
        if each is not None and each.state in (EndpointState.PAUSED, EndpointState.UNREACHABLE):
            found = _held_up(each)
            return found.text if found else ""
    return no_refresh(target)


def is_asked(target: Target, now: datetime) -> bool:
    """Whether a reading was asked for, or has begun, and has not come yet."""
    if no_refresh(target):
        return False
    if target.looked_at is None:
        return True
    is_read = target.observed_at is not None and target.observed_at >= target.looked_at
    has_failed = bool(target.look_error_code)
    return not is_read and not has_failed and target.looked_at > now - LOOKING
