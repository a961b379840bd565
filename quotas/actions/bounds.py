"""Bounds of a delegation as they are handed on: well formed, within the grantor's own, or trimmed.

Pure, but for `held_bounds` and `store`: rows are compared where they meet, one resource in one
zone at a time, with "any other" standing for all that no row names.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from portal.lib.amounts import MAX_AMOUNT, format_amount
from projects.models import Delegation
from projects.states import GIVING, REPAIRING, Power
from quotas.models import DelegationBound, Resource, Zone

MAX_BOUNDS = 100
MAX_DAYS = 3660
WINDOW_DAYS = 30


@dataclass(frozen=True)
class Bound:
    """How much may be given, in base units; None: any resource, any zone, no bound.

    The meaning of each is that of the columns of DelegationBound.
    """

    resource: Resource | None = None
    zone: Zone | None = None
    per_decision: int | None = None
    window_days: int = WINDOW_DAYS
    total: int | None = None
    period_days: int | None = None

    @classmethod
    def of(cls, row: DelegationBound) -> "Bound":
        """What a stored row says."""
        return cls(
            row.resource, row.zone, row.per_decision, row.window_days, row.total, row.period_days
        )

    def covers(self, resource: Resource | None, zone: Zone | None) -> bool:
        """Whether it speaks of a resource in a zone; None: of one that no row names."""
        return self.resource in (None, resource) and self.zone in (None, zone)

    @property
    def what(self) -> str:
        """Return "vCPU in compute-a", "every resource"."""
        resource = self.resource.name if self.resource else _("every resource")
        if self.zone is None:
            return str(resource)
        return _("%(resource)s in %(zone)s") % {"resource": resource, "zone": self.zone.name}


UNBOUNDED = (Bound(),)


@dataclass(frozen=True)
class Problem:
    """What is wrong with one row (its index; None: with all of them).

    dimension: "" where the row makes no sense by itself; else what goes beyond the grantor's
    bound, and `bound` how far one may go (base units, days, or slugs).
    """

    row: int | None
    sentence: str
    dimension: str = ""
    bound: object = None

    @property
    def name(self) -> str:
        return "bounds" if self.row is None else f"bounds.{self.row}"


def problems_of(
    bounds: Sequence[Bound], powers: Collection[Power], held: Sequence[Bound]
) -> list[Problem]:
    """Everything wrong with handing these on; held: the grantor's own, or UNBOUNDED for a root.

    With powers that give they say how much, with those of repair only where, with others nothing.
    """
    gives, repairs = _asks(powers, GIVING), _asks(powers, REPAIRING)
    if not bounds:
        sentence = _("Say how much: without a bound nothing can be given.")
        return [Problem(None, sentence)] if gives or repairs else []
    senseless = list(_senseless(bounds))
    if senseless:
        return senseless
    if gives:
        return list(_beyond(bounds, held))
    return list(_beyond_zones(bounds, held)) if repairs else []


def held_bounds(delegation: Delegation) -> list[Bound]:
    """The rows of a delegation, in their order; one query."""
    rows = DelegationBound.objects.filter(delegation=delegation).order_by("pk")
    return [Bound.of(row) for row in rows.select_related("resource", "zone__region")]


def store(delegation: Delegation, bounds: Collection[Bound]) -> list[DelegationBound]:
    """Write the rows of a new delegation."""
    return DelegationBound.objects.bulk_create(unstored(delegation, bounds))


def unstored(delegation: Delegation, bounds: Collection[Bound]) -> list[DelegationBound]:
    """The rows that `store` writes."""
    return [
        DelegationBound(
            delegation=delegation,
            resource=bound.resource,
            zone=bound.zone,
            per_decision=bound.per_decision,
            window_days=bound.window_days,
            total=bound.total,
            period_days=bound.period_days,
        )
        for bound in bounds
    ]


def trimmed(bounds: Sequence[Bound], held: Sequence[Bound]) -> list[Bound] | None:
    """What of `bounds` lies within `held`; None where that cannot be said in rows.

    Every pair that meets gives a row with the tighter of each. A total over several zones that
    only fits zone by zone would become several totals, which together are more: None.
    """
    found: dict[tuple[Resource | None, Zone | None], Bound] = {}
    for bound in bounds:
        pieces = [piece for each in held if (piece := _meet(bound, each)) is not None]
        is_whole = any(piece.resource == bound.resource and piece.zone == bound.zone
                       for piece in pieces)  # fmt: skip
        if bound.total is not None and pieces and not is_whole:
            return None
        for piece in pieces:
            key = (piece.resource, piece.zone)
            found[key] = _tighter(found[key], piece) if key in found else piece
    return list(found.values()) or None


def _asks(powers: Collection[Power], kind: Collection[Power]) -> bool:
    return any(power in kind for power in powers)


def _senseless(bounds: Sequence[Bound]) -> Iterator[Problem]:
    if len(bounds) > MAX_BOUNDS:
        yield Problem(None, _("%(most)s rows are the most.") % {"most": MAX_BOUNDS})
        return
    seen: set[tuple[Resource | None, Zone | None]] = set()
    for row, bound in enumerate(bounds):
        key = (bound.resource, bound.zone)
        sentence = _("One resource in one zone has one bound.") if key in seen else _wrong(bound)
        seen.add(key)
        if sentence:
            yield Problem(row, sentence)


def _wrong(bound: Bound) -> str:
    for amount in (bound.per_decision, bound.total):
        if amount is not None and not 0 <= amount <= MAX_AMOUNT:
            words = {"amount": amount, "most": MAX_AMOUNT}
            return _("%(amount)s must lie between 0 and %(most)s.") % words
        if amount is not None and bound.resource is None:
            return _("An amount is of one resource: choose which.")
    for days in (bound.window_days, bound.period_days):
        if days is not None and not 1 <= days <= MAX_DAYS:
            return _("Days lie between 1 and %(most)s.") % {"most": MAX_DAYS}
    if bound.period_days is not None and bound.total is None:
        return _("Only a total refills: name one, or leave its days out.")
    return ""


def _beyond(bounds: Sequence[Bound], held: Sequence[Bound]) -> Iterator[Problem]:
    """The first problem of each row, in their order."""
    first: dict[int, Problem] = {}
    resources = dict.fromkeys([each.resource for each in (*bounds, *held)] + [None])
    zones = dict.fromkeys([each.zone for each in (*bounds, *held)] + [None])
    for resource in resources:
        for zone in zones:
            rows = [(row, each) for row, each in enumerate(bounds) if each.covers(resource, zone)]
            if not rows:
                continue
            # Every row that matches must hold, so the narrowest is the one to correct.
            row, bound = max(rows, key=lambda pair: _narrowness(pair[1]))
            mine = [each for each in held if each.covers(resource, zone)]
            problem = _beyond_here(row, bound, [each for __, each in rows], mine, held)
            if problem is not None:
                first.setdefault(problem.row or 0, problem)
    yield from (first[row] for row in sorted(first))


def _beyond_here(
    row: int, bound: Bound, given: list[Bound], mine: list[Bound], held: Sequence[Bound]
) -> Problem | None:
    """What is wrong where one resource in one zone is meant. given, mine: the rows about it."""
    if not mine:
        return _nothing_held(row, bound, held)
    for each in mine:
        problem = _over_decision(row, bound, given, each) or _over_total(row, bound, given, each)
        if problem is not None:
            return problem
    return None


def _nothing_held(row: int, bound: Bound, held: Sequence[Bound]) -> Problem:
    zones = [
        each.zone
        for each in held
        if each.zone is not None and (each.resource is None or each.resource == bound.resource)
    ]
    if zones and bound.zone is None and bound.resource is not None:
        yours = ", ".join(dict.fromkeys(zone.name for zone in zones))
        words = {"what": bound.what, "zones": yours}
        sentence = _("%(what)s is yours to give in %(zones)s alone: name a zone.") % words
        return Problem(row, sentence, "zone", sorted({zone.slug for zone in zones}))
    sentence = _("You may give nothing of %(what)s yourself.") % {"what": bound.what}
    return Problem(row, sentence, "bounds", 0)


def _over_decision(row: int, bound: Bound, given: list[Bound], mine: Bound) -> Problem | None:
    if mine.per_decision is None:
        return None
    within = [
        e for e in given if e.per_decision is not None and e.per_decision <= mine.per_decision
    ]
    words = _words(bound, mine)
    if not within:
        words["most"] = format_amount(mine.per_decision, _unit(mine))
        sentence = _("Of %(what)s you may give %(most)s per decision.") % words
        return Problem(row, _own_row(sentence, bound, mine), "per_decision", mine.per_decision)
    if not any(each.window_days >= mine.window_days for each in within):
        words["days"] = str(mine.window_days)
        sentence = (
            _("Decisions about %(what)s count together for %(days)s days, not fewer.") % words
        )
        return Problem(row, sentence, "window_days", mine.window_days)
    return None


def _over_total(row: int, bound: Bound, given: list[Bound], mine: Bound) -> Problem | None:
    if mine.total is None:
        return None
    within = [each for each in given if each.total is not None and each.total <= mine.total]
    words = _words(bound, mine)
    if not within:
        words["most"] = format_amount(mine.total, _unit(mine))
        sentence = _("Of %(what)s you may give %(most)s in all: name a total within it.") % words
        return Problem(row, _own_row(sentence, bound, mine), "total", mine.total)
    if any(_refills_no_sooner(each, mine) for each in within):
        return None
    words["days"] = str(mine.period_days)
    sentence = (
        _("Your total of %(what)s never refills: leave out after how many days it does.") % words
        if mine.period_days is None
        else _("Your total of %(what)s refills every %(days)s days, not sooner.") % words
    )
    return Problem(row, sentence, "period_days", mine.period_days)


def _refills_no_sooner(given: Bound, mine: Bound) -> bool:
    if given.period_days is None:
        return True
    return mine.period_days is not None and given.period_days >= mine.period_days


def _beyond_zones(bounds: Sequence[Bound], held: Sequence[Bound]) -> Iterator[Problem]:
    """For powers of those who repair, by which nothing is given: the zones alone count."""
    zones = {each.zone for each in held}
    if None in zones:
        return
    known = sorted((each for each in zones if each is not None), key=lambda zone: zone.name)
    yours, slugs = ", ".join(each.name for each in known), sorted(each.slug for each in known)
    for row, bound in enumerate(bounds):
        if bound.zone is None:
            sentence = _("You repair %(yours)s alone: name a zone.") % {"yours": yours}
            yield Problem(row, sentence, "zone", slugs)
        elif bound.zone not in zones:
            words = {"zone": bound.zone.name, "yours": yours or _("nothing")}
            sentence = _("%(zone)s is not yours to repair; you repair %(yours)s.") % words
            yield Problem(row, sentence, "zone", slugs)


def _meet(one: Bound, other: Bound) -> Bound | None:
    """The bound that says both where both speak; None where they never meet."""
    resource, zone = one.resource or other.resource, one.zone or other.zone
    if not (one.covers(resource, zone) and other.covers(resource, zone)):
        return None
    both = _tighter(one, other)
    return replace(both, resource=resource, zone=zone)


def _tighter(one: Bound, other: Bound) -> Bound:
    """`one` with the tighter of every amount and number of days."""
    periods = [each.period_days for each in (one, other) if each.total is not None]
    total = _least(one.total, other.total)
    # A total that never refills is the tightest.
    known = [each for each in periods if each is not None]
    period = max(known) if known and len(known) == len(periods) else None
    return replace(
        one,
        per_decision=_least(one.per_decision, other.per_decision),
        window_days=max(one.window_days, other.window_days),
        total=total,
        period_days=period,
    )


def _least(one: int | None, other: int | None) -> int | None:
    known = [each for each in (one, other) if each is not None]
    return min(known) if known else None


def _narrowness(bound: Bound) -> tuple[bool, bool]:
    return (bound.resource is not None, bound.zone is not None)


def _words(bound: Bound, mine: Bound) -> dict[str, str]:
    return {"what": (_meet(bound, mine) or mine).what}


def _unit(bound: Bound) -> str:
    return bound.resource.unit if bound.resource else ""


def _own_row(sentence: str, bound: Bound, mine: Bound) -> str:
    """What is only a part of a row needs one of its own to be bounded."""
    met = _meet(bound, mine)
    if met is None or (met.resource == bound.resource and met.zone == bound.zone):
        return sentence
    return sentence + " " + _("Give it a row of its own.")
