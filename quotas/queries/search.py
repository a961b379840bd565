"""Finding by what people type: a request's number, or the beginnings of words of a name.

PostgreSQL's own text search with the config "simple". The vectors are written exactly as
in the indexes of Project, User and Unit, or the indexes would not be used.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Q, QuerySet

from portal.lib.lookups import is_among
from projects.models import (
    GroupMembership,
    Membership,
    Project,
    Unit,
    User,
    ancestor_paths,
    in_force,
)
from projects.queries.viewers import Viewer, live_delegations, own_projects, visible_projects
from projects.states import Power, ProjectState
from quotas.models import QuotaRequest
from quotas.queries.requests import visible_requests

MAX_TEXT = 100
MAX_WORDS = 8
MOST = 20
# A number that the database can hold.
MAX_DIGITS = 18

PROJECT_VECTOR = SearchVector("name", "slug", "description", config="simple")
USER_VECTOR = SearchVector("name", "subject", config="simple")
UNIT_VECTOR = SearchVector("name", "slug", config="simple")


@dataclass(frozen=True)
class FoundPerson:
    """Somebody, and [(role, project)] of the projects that the reader may see."""

    user: User
    roles: tuple[tuple[str, Project], ...]


@dataclass(frozen=True)
class Found:
    """What was found, at most MOST of each kind."""

    requests: list[QuotaRequest]
    projects: list[Project]
    people: list[FoundPerson]
    units: list[Unit]

    @property
    def is_empty(self) -> bool:
        return not (self.requests or self.projects or self.people or self.units)


def number_in(text: str) -> int | None:
    """The request's number that "1042" or "#1042" means; None: it is no number."""
    digits = text.strip().removeprefix("#")
    is_number = digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS
    return int(digits) if is_number else None


def prefix_query(text: str) -> str:
    """A tsquery in which every word may be a beginning: "'atlas-re':* & 'geneva':*".

    Only letters, digits and inner "-", "_", "." of what was typed get into it, and each
    word is quoted, so that nothing typed is ever an operator. "" when no word is left.
    """
    kept = "".join(each if each.isalnum() or each in "-_." else " " for each in text[:MAX_TEXT])
    words = [word for word in (each.strip("-_.") for each in kept.split()) if word]
    return " & ".join(f"'{word}':*" for word in words[:MAX_WORDS])


def find(viewer: Viewer, text: str) -> Found:
    """Everything of that name or number that the person may see."""
    query = prefix_query(text)
    number = number_in(text)
    requests = [] if number is None else list(visible_requests(viewer).filter(pk=number))
    if not query:
        return Found(requests, [], [], [])
    wanted = SearchQuery(query, config="simple", search_type="raw")
    seen = visible_projects(viewer).exclude(state=ProjectState.DROPPED)
    projects = seen.annotate(words=PROJECT_VECTOR).filter(words=wanted)
    people = _visible_people(viewer).annotate(words=USER_VECTOR).filter(words=wanted)
    units = Unit.objects.filter(retired_at__isnull=True)
    if "/" in text.strip("/ "):
        # The pages name a unit by its path, in capitals.
        units = units.filter(path__startswith=text.strip("/ ").lower())
    else:
        units = units.annotate(words=UNIT_VECTOR).filter(words=wanted)
    return Found(
        requests=requests,
        projects=list(projects.select_related("unit").order_by("name")[:MOST]),
        people=_with_roles(viewer, list(people.order_by("name", "pk")[:MOST])),
        units=list(units.order_by("path")[:MOST]),
    )


def _visible_people(viewer: Viewer) -> QuerySet[User]:
    """Who shares a visible project with the person or decides for one of their units."""
    if viewer.sees_everything:
        return User.objects.all()
    now = viewer.now
    members = Membership.objects.live(now).filter(project__in=visible_projects(viewer))
    deciders = live_delegations(now).filter(
        powers__contains=[Power.DECIDE_QUOTA], unit__path__in=_paths_above_own(viewer)
    )
    return User.objects.filter(
        Q(pk=viewer.user.pk) | _named_by(members, viewer) | _named_by(deciders, viewer)
    )


def _named_by(rows: QuerySet[Any], viewer: Viewer) -> Q:
    """The people that these memberships or delegations name, directly or through a group."""
    groups = is_among("group", rows.order_by().values("group"))
    grouped = GroupMembership.objects.filter(groups, in_force(viewer.now))
    return Q(pk__in=rows.filter(user__isnull=False).values("user")) | Q(
        pk__in=grouped.values("user")
    )


def _paths_above_own(viewer: Viewer) -> set[str]:
    paths = own_projects(viewer).order_by().values_list("unit__path", flat=True).distinct()
    return {above for path in paths for above in ancestor_paths(path)}


def _with_roles(viewer: Viewer, people: Collection[User]) -> list[FoundPerson]:
    roles: dict[int, list[tuple[str, Project]]] = defaultdict(list)
    rows = (
        Membership.objects.live(viewer.now)
        .filter(user__in=[each.pk for each in people], project__in=visible_projects(viewer))
        .select_related("project")
        .order_by("project__name")
    )
    for row in rows:
        if row.user_id is not None:
            roles[row.user_id].append((row.get_role_display(), row.project))
    return [FoundPerson(each, tuple(roles[each.pk])) for each in people]
