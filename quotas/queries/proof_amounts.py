"""Do the amounts of a decision agree with its transfers, and stayed they within every bound?"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from projects.models import Delegation
from quotas.models import Decision, DecisionLine, DelegationBound

from .bounds import matches, period_of
from .proof_findings import Finding, Judged, compare
from .proof_history import History, Net


@dataclass
class Sums:
    """What was consumed of totals so far, added up in the order of decisions.

    is_partial: decisions before were left out, so that a total begins with what the first
    decision says of it.
    """

    is_partial: bool = False
    used: dict[tuple[int, int], int] = field(default_factory=dict)
    # What replaced another delegation began with what that had consumed.
    carried: set[tuple[int, int]] = field(default_factory=set)


def amounts(decision: Decision, row: DecisionLine, history: History) -> Iterator[Finding]:
    """What was posted is what was granted, on the quota that was there."""
    moved = history.moved[row.pk]
    name = f"line {row.line_id}"
    pairs: list[tuple[str, Any, Any]] = [
        (f"{name} moved by its transfers", _net(row), moved.net),
    ]
    if moved.before is not None:
        pairs.append((f"{name} quota before", moved.before, row.before))
    yield from compare(decision, pairs)


def _net(row: DecisionLine) -> int:
    if row.granted is None or row.before is None:  # pragma: no cover - decisionline_grant_complete
        return 0
    return row.granted - row.before


def bounds(
    decision: Decision, proof: Mapping[str, Any], row: DecisionLine, history: History, sums: Sums
) -> Iterator[Finding]:
    """No bound of any link was passed, with what was consumed of it before."""
    increase, offering = _net(row), row.line.offering
    said = {
        each["bound"]: each
        for line in proof.get("lines", ())
        if line["line"] == row.line_id
        for each in line.get("bounds", ())
    }
    touched = set()
    for link_id in row.delegation.chain_ids:
        link = history.links[link_id]
        about = [each for each in history.bounds.get(link_id, []) if matches(each, offering)]
        if not about:
            yield Finding(decision.pk, f"bound of D-{link_id} on {offering.slug}", "one", "none")
        for bound in about if increase > 0 else ():
            touched.add(bound.pk)
            name = f"bound {bound.pk} of D-{link_id} for line {row.line_id}"
            if proof["rule_version"] == 1:
                if bound.per_decision is not None and increase > bound.per_decision:
                    yield Finding(
                        decision.pk, name, f"at most {bound.per_decision}", increase
                    )  # fmt: skip
                continue
            nets = history.nets.get((row.line.project_id, row.line.offering_id), [])
            said_here = said.get(bound.pk, {})
            yield from consumed(decision, name, link, bound, increase, said_here, nets, sums)
    if proof["rule_version"] > 1:
        yield from compare(
            decision,
            [(f"bounds in the proof of line {row.line_id}", sorted(touched), sorted(said))],
        )


def consumed(
    judged: Judged,
    name: str,
    link: Delegation,
    bound: DelegationBound,
    increase: int,
    said: Mapping[str, Any],
    nets: Collection[Net],
    sums: Sums,
) -> Iterator[Finding]:
    """Neither its window nor its total was passed, and both stood as the proof says.

    nets: what was given of the same to the same holder, as far back as the window reaches.
    """
    yield from compare(judged, [(f"{name}, increase", increase, said.get("increase"))])
    if bound.per_decision is not None:
        window = _window(judged, link, bound, nets)
        pairs = [(f"{name}, window used", window, said.get("window_used"))]
        yield from compare(judged, pairs)
        if window + increase > bound.per_decision:
            most = f"at most {bound.per_decision}"
            yield Finding.of(judged, f"{name}, window", most, window + increase)
    if bound.total is not None:
        yield from _total(judged, name, link, bound, increase, said, sums)


def _window(judged: Judged, link: Delegation, bound: DelegationBound, nets: Collection[Net]) -> int:
    """The net increase of the bound's window before this one, also by what the link replaces."""
    line = link.line_ids if judged.snapshot["rule_version"] > 2 else {link.pk}
    since = judged.at - timedelta(days=bound.window_days)
    return max(
        sum(
            each.amount
            for each in nets
            if each.judged_id < judged.pk and line & each.links and each.at > since
        ),
        0,
    )


def _total(
    judged: Judged,
    name: str,
    link: Delegation,
    bound: DelegationBound,
    increase: int,
    told: Mapping[str, Any],
    sums: Sums,
) -> Iterator[Finding]:
    period = period_of(link, bound, judged.at)
    key = (bound.pk, period)
    if key not in sums.used:
        begins_carried = link.replaces_id is not None and period == 0
        said = told.get("total_used")
        if begins_carried:
            sums.carried.add(key)
        is_told = (begins_carried or sums.is_partial) and isinstance(said, int)
        sums.used[key] = said if is_told else 0  # type: ignore[assignment]  # an int where told
    before = sums.used[key]
    yield from compare(
        judged,
        [
            (f"{name}, period", period, told.get("period")),
            (f"{name}, total used", before, told.get("total_used")),
        ],
    )
    after = before + increase
    if bound.total is not None and after > bound.total:
        yield Finding.of(judged, f"{name}, total", f"at most {bound.total}", after)
    sums.used[key] = after
