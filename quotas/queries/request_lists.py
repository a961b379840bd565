"""Lists of requests with their states, lines and who they wait for, in a fixed cost."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from portal.lib.compiled import Answers, compiled
from portal.lib.lookups import is_of
from portal.lib.together import Part, Rows, Values
from projects.models import Group, Project, User, in_force
from projects.queries.viewers import Viewer, live_delegations, own_projects
from quotas.models import (
    Assignment,
    Decision,
    DecisionKind,
    Delivery,
    QuotaRequest,
    RequestLine,
)
from quotas.states import (
    PENDING,
    AssignmentKind,
    LineState,
    RequestState,
    TargetState,
    request_state,
)

from .catalogue_kept import catalogue_of, mark_part, steady
from .delivery import Done
from .requests import UNDELIVERED, visible_requests


class Scope(models.TextChoices):
    """Whose requests."""

    MINE = "mine", _("Mine")
    PROJECTS = "projects", _("Of my projects")
    ALL = "all", _("All I may see")


class Stage(models.TextChoices):
    """How far a request is, as people look for it."""

    ANY = "any", _("Any state")
    DRAFT = "draft", _("Drafts")
    WAITING = "waiting", _("Waits for a decision")
    RETURNED = "returned", _("Returned")
    APPLYING = "applying", _("Applying")
    DONE = "done", _("Done")


@dataclass(frozen=True)
class Question:
    """What a decider asked back; person: their name as it is now."""

    person: str
    reason: str


@dataclass(frozen=True)
class RequestRow:
    """A request as a list shows it."""

    request: QuotaRequest
    state: RequestState
    lines: tuple[RequestLine, ...]
    waits_for: tuple[User | Group, ...]
    done: Done | None
    question: Question | None

    @property
    def changes(self) -> list[tuple[int, RequestLine]]:
        """(change against the quota when it was asked, line), the first three."""
        return [(line.wanted - line.balance_seen, line) for line in self.lines[:3]]

    @property
    def more_count(self) -> int:
        return max(len(self.lines) - 3, 0)


def find_requests(
    viewer: Viewer, scope: Scope, stage: Stage, project: Project | None = None
) -> QuerySet[QuotaRequest]:
    """The requests of a scope and a stage, of one project or of all, the newest first."""
    requests = visible_requests(viewer)
    if project is not None:
        requests = requests.filter(project=project)
    if scope == Scope.MINE:
        requests = requests.filter(requester=viewer.user)
    elif scope == Scope.PROJECTS:
        requests = requests.filter(project__in=own_projects(viewer))
    return _at_stage(requests, stage).order_by("-pk")


def _at_stage(requests: QuerySet[QuotaRequest], stage: Stage) -> QuerySet[QuotaRequest]:
    lines = RequestLine.objects.filter(request=OuterRef("pk"))
    undelivered = Delivery.objects.filter(
        UNDELIVERED, decision_line__decision__request=OuterRef("pk")
    )
    if stage == Stage.DRAFT:
        return requests.filter(submitted_at__isnull=True)
    if stage == Stage.WAITING:
        return requests.filter(Exists(lines.filter(state=LineState.OPEN)))
    if stage == Stage.RETURNED:
        return requests.filter(Exists(lines.filter(state=LineState.RETURNED)))
    if stage == Stage.APPLYING:
        return requests.filter(Exists(undelivered))
    if stage == Stage.DONE:
        waits = Exists(lines.filter(state__in=[*PENDING, LineState.DRAFT])) | Exists(undelivered)
        return requests.filter(~waits)
    return requests


# Of the deliveries of a request, as `Delivered` takes them.
COUNTS = {
    "undelivered": Count("pk", filter=UNDELIVERED),
    "refused": Count("pk", filter=UNDELIVERED & Q(target__state=TargetState.REFUSED)),
    "applied": Count("applied_at"),
    "left_out": Count("left_out_at"),
    "total": Count("pk", filter=Q(left_out_at__isnull=True)),
    "done": Count("pk", filter=Q(left_out_at__isnull=True, applied_at__isnull=False)),
}


@dataclass(frozen=True)
class Delivered:
    """How many of a request's deliveries are how far; what was left out is not of `total`."""

    undelivered: int = 0
    refused: int = 0
    applied: int = 0
    left_out: int = 0
    total: int = 0
    done: int = 0

    def state_with(self, line_states: Sequence[str]) -> RequestState:
        return request_state(
            line_states,
            undelivered_count=self.undelivered,
            refused_count=self.refused,
            is_left_out=not self.applied and self.left_out > 0,
        )


