"""Which people a line waits for: assignments, computed from live delegations.

An assignment never outlives its delegation, and the queue asks again at `now`; so a
stale row shows nothing it should not, and this code only has to add what is missing.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from portal.lib.inserts import inserting, written
from quotas.models import Assignment, QuotaRequest, RequestLine
from quotas.queries.authority import Mandate
from quotas.queries.deciders import Turn, deciders_of
from quotas.queries.endorsements import endorsements_of, turns_left
from quotas.states import LineState

IN_NO_QUEUE: Mapping[str, None] = {"asked_number": None, "asked_at": None}


def assign(requests: Collection[QuotaRequest], now: datetime) -> set[int]:
    """Assign each open line of these requests to those who may decide or endorse it.

    Returns the ids of the requests that wait for somebody else by it.

    requests: with `project.unit` as it stands now. The caller is in a transaction and holds
    their projects and places. The number of queries is the same for one and for a hundred.
    """
    lines = _open_lines(requests)
    deciders = deciders_of(lines, now)
    said = endorsements_of([line for line in lines if deciders[line.pk].endorsers])
    turns = {
        (line.pk, turn.mandate.delegation.pk): turn
        for line in lines
        for turn in turns_left(deciders[line.pk], line.level, said.get(line.pk, ()))
    }
    held = {
        (each.line_id, each.delegation_id): each
        for each in Assignment.objects.filter(line__in=[line.pk for line in lines])
    }
    changed = _write(turns, held, now)
    over = [each for key, each in held.items() if key not in turns and _is_live(each, now)]
    if over:
        Assignment.objects.filter(pk__in=[each.pk for each in over]).update(
            ends_at=now, **IN_NO_QUEUE
        )
    passed = [
        each.pk for key, each in held.items()
        if key not in turns and not _is_live(each, now) and each.asked_number is not None
    ]  # fmt: skip
    if passed:  # by its own date: a queue would go past it as long as the line waits
        Assignment.objects.filter(pk__in=passed).update(**IN_NO_QUEUE)
    changed |= {each.line_id for each in over}
    return {line.request_id for line in lines if line.pk in changed}


def assign_new(
    lines: Collection[RequestLine], now: datetime, over: Collection[Mandate] | None = None
) -> None:
    """`assign` for lines that were just made, with all that they point at at hand.

    over: as of `deciders_of`.
    """
    deciders = deciders_of(lines, now, over=over)
    turns = {
        (line.pk, turn.mandate.delegation.pk): turn
        for line in lines
        for turn in deciders[line.pk].turns(line.level)
    }
    if rows := _differing(turns, {}, now):
        written(inserting(rows))


def chain_end(mandate: Mandate) -> datetime | None:
    """When the first link of the chain ends by its dates; None: never."""
    ends = [link.ends_at for link in mandate.chain if link.ends_at is not None]
    return min(ends) if ends else None


def _open_lines(requests: Collection[QuotaRequest]) -> list[RequestLine]:
    by_id = {each.pk: each for each in requests}
    lines = list(
        RequestLine.objects.filter(request__in=by_id, state=LineState.OPEN).select_related(
            "offering"
        )
    )
    for line in lines:
        line.request = by_id[line.request_id]
        line.project = line.request.project
    return lines


def _write(
    turns: Mapping[tuple[int, int], Turn],
    held: Mapping[tuple[int, int], Assignment],
    now: datetime,
) -> set[int]:
    """Make the rows so; those that are so already are left alone. The lines that were changed."""
    rows = _differing(turns, held, now)
    Assignment.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["line", "delegation"],
        # The last two as a trigger writes them: what ended once may wait again.
        update_fields=["kind", "level", "starts_at", "ends_at", *IN_NO_QUEUE],
    )
    return {each.line_id for each in rows}


def _differing(
    turns: Mapping[tuple[int, int], Turn],
    held: Mapping[tuple[int, int], Assignment],
    now: datetime,
) -> list[Assignment]:
    """What is to be written."""
    rows = []
    for key, turn in turns.items():
        before, ends_at = held.get(key), chain_end(turn.mandate)
        is_live = before is not None and _is_live(before, now)
        if (
            before is not None
            and is_live
            # In no queue though it waits: nobody would ever see it there.
            and before.asked_number is not None
            and (before.kind, before.level, before.ends_at) == (turn.kind, turn.level, ends_at)
        ):
            continue
        delegation = turn.mandate.delegation
        rows.append(
            Assignment(
                line_id=key[0],
                delegation=delegation,
                user_id=delegation.user_id,
                group_id=delegation.group_id,
                kind=turn.kind,
                level=turn.level,
                starts_at=before.starts_at if before is not None and is_live else now,
                ends_at=ends_at,
            )
        )
    return rows


def _is_live(assignment: Assignment, now: datetime) -> bool:
    return assignment.ends_at is None or assignment.ends_at > now
