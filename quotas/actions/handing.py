"""What handing something on would mean, in words, and what one should know before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from portal.lib.amounts import format_amount
from portal.lib.moments import day_words, full_day_words, last_day
from projects.actions.delegations import Terms
from projects.models import Delegation
from projects.queries.viewers import live_delegations
from projects.states import GIVING, Power
from quotas.models import DelegationBound
from quotas.queries.explain import Reason
from quotas.queries.hanging import roles_there
from quotas.queries.totals import Total, totals_of

from .bounds import Bound
from .explaining import handing_reasons

MANY_PEOPLE = 20
FEW_NAMES = 3


@dataclass(frozen=True)
class Warn:
    """Something to know, not an obstacle."""

    text: str
    tone: str = "warn"


@dataclass(frozen=True)
class HandOnPreview:
    """`does`: one sentence each of what would be so; `warns`: what to know before; `reasons`: what
    bounds each row, and who could hand on more."""

    does: list[str]
    warns: list[Warn]
    reasons: list[Reason]


def hand_on_preview(
    parent: Delegation, terms: Terms, bounds: Sequence[Bound], size: int | None, now: datetime
) -> HandOnPreview:
    """What these terms would do. size: of the group, if it is one. At most seven queries."""
    gives = any(power in GIVING for power in terms.powers)
    return HandOnPreview(
        does=_does(terms, bounds, now),
        warns=_warns(parent, terms, bounds, size, now),
        reasons=handing_reasons(parent, bounds) if gives else [],
    )


def _does(terms: Terms, bounds: Sequence[Bound], now: datetime) -> list[str]:
    who = terms.user or terms.group
    powers = ", ".join(str(Power(each).label) for each in terms.powers)
    words = {"who": who or _("They"), "powers": powers or "…", "unit": terms.unit.label}
    does = [_("%(who)s may %(powers)s for %(unit)s and all below.") % words, _period(terms, now)]
    if any(power in GIVING for power in terms.powers):
        does += [amount_words(each) for each in bounds]
    does.append(
        ngettext(
            "They may hand it on %(count)d more time.",
            "They may hand it on %(count)d more times.",
            terms.depth,
        )
        % {"count": terms.depth}
        if terms.depth
        else _("They cannot hand it on.")
    )
    return does


def amount_words(bound: Bound | DelegationBound) -> str:
    """Return "64 vCPU in compute-a a decision, counted over 30 days; 200 in all, every year"."""
    what = (bound if isinstance(bound, Bound) else Bound.of(bound)).what
    unit = bound.resource.unit if bound.resource else ""
    if bound.per_decision is None and bound.total is None:
        return _("Any amount of %(what)s.") % {"what": what}
    said = []
    if bound.per_decision is not None:
        words = {"amount": format_amount(bound.per_decision, unit), "days": bound.window_days}
        said.append(_("%(amount)s a decision, counted over %(days)s days") % words)
    if bound.total is not None:
        words = {"amount": format_amount(bound.total, unit), "days": bound.period_days or 0}
        said.append(
            _("%(amount)s in all, anew every %(days)s days") % words
            if bound.period_days
            else _("%(amount)s in all") % words
        )
    return _("%(label)s: %(words)s") % {"label": what, "words": "; ".join(said)} + "."


def _period(terms: Terms, now: datetime) -> str:
    start = _("from now")
    if terms.starts_at > now:
        start = _("from %(day)s") % {"day": full_day_words(timezone.localdate(terms.starts_at))}
    if terms.ends_at is None:
        return _("%(start)s, without end.") % {"start": start.capitalize()}
    words = {"start": start.capitalize(), "end": full_day_words(last_day(terms.ends_at))}
    return _("%(start)s until the end of %(end)s.") % words


def _warns(
    parent: Delegation, terms: Terms, bounds: Sequence[Bound], size: int | None, now: datetime
) -> list[Warn]:
    warns = [*_about_holder(terms, size, now), *_about_rest(parent, terms, bounds, now)]
    if terms.ends_at is None:
        warns.append(Warn(_("It has no end: it holds until somebody takes it back.")))
    is_open = any(each.per_decision is None and each.total is None for each in bounds)
    if is_open and any(power in GIVING for power in terms.powers):
        warns.append(Warn(_("There are rows without an amount: of these they may give any.")))
    return warns


def _about_holder(terms: Terms, size: int | None, now: datetime) -> list[Warn]:
    warns = []
    if size is not None:
        words: dict[str, object] = {"count": size, "group": terms.group}
        sentence = ngettext(
            "%(count)d person is in %(group)s now; whoever joins it may do this too.",
            "%(count)d people are in %(group)s now; whoever joins it may do this too.",
            size,
        )
        warns.append(Warn(sentence % words, "warn" if size >= MANY_PEOPLE or not size else "busy"))
    if terms.user is None:
        return warns
    held = roles_there(terms.user, terms.unit.path, now)
    if held:
        names = ", ".join(each.name for each in held[:FEW_NAMES])
        words = {"who": terms.user, "names": names, "more": "" if len(held) <= FEW_NAMES else " …"}
        sentence = _("%(who)s works in %(names)s%(more)s there: others must decide for these.")
        warns.append(Warn(sentence % words))
    same = live_delegations(now).filter(user=terms.user, unit=terms.unit)
    for each in same[:FEW_NAMES]:
        words = {"who": terms.user, "name": each, "unit": terms.unit.label}
        warns.append(Warn(_("%(who)s holds %(name)s for %(unit)s already.") % words, "busy"))
    return warns


def _about_rest(
    parent: Delegation, terms: Terms, bounds: Sequence[Bound], now: datetime
) -> list[Warn]:
    """Where more is handed on than is left of one's own total, in its period of now."""
    warns = []
    for total in totals_of([parent], list(terms.powers), now).get(parent.pk, []):
        for each in bounds:
            if (
                each.total is not None
                and Bound.of(total.bound).covers(each.resource, each.zone)
                and total.left < each.total <= total.most
            ):
                warns.append(Warn(_too_much(each, total, now)))
    return warns


def _too_much(given: Bound, total: Total, now: datetime) -> str:
    words = {
        "what": given.what,
        "left": format_amount(total.left, total.unit),
        "given": format_amount(given.total or 0, total.unit),
    }
    sentence = _("Of %(what)s you have %(left)s left yourself, and hand on %(given)s.") % words
    if total.refills_at is None:
        return sentence
    day = day_words(total.refills_at.date(), now)
    return sentence + " " + _("Yours fills up again on %(day)s.") % {"day": day}
