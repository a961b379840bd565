"""All that a project's page shows, read by two statements: the second asks what the first names."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from operator import attrgetter
from typing import Any

from django.db.models import Q, TextField

from portal.lib.compiled import compiled
from portal.lib.lookups import is_among, is_of
from portal.lib.together import Part, Rows, Values
from projects.models import Membership, Project, ProjectChange, ProjectHold, ancestor_paths
from projects.queries.viewers import Viewer, live_delegations
from projects.states import Power, ProjectState
from quotas.models import Drift, Endpoint, HolderHandle, ProjectHandle, QuotaRequest, Target

from .authority import PEOPLE_AND_PLACE, mandates_above
from .catalogue_kept import steady
from .crossings import CrossingRow, crossing_rows, crossings_from
from .drift import open_drifts
from .figure_reading import figure_parts
from .figures import Figures, RegionFigures
from .free_holders import free_parts, holder_keys, usable_by_somebody
from .holders import MissingHolder, identities_of, missing_among
from .lives import hold_rows, open_change_rows
from .loan_changes import with_loans
from .preview import Decider
from .project_pages import OPEN_SHOWN, levels_of, member_rows
from .project_rows import LoanRow, UnusedRow, loan_rows, unused_from
from .request_lists import RequestRow, row_parts, rows_from
from .requests import pending_requests
from .timeline import PROJECT_EVENTS, Entry, entries_of
from .timeline_events import events_of_project, known_keys, known_parts, told_from
from .unused_lists import current_unused
from .usage import Chart, chart_from, known_limits, limit_drawn, peak_rows

UNUSED = (
    "account__offering", "amount", "balance", "limit", "peak", "promised", "peak_on"
)  # fmt: skip
# So many parts of the second statement are the rows of requests, then of who is free to decide.
ROW_PARTS, FREE_PARTS = 5, 2


@dataclass(frozen=True)
class ProjectPage:
    """What the page of a project shows, but for what depends on the reader's powers."""

    regions: list[RegionFigures]
    chart: Chart | None
    crossings: list[CrossingRow]
    loans: list[LoanRow]
    unused: list[UnusedRow]
    hold: ProjectHold | None
    changes: list[ProjectChange]
    entries: list[Entry]
    requests: list[RequestRow]
    members: list[Membership]
    missing_holders: list[MissingHolder]
    deciders: list[Decider]
    external_ids: list[tuple[Endpoint, str]]
    drifts: list[Drift]
    targets: list[Target]


@steady
def read_project(viewer: Viewer, project: Project, *, limit: str, day_count: int) -> ProjectPage:
    """Two queries, and one where the catalogue has changed. project: with its unit.

    limit: of which the chart is, by its id as text; day_count: how far back it goes.
    """
    since = viewer.site_day - timedelta(days=day_count)
    (
        known, unused, crossings, holds, changes, events, asked, members, handles, external, drifts,
        delegations, *figures_read,
    ) = _first(
        project=project.pk, projects=[project.pk], paths=ancestor_paths(project.unit.path),
        user=viewer.user.pk, now=viewer.now, since=since,
    )  # fmt: skip
    figures = Figures([project], figures_read)
    regions = figures.regions(project)
    drawn = limit_drawn(regions, {pk for (pk,) in known}, limit)
    mandates = mandates_above(delegations, project)
    free = holder_keys(mandates)
    answers = _second(
        project=project.pk, now=viewer.now, since=since,
        limit=drawn[1].limit.pk if drawn else 0, requests=[each.pk for each in asked],
        deciders=free["users"], deciding_groups=free["groups"], **known_keys(events),
    )  # fmt: skip
    days, answers = answers[0], answers[1:]
    rows, answers = answers[:ROW_PARTS], answers[ROW_PARTS:]
    holders, told = answers[:FREE_PARTS], answers[FREE_PARTS:]
    for request in asked:
        request.project = project
    for target in figures.targets:
        target.project = project
    return ProjectPage(
        regions=regions,
        chart=chart_from(drawn, day_count, _days(days)) if drawn else None,
        crossings=crossings_from(crossings, figures.limits),
        loans=loan_rows(figures),
        unused=unused_from(unused, figures),
        hold=holds[0] if holds else None,
        changes=with_loans(changes),
        entries=entries_of(told_from(events, told)),
        requests=rows_from(asked, rows),
        members=members,
        missing_holders=_missing(project, members, handles, figures),
        deciders=levels_of(usable_by_somebody(mandates, holders)),
        external_ids=[(figures.endpoints[pk], external_id) for pk, external_id in external],
        drifts=_with_names(drifts, figures),
        targets=figures.targets,
    )


