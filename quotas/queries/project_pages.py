"""What the project pages show beside the figures: members, deciders, room, open requests."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Lower

from projects.models import Membership, Project, in_force
from projects.queries.viewers import Viewer, visible_projects
from projects.states import Power, ProjectState, Role
from quotas.models import Offering, ProjectHandle

from .authority import deciding_for, delegate_of, mandates_for, with_free_holder
from .figures import RegionFigures
from .preview import Decider, rooms_of
from .request_lists import RequestRow, rows_of
from .requests import pending_requests, visible_requests

OPEN_SHOWN = 10


def project_list_of(viewer: Viewer, text: str = "", state: str = "") -> QuerySet[Project]:
    """The projects that a person may see, their own (`is_own`) first; `text` filters names.

    state: in that state; empty: all but those that were never opened.
    """
    own = Membership.objects.filter(in_force(viewer.now), viewer.own(), project=OuterRef("pk"))
    projects = (
        visible_projects(viewer)
        .annotate(is_own=Exists(own))
        .select_related("unit")
        .order_by("-is_own", Lower("name"), "pk")
    )
    if state:
        projects = projects.filter(state=state)
    else:
        projects = projects.exclude(state=ProjectState.DROPPED)
    if text:
        projects = projects.filter(
            Q(name__icontains=text) | Q(slug__icontains=text) | Q(description__icontains=text)
        )
    return projects


def members_of(project: Project, now: datetime) -> list[Membership]:
    """The people and groups that hold a role now, the strongest role first."""
    strength = Case(*(When(role=role, then=Value(i)) for i, role in enumerate(Role)))
    return list(
        Membership.objects.live(now)
        .filter(project=project)
        .select_related("user", "group")
        .order_by(strength, "user__name", "group__name", "pk")
    )


def open_requests(viewer: Viewer, project: Project) -> list[RequestRow]:
    """What waits for a decision or an answer, the newest first."""
    waiting = pending_requests(visible_requests(viewer).filter(project=project))
    return rows_of(list(waiting.order_by("-pk")[:OPEN_SHOWN]), viewer)


def who_decides(project: Project, now: datetime) -> list[Decider]:
    """Who can decide requests of the project, the nearest first, one entry a level."""
    everybody = mandates_for(project.unit.path, Power.DECIDE_QUOTA, now)
    mandates = deciding_for(everybody, project)
    levels: dict[str, list[object]] = defaultdict(list)
    for mandate in with_free_holder(mandates, project, now):
        holder = delegate_of(mandate)
        if holder not in levels[mandate.delegation.unit.label]:
            levels[mandate.delegation.unit.label].append(holder)
    return [Decider(tuple(names), unit) for unit, names in levels.items()]  # type: ignore[arg-type]  # people and groups


def rooms_in_words(
    viewer: Viewer, project: Project, regions: Sequence[RegionFigures]
) -> list[tuple[str, list[Offering]]]:
    """[(word, offerings)] of what the project has and could have more of, the narrowest first."""
    held = {
        part.offering: 0
        for region in regions
        for row in region.rows
        for part in row.parts
        if part.quota and not part.offering.resource.is_access
    }
    rooms = rooms_of(viewer, project, held)
    by_word: dict[str, list[Offering]] = defaultdict(list)
    for offering in held:
        by_word[rooms[offering.pk].word].append(offering)
    return [(word, by_word[word]) for word in ("none", "tight", "ample") if word in by_word]


def external_ids(project: Project) -> Collection[ProjectHandle]:
    """What the identity endpoints call the project."""
    return list(ProjectHandle.objects.filter(project=project).select_related("identity"))
