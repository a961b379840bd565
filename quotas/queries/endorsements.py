"""What people with too little authority recommend: only about what a line asks for now."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from projects.models import Delegation, User
from quotas.models import DecisionKind, DecisionLine, RequestLine


@dataclass(frozen=True)
class Endorsement:
    """Somebody would grant a line so much: an absolute limit in base units."""

    person: User
    delegation: Delegation
    amount: int
    reason: str
    at: datetime


def endorsements_of(lines: Collection[RequestLine]) -> dict[int, list[Endorsement]]:
    """{line id: its endorsements, the oldest first}; one query.

    What was endorsed before the line was amended to another amount is history.
    """
    wanted = {line.pk: line.wanted for line in lines}
    rows = (
        DecisionLine.objects.filter(
            line__in=wanted, decision__kind=DecisionKind.ENDORSE, endorsed__isnull=False
        )
        .select_related("decision__person", "delegation")
        .order_by("decision__at", "pk")
    )
    found: dict[int, list[Endorsement]] = defaultdict(list)
    for row in rows:
        if row.endorsed is not None and _was_asked(row) == wanted[row.line_id]:
            decision = row.decision
            found[row.line_id].append(
                Endorsement(
                    decision.person, row.delegation, row.endorsed, decision.reason, decision.at
                )
            )
    return found


def _was_asked(row: DecisionLine) -> int | None:
    """What the line asked for when it was endorsed, as the snapshot says."""
    for each in row.decision.snapshot["lines"]:
        if each["line"] == row.line_id:
            wanted: int = each["wanted"]
            return wanted
    return None