def rows_of(requests: Sequence[QuotaRequest], viewer: Viewer) -> list[RequestRow]:
    """What a list shows of these requests; one query for any number."""
    return _rows_of(requests, viewer) if requests else []


@steady
def _rows_of(requests: Sequence[QuotaRequest], viewer: Viewer) -> list[RequestRow]:
    return rows_from(requests, _read(requests=[each.pk for each in requests], now=viewer.now))


def row_parts(*, requests: Any, now: Any) -> list[Part]:
    """What asks for the rows of these requests, an array of ids: for `rows_from`."""
    of_them = is_of("request", requests)
    waiting = waiting_assignments(now).filter(is_of("line__request", requests))
    waiting = waiting.annotate(of_request=F("line__request"))
    deliveries = Delivery.objects.filter(is_of("decision_line__decision__request", requests))
    counts = deliveries.order_by().values("decision_line__decision__request").annotate(**COUNTS)
    returned = Decision.objects.filter(of_them, kind=DecisionKind.RETURN).order_by("at", "pk")
    return [
        mark_part(),
        Rows(RequestLine.objects.filter(of_them).order_by("request", "pk")),
        Rows(waiting, ["user", "group"], ["of_request"]),
        Values(counts, ["decision_line__decision__request", *COUNTS]),
        Values(returned, ["request", "person__name", "person__subject", "reason"]),
    ]


_read = compiled(row_parts)


def rows_from(requests: Iterable[QuotaRequest], read: Answers) -> list[RequestRow]:
    """The rows from the answer to `row_parts`. Raises catalogue_kept.Changed."""
    mark, found, waiting, counts, returned = read
    offerings = catalogue_of(mark).offerings
    lines: dict[int, list[RequestLine]] = defaultdict(list)
    for line in found:
        line.offering = offerings[line.offering_id]
        lines[line.request_id].append(line)
    waits = _holders((each.of_request, each.user or each.group) for each in waiting)
    progress = {request_id: Delivered(*figures) for request_id, *figures in counts}
    questions = {
        request_id: Question(name or subject, reason)
        for request_id, name, subject, reason in returned
    }
    rows = []
    for each in requests:
        done = progress.get(each.pk, Delivered())
        state = done.state_with([line.state for line in lines[each.pk]])
        rows.append(
            RequestRow(
                request=each,
                state=state,
                lines=tuple(lines[each.pk]),
                waits_for=tuple(waits.get(each.pk, ())),
                done=Done(done.done, done.total) if done.total else None,
                question=questions.get(each.pk) if state == RequestState.RETURNED else None,
            )
        )
    return rows


def waits_for(requests: Collection[QuotaRequest], viewer: Viewer) -> dict[int, list[User | Group]]:
    """{request id: the people and groups who may decide its open lines at `now`}.

    Not who endorses: nothing waits for them, as others may decide without them.
    """
    rows = (
        waiting_assignments(viewer.now)
        .filter(line__request__in=requests)
        .select_related("line", "user", "group")
    )
    return _holders((row.line.request_id, row.user or row.group) for row in rows)


def waiting_assignments(now: Any) -> QuerySet[Assignment]:
    """Those by which open lines wait for a decision now; now: a moment or a slot for it."""
    rows = Assignment.objects.filter(in_force(now), line__state=LineState.OPEN)
    return rows.filter(
        delegation__in=live_delegations(now), kind=AssignmentKind.DECIDE
    ).order_by("pk")  # fmt: skip


def _holders(
    pairs: Iterable[tuple[int, User | Group | None]],
) -> dict[int, list[User | Group]]:
    """{request id: those who are named with it, each once}"""
    found: dict[int, dict[tuple[str, int], User | Group]] = defaultdict(dict)
    for request_id, holder in pairs:
        if holder is not None:
            found[request_id][type(holder).__name__, holder.pk] = holder
    return {pk: list(holders.values()) for pk, holders in found.items()}
