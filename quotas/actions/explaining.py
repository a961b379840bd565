"""What is the most that one may hand on, or fund, here: what bounds it, and who has more.

As quotas.queries.explain says it of what is granted to projects.
"""

from collections.abc import Collection, Sequence

from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from projects.models import Delegation, ancestor_paths
from quotas.models import Offering
from quotas.queries.authority import Mandate, mandate_of, usable
from quotas.queries.bounds import Most, Used, rooms, tightest
from quotas.queries.envelopes import Standing
from quotas.queries.explain import Cause, Reason, bound_reason, tightest_first

from .bounds import Bound
from .funding import POWER, Purse, source_name, what_of, whom_to_ask


def handing_reasons(parent: Delegation, bounds: Sequence[Bound]) -> list[Reason]:
    """What bounds each of these rows when it is handed on from `parent`; two queries at most."""
    mandate = mandate_of(parent)
    said = [
        reason
        for bound in bounds
        for cause in (Cause.PER_DECISION, Cause.TOTAL)
        if (reason := _most_to_hand_on(mandate, bound, cause)) is not None
    ]
    return list(dict.fromkeys(said))


def _most_to_hand_on(mandate: Mandate, bound: Bound, cause: Cause) -> Reason | None:
    """None: nothing bounds it here."""
    leaf = mandate.delegation
    most = _held(mandate, leaf, bound, cause)
    if most is None or bound.resource is None:
        return None
    unit = bound.resource.unit
    words = {"what": bound.what, "most": format_amount(most, unit), "name": leaf}
    sentence = (
        _("%(what)s: %(most)s a decision is the most here: your %(name)s allows no more.")
        if cause == Cause.PER_DECISION
        else _("%(what)s: %(most)s in all is the most here: your %(name)s allows no more.")
    )
    for link in reversed(mandate.chain[:-1]):
        more = _held(mandate, link, bound, cause)
        if more is None or more > most:
            words["who"] = _holder(link)
            words["more"] = _("any amount") if more is None else format_amount(more, unit)
            help_ = _("%(who)s has %(more)s to hand on: ask there.") % words
            return Reason(cause, most, sentence % words, help_)
    return Reason(cause, most, sentence % words, _("Nobody above has more."))


def _held(mandate: Mandate, link: Delegation, bound: Bound, cause: Cause) -> int | None:
    """What a link may give where a row is; None: any amount."""
    rows = [Bound.of(row) for row in mandate.bounds[link.pk]]
    about = [each for each in rows if each.covers(bound.resource, bound.zone)]
    amounts = [each.per_decision if cause == Cause.PER_DECISION else each.total for each in about]
    return min((each for each in amounts if each is not None), default=None)


def funding_reasons(purse: Purse, standings: Collection[Standing]) -> dict[int, tuple[Reason, ...]]:
    """{offering id: what bounds an increase of the unit's envelope, the tightest first}.

    As many queries for few offerings as for many that are paid from the same place.
    """
    asked: dict[str | None, str] = {}
    for standing in standings:
        path = _above_source(standing)
        if standing.source is not None and path not in asked:
            asked[path] = whom_to_ask(path, purse.viewer.now).get("who", "")
    return {
        standing.offering.pk: tightest_first(
            [_of_source(standing, asked), *_of_remit(purse, standing)]
        )
        for standing in standings
    }


def _above_source(standing: Standing) -> str | None:
    """The path of the unit above the one that pays; None: the pool is above it, or pays."""
    if standing.source is None or standing.source.unit is None:
        return None
    above = ancestor_paths(standing.source.unit.path)[:-1]
    return above[-1] if above else None


def _of_source(standing: Standing, asked: dict[str | None, str]) -> Reason:
    words = {
        "what": what_of(standing.offering), "source": source_name(standing),
        "left": format_amount(max(standing.source_left, 0), standing.offering.resource.unit),
    }  # fmt: skip
    operators = _("Those who operate the site can issue more.")
    if standing.source is None:
        sentence = _("Nothing of %(what)s was issued to the pool yet.") % words
        return Reason(Cause.ENVELOPE, 0, sentence, operators, word="none")
    sentence = _("At most %(left)s more: %(source)s has that left to give.") % words
    if standing.source.unit is None:
        return Reason(Cause.ENVELOPE, max(standing.source_left, 0), sentence, operators)
    words["who"] = asked[_above_source(standing)]
    help_ = _("%(who)s can fund %(source)s from above.") % words if words["who"] else ""
    return Reason(Cause.ENVELOPE, max(standing.source_left, 0), sentence, help_)


def _of_remit(purse: Purse, standing: Standing) -> list[Reason]:
    """Each bound of the widest mandate by which it could be funded, with who above has more."""
    offering = standing.offering
    mandates = [
        each
        for each in usable(purse.mandates, standing.source_path, POWER)
        if each.reaches(offering)
    ]
    if not mandates:
        return []
    widest = max(mandates, key=lambda each: _width(each, offering, purse.used))
    found = []
    for number, link in enumerate(widest.chain):
        for most in rooms(link, widest.bounds[link.pk], offering, purse.used):
            reason = bound_reason(most, widest, offering, purse.used, _("one envelope"))
            help_ = _who_has_more(widest, number, most, offering, purse.used)
            found.append(Reason(reason.cause, reason.room, reason.sentence, help_))
    return found


def _width(mandate: Mandate, offering: Offering, used: Used) -> tuple[bool, int]:
    amount = mandate.most(offering, used).amount
    return amount is None, amount or 0


def _who_has_more(mandate: Mandate, number: int, most: Most, offering: Offering, used: Used) -> str:
    """The nearest above a link of the chain whose own bounds leave more than one of its."""
    above = mandate.chain[:number]
    for length in range(len(above), 0, -1):
        left = tightest(
            each
            for link in above[:length]
            for each in rooms(link, mandate.bounds[link.pk], offering, used)
        )
        if left.covers((most.amount or 0) + 1):
            return _("%(who)s may give more.") % {"who": _holder(above[length - 1])}
    return _("Nobody above may give more now.")


def _holder(link: Delegation) -> str:
    return str(link.user or link.group)
