"""What a grant will say and move, worked out with everything held, and written by nobody yet.

So of many grants those that are refused leave nothing behind, and the next go on from what those
before them took.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from projects.models import Delegation
from quotas.models import Decision, DecisionKind, Offering, RequestLine
from quotas.queries.authority import Mandate

from .bench import Bench
from .booking import Accounts, book, to_book
from .consuming import Purse
from .posting import Journal
from .proof import Evidence, Verdicts, snapshot
from .spending import spend
from .storing import Said
from .wishes import clean_text


@dataclass(frozen=True)
class Grant:
    """What is said, and what totals are to be told; opener: by which a proposed project opens."""

    said: Said
    increases: Sequence[tuple[Mandate, Offering, int]]
    opener: Delegation


def plan(
    bench: Bench, lines: Sequence[RequestLine], granted: Mapping[int, int], accounts: Accounts,
    purse: Purse, journal: Journal, reason: str, verdicts: Verdicts,
) -> Grant:  # fmt: skip
    """Choose the authority for each line, prove it, and note it in purse and journal.

    granted: {line id: absolute limit}, checked. Raises Forbidden, UsedUp, Conflict and NoRoom, and
    then purse, journal and accounts are as they were.
    """
    spent = spend(bench, lines, granted, accounts, purse)
    booked = to_book(bench, lines, granted, spent.mandates, accounts)
    evidence = Evidence(accounts=accounts, spent=spent, granted=granted, verdicts=verdicts)
    proof = snapshot(bench, lines, spent.mandates, evidence)
    text = clean_text(reason, field="reason", required=False)
    said = Said(bench, decision_of(bench, DecisionKind.APPROVE, text, proof), booked)
    # Nothing is refused from here on.
    book(journal, bench, booked, granted, accounts)
    purse.take(spent.after)
    return Grant(said, spent.increases, spent.mandates[lines[0].pk].delegation)


def decision_of(
    bench: Bench, kind: DecisionKind, reason: str, proof: dict[str, object]
) -> Decision:
    """The decision, not stored yet."""
    return Decision(
        request=bench.request,
        kind=kind,
        actor=bench.actor,
        person=bench.viewer.user,
        policy_version=bench.policy_version,
        reason=reason,
        snapshot=proof,
        at=bench.viewer.now,
    )
