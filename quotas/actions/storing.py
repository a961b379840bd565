"""Storing decisions: the lines move, the decision stands with its proof, and it is recorded.

Of many requests at once it takes the same two statements as of one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from portal.lib.inserts import added, inserting, next_keys, written
from portal.lib.together import Written
from projects.actions.events import event_of
from projects.models import Event
from projects.states import NoticeKind
from quotas.models import Decision, DecisionKind, DecisionLine
from quotas.states import LINE_MOVES, LineState

from .bench import Bench
from .consuming import Addition
from .posting import Journal
from .watching import telling_followers

VERBS = {
    DecisionKind.APPROVE: "approved", DecisionKind.DECLINE: "declined",
    DecisionKind.RETURN: "returned",
}  # fmt: skip


# Lines of which one waits for nobody any more: as STOPPED of patience says it.
MOVE_LINES = """
UPDATE quotas_requestline
SET state = %s::text, waits_since = NULL, remind_at = NULL, escalate_at = NULL
WHERE id = ANY(%s::bigint[]) AND state = %s::text
RETURNING 1
"""
TOUCH_REQUESTS = """
UPDATE quotas_quotarequest SET version = version + 1, updated_at = %s::timestamptz
WHERE id = ANY(%s::bigint[])
RETURNING 1
"""


@dataclass(frozen=True)
class Said:
    """A decision and what it says of each line, stored nowhere yet."""

    bench: Bench
    decision: Decision
    lines: Sequence[DecisionLine]

    @property
    def event(self) -> Event:
        """What is recorded of it, once it is stored."""
        bench = self.bench
        return event_of(
            VERBS[DecisionKind(self.decision.kind)],
            actor=bench.actor,
            now=bench.viewer.now,
            project=bench.project,
            subject_kind="request",
            subject_id=bench.request.pk,
            decision=self.decision.pk,
            lines=[each.line.pk for each in self.lines],
        )


def store(
    said: Sequence[Said], journal: Journal | None = None, addition: Addition | None = None
) -> None:
    """Store decisions of one kind, by one actor at one moment, with all that they move.

    journal: the transfers, of lines that are stored here; addition: what totals are told. Two
    queries, and one more where something is lent. Raises Conflict where a line was moved.
    """
    kind = DecisionKind(said[0].decision.kind)
    event_ids = _move(said, kind, addition)
    lines = [line for each in said for line in each.lines]
    events = []
    for each, pk in zip(said, event_ids, strict=True):
        events.append(each.event)
        events[-1].pk = pk
    notice = NoticeKind.RETURNED if kind == DecisionKind.RETURN else NoticeKind.DECIDED
    told = [(event, each.bench.request) for event, each in zip(events, said, strict=True)]
    keys, _events, _told, *moved = written(
        inserting(lines), inserting(events), telling_followers(told, notice),
        *(journal.parts() if journal else ()),
    )  # fmt: skip
    added(lines, keys)
    if journal is not None:
        journal.was_written(moved)


def _move(said: Sequence[Said], kind: DecisionKind, addition: Addition | None) -> list[int]:
    """Move the lines by compare-and-set, store the decisions and tell the totals what is consumed.

    One query; returns the numbers that the events will have. Lines of decisions are told theirs.
    """
    lines = [line for each in said for line in each.lines]
    after = LINE_MOVES[LineState.OPEN, kind]
    ids = [each.line.pk for each in lines]
    numbers = [each.bench.request.pk for each in said]
    decisions = [each.decision for each in said]
    moved, _own, keys, event_ids, line_ids, *consumed = written(
        Written(MOVE_LINES, [str(after), ids, str(LineState.OPEN)]),
        Written(TOUCH_REQUESTS, [said[0].bench.viewer.now, numbers]),
        inserting(decisions),
        next_keys(Event, len(said)),
        next_keys(DecisionLine, len(lines)),
        *([addition.part] if addition and addition.amounts else []),
    )
    if len(moved) != len(ids):
        raise Conflict(_("Somebody else was first. Look again."))
    if addition is not None and consumed:
        addition.check(consumed[0])
    added(decisions, keys)
    for each in said:
        for line in each.lines:
            line.decision = each.decision
    for line, (pk,) in zip(lines, line_ids, strict=True):
        line.pk = pk
    return [pk for (pk,) in event_ids]
