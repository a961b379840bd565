"""Did a rule allow what it granted? By the version that is cited, and what it found then."""

from collections.abc import Iterator, Mapping
from typing import Any

from quotas.models import Decision, DecisionLine, PolicyVersion

from .conditions import Condition, is_about
from .conditions import Finding as Found
from .proof_findings import Finding, compare


def rule(decision: Decision, row: DecisionLine, proof: Mapping[str, Any]) -> Iterator[Finding]:
    """The rule was about the line, and each of its conditions held with the figure of then."""
    version = decision.policy_version
    if version is None or row.granted is None or row.before is None:
        return
    change, name = row.granted - row.before, f"line {row.line_id} by {version}"
    yield from compare(decision, [(f"{name}, granted as asked", row.line.wanted, row.granted)])
    if not is_about(version, row.line.offering, change):
        yield Finding.of(decision, f"{name}, what it is about", "this", row.line.offering.slug)
    told: Mapping[str, Any] = next(
        (each for each in proof.get("lines", ()) if each["line"] == row.line_id), {}
    )
    found = [Found.from_json(each) for each in told.get("verdict", ())]
    bounds = {each.condition.value: each.bound for each in found}
    yield from compare(decision, [(f"{name}, conditions", _conditions(version), bounds)])
    for each in found:
        if not (each.holds and _holds(each, row.before, change)):
            yield Finding.of(decision, f"{name}, {each.condition}", each.bound, each.figure)


def _conditions(version: PolicyVersion) -> dict[str, int | str]:
    """{condition: its bound} of all that the version sets."""
    said = {each.value: getattr(version, each.value) for each in Condition}
    return {name: value for name, value in said.items() if value is not None and value != ""}


def _holds(found: Found, before: int, change: int) -> bool:
    """By the stored figure, which is compared with the line's own where that tells it."""
    if found.condition == Condition.KIND:
        return found.figure == found.bound
    if found.condition == Condition.EVERY:
        return found.figure is None or int(found.figure) >= int(found.bound)
    if found.figure is None:
        return False
    figure, bound, of = int(found.figure), int(found.bound), found.of or 0
    if found.condition == Condition.AMOUNT:
        return figure == change <= bound
    if found.condition == Condition.PERCENT:
        return (figure, of) == (change, before) and figure * 100 <= bound * of
    return figure * 100 > bound * of
