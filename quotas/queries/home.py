"""What a person's first page shows: what waits, what they asked for, what they have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef

from projects.models import Project
from projects.queries.viewers import Viewer, own_projects
from projects.rules import may_decide_somewhere, may_read_operations
from projects.states import ProjectState
from quotas.models import Endpoint, Loan, QuotaRequest, Region, RequestLine
from quotas.states import EndpointState, LineState

from .drift import drift_counts
from .figures import Figures, LimitRow, open_loans
from .problems import work_list
from .queue_heads import first_waiting
from .repairers import readable_endpoints, readable_targets
from .request_lists import RequestRow, rows_of

SHOWN = 5
GAUGES = 2
ENDS_SOON = timedelta(days=30)


@dataclass(frozen=True)
class ProjectRow:
    """A project and its fullest limits."""

    project: Project
    fullest: Sequence[tuple[Region, LimitRow]]


@dataclass(frozen=True)
class Amiss:
    """What those who repair find in the clouds now, in figures; `closed`: not open."""

    closed: list[Endpoint]
    target_count: int
    cause_count: int
    drift_count: int

    @property
    def is_anything(self) -> bool:
        return bool(self.closed or self.target_count or self.drift_count)


def amiss_of(viewer: Viewer) -> Amiss | None:
    """None for who does not repair; five queries for any number of targets."""
    if not may_read_operations(viewer):
        return None
    endpoints = list(readable_endpoints(viewer))
    work = work_list(readable_targets(viewer), viewer.now)
    return Amiss(
        closed=[each for each in endpoints if each.state != EndpointState.OPEN],
        target_count=work.count,
        cause_count=len({each.id for each in work.groups}),
        drift_count=sum(drift_counts(endpoints, viewer.now).values()),
    )


@dataclass(frozen=True)
class Home:
    """Each list is capped at `SHOWN`; the flags say whether there are more.

    Of `requests`, those that wait for the reader's answer come first. waiting_count: as the frame
    says it.
    """

    decides: bool
    waiting_count: int
    waiting: list[RequestRow]
    has_more_waiting: bool
    requests: list[RequestRow]
    has_more_requests: bool
    drafts: list[QuotaRequest]
    projects: list[ProjectRow]
    has_more_projects: bool
    loans: list[Loan]


def home_of(viewer: Viewer) -> Home:
    """Everything on the first page, in a fixed number of queries."""
    decides = may_decide_somewhere(viewer)
    waiting, waiting_count = first_waiting(viewer, SHOWN + 1) if decides else ([], 0)
    returned = RequestLine.objects.filter(request=OuterRef("pk"), state=LineState.RETURNED)
    mine = list(
        QuotaRequest.objects.filter(requester=viewer.user, submitted_at__isnull=False)
        .select_related("project__unit", "requester")
        .annotate(is_returned=Exists(returned))
        .order_by("-is_returned", "-updated_at", "-pk")[: SHOWN + 1]
    )
    drafts = QuotaRequest.objects.filter(requester=viewer.user, submitted_at__isnull=True)
    own = own_projects(viewer).exclude(state=ProjectState.DROPPED)
    projects = list(own.select_related("unit").order_by("name")[: SHOWN + 1])
    rows = {row.request.pk: row for row in rows_of([*waiting, *mine], viewer)}
    shown = projects[:SHOWN]
    return Home(
        decides=decides,
        waiting_count=waiting_count,
        waiting=[rows[each.pk] for each in waiting[:SHOWN]],
        has_more_waiting=len(waiting) > SHOWN,
        requests=[rows[each.pk] for each in mine[:SHOWN]],
        has_more_requests=len(mine) > SHOWN,
        drafts=list(drafts.select_related("project").order_by("-updated_at")[:SHOWN]),
        projects=project_rows(shown),
        has_more_projects=len(projects) > SHOWN,
        loans=[loan for loan in open_loans(shown) if loan.ends_at <= viewer.now + ENDS_SOON][
            :SHOWN
        ],
    )


def project_rows(projects: Sequence[Project], count: int = GAUGES) -> list[ProjectRow]:
    """The projects with their fullest limits: the same number of queries for any number."""
    if not projects:
        return []
    figures = Figures(projects)
    return [ProjectRow(project, figures.fullest(project, count)) for project in projects]
