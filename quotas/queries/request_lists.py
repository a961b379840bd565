"""Lists of requests with their states, lines and who they wait for, in a fixed cost."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from projects.models import Delegation, Group, Project, User, in_force
from projects.queries.viewers import Viewer, live_delegations, own_projects
from quotas.models import (
    Assignment,
    Decision,
    DecisionKind,
    Delivery,
    QuotaRequest,
    RequestLine,
)
from quotas.states import PENDING, AssignmentKind, LineState, RequestState

from .delivery import Done, done_counts
from .requests import UNDELIVERED, states_of, visible_requests


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
class RequestRow:
    """A request as a list shows it."""

    request: QuotaRequest
    state: RequestState
    lines: tuple[RequestLine, ...]
    waits_for: tuple[User | Group, ...]
    done: Done | None
    question: Decision | None

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


def rows_of(requests: Collection[QuotaRequest], viewer: Viewer) -> list[RequestRow]:
    """What a list shows of these requests: the same number of queries for any number."""
    states = states_of(requests)
    lines: dict[int, list[RequestLine]] = defaultdict(list)
    for line in RequestLine.objects.filter(request__in=requests).select_related(
        "offering__resource", "offering__zone__region"
    ):
        lines[line.request_id].append(line)
    waits = waits_for(requests, viewer)
    done = done_counts(requests)
    questions = {
        each.request_id: each
        for each in Decision.objects.filter(request__in=requests, kind=DecisionKind.RETURN)
        .select_related("person")
        .order_by("at", "pk")
    }
    return [
        RequestRow(
            request=each,
            state=states[each.pk],
            lines=tuple(lines[each.pk]),
            waits_for=tuple(waits.get(each.pk, ())),
            done=done.get(each.pk),
            question=questions.get(each.pk) if states[each.pk] == RequestState.RETURNED else None,
        )
        for each in requests
    ]


def waits_for(requests: Collection[QuotaRequest], viewer: Viewer) -> dict[int, list[User | Group]]:
    """{request id: the people and groups who may decide its open lines at `now`}.

    Not who endorses: nothing waits for them, as others may decide without them.
    """
    live: QuerySet[Delegation] = live_delegations(viewer.now)
    rows = (
        Assignment.objects.filter(in_force(viewer.now))
        .filter(Q(line__state=LineState.OPEN), line__request__in=requests, delegation__in=live)
        .filter(kind=AssignmentKind.DECIDE)
        .select_related("line", "user", "group")
        .order_by("pk")
    )
    found: dict[int, dict[tuple[str, int], User | Group]] = defaultdict(dict)
    for row in rows:
        holder = row.user or row.group
        if holder is not None:
            found[row.line.request_id][type(holder).__name__, holder.pk] = holder
    return {pk: list(holders.values()) for pk, holders in found.items()}
