"""What people with too little authority recommend: only about what a line asks for now."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from projects.models import Delegation, User
from quotas.models import DecisionKind, DecisionLine, RequestLine
from quotas.states import AssignmentKind

from .deciders import Deciders, Turn


@dataclass(frozen=True)
class Endorsement:
    """Somebody would grant a line so much: an absolute limit in base units.

    people: ids of who said it, and of all in whose stead.
    """

    person: User
    delegation: Delegation
    amount: int
    reason: str
    at: datetime
    people: frozenset[int]


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
            found[row.line_id].append(_endorsement(row, row.endorsed))
    return found


def turns_left(deciders: Deciders, level: int, said: Collection[Endorsement]) -> list[Turn]:
    """The turns of a line without those to endorse that are answered.

    One word is enough for a delegation, and so for a whole group, and for a person: whoever
    stands in for somebody has nothing to add to what they said, nor they to what was said in
    their stead.
    """
    spoken_by = {each.delegation.pk for each in said}
    heard = {person for each in said for person in each.people}
    return [
        turn
        for turn in deciders.turns(level)
        if turn.kind == AssignmentKind.DECIDE
        or not (
            turn.mandate.delegation.pk in spoken_by or turn.mandate.effective_people & heard
        )
    ]  # fmt: skip


def _endorsement(row: DecisionLine, amount: int) -> Endorsement:
    decision = row.decision
    people = {decision.person_id}
    for link in reversed(decision.snapshot["chains"][str(row.delegation_id)]):
        if not link["is_deputy"]:
            break
        people.add(link["grantor"])
    return Endorsement(
        decision.person, row.delegation, amount, decision.reason, decision.at, frozenset(people)
    )


def _was_asked(row: DecisionLine) -> int | None:
    """What the line asked for when it was endorsed, as the snapshot says."""
    for each in row.decision.snapshot["lines"]:
        if each["line"] == row.line_id:
            wanted: int = each["wanted"]
            return wanted
    return None
