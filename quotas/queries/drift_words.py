"""Drift in words: what differs, what it means, and what can be done about it.

The sentences are ours; nothing here repeats what a service said.
"""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.lib.amounts import format_amount
from quotas.models import Drift
from quotas.states import RESTORABLE, DriftEnd, DriftKind

# What an import found so, and nobody has said since what it is to be.
_KEPT = {
    DriftKind.LIMIT_CHANGED: gettext_lazy(
        "%(endpoint)s says %(seen)s for %(limit)s since before the cloud was taken over. It stays "
        "so until somebody says what it is to be."
    ),
    DriftKind.UNLIMITED: gettext_lazy(
        "%(endpoint)s sets no limit on %(limit)s since before the cloud was taken over. It stays "
        "so until somebody says what it is to be."
    ),
}


def sentence_of(drift: Drift) -> str:
    """What differs, in one sentence that names the service."""
    # As `drifts` asks; of others nobody knows.
    if getattr(drift, "is_kept", False) and drift.kind in _KEPT:
        return str(_KEPT[DriftKind(drift.kind)]) % _words(drift)
    if drift.kind == DriftKind.UNLIMITED and drift.limit is not None and drift.limit.is_access:
        return _("%(endpoint)s lets everybody use %(limit)s: it is public there.") % _words(drift)
    pattern = {
        DriftKind.LIMIT_CHANGED: _(
            "%(endpoint)s says %(seen)s for %(limit)s instead of %(wanted)s."
        ),
        DriftKind.UNLIMITED: _("%(endpoint)s sets no limit on %(limit)s instead of %(wanted)s."),
        DriftKind.USAGE_ABOVE: _(
            "%(endpoint)s counts %(seen)s of %(limit)s in use, above its limit of %(wanted)s."
        ),
        DriftKind.KEY_MISSING: _(
            "%(endpoint)s no longer knows the limit %(limit)s, where %(wanted)s is wanted."
        ),
        DriftKind.PROJECT_MISSING: _("The project is gone from %(endpoint)s."),
        DriftKind.PROJECT_DISABLED: _("The project is disabled in %(endpoint)s."),
        DriftKind.PROJECT_RENAMED: _("%(endpoint)s calls the project %(name)s."),
    }[DriftKind(drift.kind)]
    return pattern % _words(drift)


def restoring_words(drift: Drift) -> str:
    """What a restore will do."""
    return {
        DriftKind.LIMIT_CHANGED: _("%(limit)s at %(endpoint)s is set to %(wanted)s again."),
        DriftKind.UNLIMITED: _("%(limit)s at %(endpoint)s is set to %(wanted)s again."),
        DriftKind.PROJECT_MISSING: _(
            "The project is made anew in %(endpoint)s, with a new id and without what it held; "
            "its limits follow."
        ),
        DriftKind.PROJECT_DISABLED: _("The project is enabled again in %(endpoint)s."),
        DriftKind.PROJECT_RENAMED: _("The project is called %(project)s again in %(endpoint)s."),
    }.get(DriftKind(drift.kind), "") % _words(drift)


def why_not_restore(drift: Drift) -> str:
    """Why it cannot be restored, and what helps instead; empty where it can."""
    if drift.ended_at is not None:
        return ended_words(drift)
    if drift.kind in RESTORABLE:
        return ""
    pattern = (
        _(
            "A limit that %(endpoint)s does not know cannot be set. Make it known there again, "
            "or leave the limit out with a notice."
        )
        if drift.kind == DriftKind.KEY_MISSING
        else _(
            "Nothing is deleted to make use fit. The project's people free something in "
            "%(endpoint)s, or more is granted by a request; Remit looks again by itself."
        )
    )
    return pattern % _words(drift)


def why_not_adopt(drift: Drift) -> str:
    """Why what was seen cannot become the quota, and what helps; empty where it can."""
    if drift.ended_at is not None:
        return ended_words(drift)
    pattern = {
        DriftKind.LIMIT_CHANGED: "",
        DriftKind.UNLIMITED: _(
            "Unlimited is no amount that anybody could grant. Restore %(wanted)s, or grant more "
            "by a request."
        ),
        DriftKind.USAGE_ABOVE: _(
            "Use is not a limit that somebody set. Grant more by a request, or have something "
            "freed in %(endpoint)s."
        ),
        DriftKind.KEY_MISSING: _(
            "There is no limit at %(endpoint)s to adopt. Make it known there again, or leave it "
            "out with a notice."
        ),
        DriftKind.PROJECT_MISSING: _(
            "A project that is gone has no limit to adopt. Restore it first, or let it go."
        ),
    }.get(DriftKind(drift.kind), _("Only a limit can be adopted; the project can be restored."))
    return pattern % _words(drift)


def ended_words(drift: Drift) -> str:
    """How and that it ended."""
    return {
        DriftEnd.RESTORED: _("This is over: it was restored."),
        DriftEnd.ADOPTED: _("This is over: it was adopted."),
        DriftEnd.GONE: _("This is over: it went away by itself."),
    }[DriftEnd(drift.end)]


def adopted_reason(drift: Drift) -> str:
    """The reason of the request by which a limit is adopted."""
    words = _words(drift) | {"key": drift.limit.key if drift.limit else ""}
    return (
        _("Adopted what was set outside Remit at %(endpoint)s: %(key)s %(wanted)s → %(seen)s.")
        % words
    )


def _words(drift: Drift) -> dict[str, str]:
    limit = drift.limit
    unit = limit.quota_unit if limit else ""
    return {
        "endpoint": drift.target.endpoint.name,
        "project": drift.target.project.name,
        "limit": limit.name if limit else "",
        "wanted": "" if drift.wanted is None else format_amount(drift.wanted, unit),
        "seen": "" if drift.seen is None else format_amount(max(drift.seen, 0), unit),
        "name": drift.seen_name,
    }
