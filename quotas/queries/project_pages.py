"""What the project pages show beside the figures: members, deciders, room, open requests."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Lower

from projects.models import Membership, Project, in_force
from projects.queries.viewers import Viewer, visible_projects
from projects.states import ProjectState, Role
from quotas.models import Offering

from .authority import Mandate, delegate_of
from .figures import RegionFigures
from .preview import Decider, rooms_of

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
    return list(member_rows(project, now).select_related("user", "group"))


def member_rows(project: Any, now: Any) -> QuerySet[Membership]:
    """As `members_of`; project: it, its id or a slot for that."""
    strength = Case(*(When(role=role, then=Value(i)) for i, role in enumerate(Role)))
    rows = Membership.objects.live(now).filter(project=project)
    return rows.order_by(strength, "user__name", "group__name", "pk")


def levels_of(mandates: Iterable[Mandate]) -> list[Decider]:
    """Who holds these, one entry a level; mandates: the nearest first."""
    levels: dict[str, list[object]] = defaultdict(list)
    for mandate in mandates:
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
