"""What the form of a new project offers: units near to whoever asks, people and groups, amounts."""

from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.postgres.search import SearchQuery
from django.db.models import Max

from projects.models import Membership, Project, Unit, in_force
from projects.queries.groups import visible_groups
from projects.queries.viewers import Viewer
from projects.rules import may_choose_groups
from quotas.models import Offering, Preset, Region

from .delegates import MOST, Delegate, find_delegates
from .preview import Room, rooms_of
from .search import UNIT_VECTOR, prefix_query

UNITS_SHOWN, UNITS_FOUND = 5, 12


@dataclass(frozen=True)
class NewRow:
    """One offering that can be asked for; room: for nothing yet; None: no unit is chosen."""

    offering: Offering
    room: Room | None

    @property
    def key(self) -> str:
        return self.offering.slug

    @property
    def unit(self) -> str:
        return self.offering.resource.unit


def own_units(viewer: Viewer) -> list[Unit]:
    """The units of one's own projects, that of the role that was given last first."""
    held = Membership.objects.filter(in_force(viewer.now), viewer.own(), viewer.here("project__"))
    units = Unit.objects.filter(retired_at__isnull=True, projects__memberships__in=held)
    rows = units.annotate(last_at=Max("projects__memberships__starts_at"))
    return list(rows.order_by("-last_at", "path")[:UNITS_SHOWN])


def find_units(text: str) -> list[Unit]:
    """The first units with a word of their name or slug, or a path, that begins so."""
    rows = Unit.objects.filter(retired_at__isnull=True)
    if "/" in text.strip("/ "):
        rows = rows.filter(path__startswith=text.strip("/ ").lower())
    elif query := prefix_query(text):
        wanted = SearchQuery(query, config="simple", search_type="raw")
        rows = rows.annotate(words=UNIT_VECTOR).filter(words=wanted)
    else:
        return []
    return list(rows.order_by("path")[:UNITS_FOUND])


def find_members(viewer: Viewer, text: str, without: Collection[str]) -> list[Delegate]:
    """People and groups of that name; groups that one may see. without: their keys."""
    may_all = may_choose_groups(viewer)
    found = find_delegates(text, viewer.now, with_groups=may_all, without=[viewer.user.pk])
    if not may_all and text.strip():
        groups = visible_groups(viewer).filter(name__icontains=text.strip()).order_by("name")
        found += [Delegate(each) for each in groups[:MOST]]
    return [each for each in found if each.key not in without]


def new_rows(
    viewer: Viewer, project: Project | None, region: Region | None, slugs: Collection[str]
) -> list[NewRow]:
    """Everything offered in a region, and the offerings of these slugs wherever they are."""
    offerings = [
        each
        for each in Offering.objects.select_related("resource", "zone__region")
        if each.retired_at is None
        and (each.slug in slugs or (region is not None and each.zone.region_id == region.pk))
    ]
    rooms = rooms_of(viewer, project, dict.fromkeys(offerings, 0)) if project else {}
    return [NewRow(each, rooms.get(each.pk)) for each in offerings]


def all_presets() -> list[Preset]:
    """The presets of every region, by region."""
    rows = Preset.objects.select_related("region").prefetch_related("lines__offering__resource")
    return list(rows.order_by("region__order", "region__slug", "order", "slug"))