@compiled
def _first(
    *, project: Any, projects: Any, paths: Any, user: Any, now: Any, since: Any
) -> list[Part]:
    asked = pending_requests(QuotaRequest.objects.filter(project=project))
    asked = asked.filter(Q(submitted_at__isnull=False) | Q(requester=user))
    theirs = Membership.objects.live(now).filter(project=project)
    handles = HolderHandle.objects.order_by()
    # Two looks into indexes; either the one or the other would be a look at all of them.
    named = handles.filter(is_among("user", theirs.values("user"))).values("pk")
    named = named.union(handles.filter(is_among("group", theirs.values("group"))).values("pk"))
    deciding = live_delegations(now).filter(
        is_of("unit__path", paths, TextField()), powers__contains=[Power.DECIDE_QUOTA]
    )
    events = events_of_project(project).order_by("-id")[:PROJECT_EVENTS]
    changes = open_change_rows(project)
    external = ProjectHandle.objects.filter(project=project).order_by("pk")
    return [
        Values(known_limits(project, since), ["limit"]),
        Values(current_unused().filter(account__project=project), UNUSED),
        Rows(crossing_rows(project)),
        Rows(hold_rows(project), ["made_by"]),
        Rows(changes, ["asked_by", "to_user", "to_unit", "answered_by"]),
        Rows(events, ["actor"]),
        Rows(asked.order_by("-pk")[:OPEN_SHOWN], ["requester", "asked_by"]),
        Rows(member_rows(project, now), ["user", "group"]),
        Rows(handles.filter(is_among("pk", named))),
        Values(external, ["identity", "external_id"]),
        Rows(open_drifts(project, now), ["ignored_by", "restore_asked_by"], ["is_kept"]),
        Rows(deciding.order_by("pk"), PEOPLE_AND_PLACE),
        *figure_parts(projects),
    ]


@compiled
def _second(
    *, project: Any, now: Any, since: Any, limit: Any, requests: Any, deciders: Any,
    deciding_groups: Any, users: Any, groups: Any, changes: Any, units: Any, endpoints: Any,
    decisions: Any, reasoned: Any, commented: Any, comment_moments: Any, acted: Any,
    act_moments: Any,
) -> list[Part]:  # fmt: skip
    return [
        Values(peak_rows(project, limit, since), ["day", "used", "limit_seen"]),
        *row_parts(requests=requests, now=now),
        *free_parts(project=project, now=now, users=deciders, groups=deciding_groups),
        *known_parts(
            users=users, groups=groups, changes=changes, units=units, endpoints=endpoints,
            decisions=decisions, reasoned=reasoned, commented=commented,
            comment_moments=comment_moments, acted=acted, act_moments=act_moments,
        ),
    ]  # fmt: skip


def _days(rows: Sequence[tuple[str, int, int | None]]) -> list[tuple[date, int, int | None]]:
    return [(date.fromisoformat(day), used, limit_seen) for day, used, limit_seen in rows]


def _missing(
    project: Project, members: Sequence[Membership], handles: Sequence[HolderHandle],
    figures: Figures,
) -> list[MissingHolder]:  # fmt: skip
    """Nobody once it is closed."""
    if project.state == ProjectState.CLOSED:
        return []
    identities = identities_of(figures.endpoints.values())
    return missing_among(sorted(members, key=attrgetter("pk")), identities, handles)


def _with_names(drifts: Sequence[Drift], figures: Figures) -> list[Drift]:
    targets = {each.pk: each for each in figures.targets}
    for each in drifts:
        each.target = targets[each.target_id]
        each.limit = figures.limits[each.limit_id] if each.limit_id is not None else None
    return list(drifts)
