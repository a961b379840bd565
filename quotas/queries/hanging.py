"""What hangs from a delegation: what would change for whom if it were revoked now."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q

from portal.lib.lookups import is_among
from projects.models import Delegation, Group, GroupMembership, Membership, Project, User, in_force
from projects.queries.viewers import Viewer, visible_projects
from projects.states import ROLES_ABOVE_READER
from quotas.models import Assignment, DecisionLine, Policy, RequestLine
from quotas.queries.authority import delegate_of
from quotas.queries.deciders import Deciders, deciders_of
from quotas.states import AssignmentKind, LineState, PolicyState

MOST_LINES = 20


@dataclass(frozen=True)
class Waiting:
    """An open line that waits by the delegation, and who would decide it without."""

    line: RequestLine
    takers: list[User | Group]


@dataclass(frozen=True)
class Hanging:
    """What hangs from a delegation at a moment.

    below: in force or planned, parents before children. waiting: the first of `waiting_count`
    lines that the reader may see. Decisions stay, whatever happens to the delegation.
    `seen` changes when what would be lost does.
    """

    delegation: Delegation
    below: list[Delegation]
    waiting: list[Waiting]
    waiting_count: int
    decision_count: int
    last_decision_at: datetime | None
    policies: list[Policy]
    seen: str


def hanging_from(delegation: Delegation, viewer: Viewer, kept: Collection[int] = ()) -> Hanging:
    """Everything that hangs from a delegation now; as many queries for little as for much.

    kept: ids of those below that would go on under another: what waits by them stays there.
    """
    now = viewer.now
    below = below_of(delegation, now)
    ids = [delegation.pk, *(each.pk for each in below)]
    lines = _waiting_lines(ids, now)
    policies = _policies(ids)
    made = DecisionLine.objects.filter(delegation__in=ids).aggregate(
        count=Count("decision", distinct=True), last=Max("decision__at")
    )
    return Hanging(
        delegation=delegation,
        below=below,
        waiting=_with_takers(_visible(lines, viewer)[:MOST_LINES], set(ids) - set(kept), now),
        waiting_count=len(lines),
        decision_count=made["count"],
        last_decision_at=made["last"],
        policies=policies,
        seen=_fingerprint(ids, lines, policies),
    )


def seen_of(delegation: Delegation, now: datetime) -> str:
    """`Hanging.seen` alone, for asking again inside the lock."""
    ids = [delegation.pk, *(each.pk for each in below_of(delegation, now))]
    return _fingerprint(ids, _waiting_lines(ids, now), _policies(ids))


def below_of(delegation: Delegation, now: datetime) -> list[Delegation]:
    """What was handed on below it and is in force or planned, parents before children.

    What hangs from something that is over itself is not named: it is over too.
    """
    rows = (
        Delegation.objects.filter(ancestors__contains=[delegation.pk], revoked_at__isnull=True)
        .filter(Q(ends_at__isnull=True) | Q(ends_at__gt=now))
        .select_related("unit", "user", "group", "grantor")
        .order_by("pk")
    )
    kept: dict[int | None, Delegation] = {delegation.pk: delegation}
    found = []
    for row in sorted(rows, key=lambda each: (len(each.ancestors), each.pk)):
        if row.parent_id in kept:
            kept[row.pk] = row
            found.append(row)
    return found


def _waiting_lines(ids: Collection[int], now: datetime) -> list[RequestLine]:
    live = Assignment.objects.filter(in_force(now), delegation__in=ids)
    return list(
        RequestLine.objects.filter(is_among("pk", live.values("line")), state=LineState.OPEN)
        .select_related("request", "project__unit", "offering__resource", "offering__zone")
        .order_by("request_id", "pk")
    )


def _visible(lines: Sequence[RequestLine], viewer: Viewer) -> list[RequestLine]:
    wanted = {line.project_id for line in lines}
    seen = set(visible_projects(viewer).filter(pk__in=wanted).values_list("pk", flat=True))
    return [line for line in lines if line.project_id in seen]


def _policies(ids: Collection[int]) -> list[Policy]:
    rows = Policy.objects.filter(delegation__in=ids, state=PolicyState.ON)
    return list(rows.select_related("unit", "person").order_by("pk"))


def _fingerprint(
    ids: Sequence[int], lines: Sequence[RequestLine], policies: Sequence[Policy]
) -> str:
    said = repr((sorted(ids), [each.pk for each in lines], [each.pk for each in policies]))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _with_takers(
    lines: Sequence[RequestLine], gone: Collection[int], now: datetime
) -> list[Waiting]:
    """Each line with whom it would wait for if these delegations were gone, as routing says it."""
    deciders = deciders_of(lines, now, without=gone)
    return [Waiting(line, _takers(line, deciders[line.pk])) for line in lines]


def _takers(line: RequestLine, deciders: Deciders) -> list[User | Group]:
    found = [
        delegate_of(turn.mandate)
        for turn in deciders.turns(line.level)
        if turn.kind == AssignmentKind.DECIDE
    ]
    return list(dict.fromkeys(found))


def roles_there(user: User, unit_path: str, now: datetime) -> list[Project]:
    """The projects of a subtree in which a person holds a role above reader; one query."""
    groups = GroupMembership.objects.live(now).filter(user=user).values("group")
    held = Membership.objects.live(now).filter(
        Q(user=user) | Q(group__in=groups), role__in=ROLES_ABOVE_READER,
        project__unit__path__startswith=unit_path,
    )  # fmt: skip
    return list(Project.objects.filter(pk__in=held.values("project")).order_by("name"))
