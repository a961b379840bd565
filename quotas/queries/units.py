"""Units as pages show them: the tree, the envelopes of one, and who decides for it."""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import BigIntegerField, Count, F, OuterRef, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce

from portal.lib.bar_words import fill_figures
from portal.lib.lookups import IsAnyOf
from projects.models import Group, Project, Unit, User
from projects.queries.delegations import visible_delegations
from projects.queries.viewers import Viewer, visible_projects
from projects.states import Power
from quotas.models import Account
from quotas.queries.accounts import Fill, envelope_fills, room_word
from quotas.queries.authority import Mandate, delegate_of, mandates_for

# How many units a tree shows: level by level from the top, as far as there is room.
MOST_UNITS = 300


@dataclass
class Node:
    """A unit, how many of its projects the reader sees, and the units below it that are shown."""

    unit: Unit
    project_count: int
    child_count: int
    children: list["Node"] = field(default_factory=list)

    @property
    def hidden_count(self) -> int:
        """How many units right below are not shown."""
        return self.child_count - len(self.children)


def unit_tree(viewer: Viewer) -> list[Node]:
    """The living units as trees, roots first, at most MOST_UNITS of them; one query."""
    living = Unit.objects.filter(retired_at__isnull=True)
    projects = visible_projects(viewer).filter(unit=OuterRef("pk"))
    ids = ArrayField(BigIntegerField())
    nearest = RawSQL(NEAREST_TO_THE_TOP, [MOST_UNITS], output_field=ids)  # noqa: S611 - bound
    rows = (
        living.filter(IsAnyOf(F("pk"), nearest))
        .annotate(
            seen=_count(projects, "unit"),
            below=_count(living.filter(parent=OuterRef("pk")), "parent"),
        )
        .order_by("path")
    )
    roots: list[Node] = []
    nodes: dict[int, Node] = {}
    for unit in rows:
        node = Node(unit, unit.seen, unit.below)
        nodes[unit.pk] = node
        parent = nodes.get(unit.parent_id) if unit.parent_id else None
        (parent.children if parent else roots).append(node)
    return roots


def _count(rows: QuerySet[Any], column: str) -> Coalesce:
    """How many of the rows there are, which all have the same value in the column."""
    counted = rows.order_by().values(column).annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(counted), 0)


# The ids of so many living units: a level is read after the one above it, and no further.
NEAREST_TO_THE_TOP = """
    ARRAY(
        WITH RECURSIVE shown AS (
            (
                SELECT id FROM projects_unit WHERE parent_id IS NULL AND retired_at IS NULL
                ORDER BY path
            )
            UNION ALL
            SELECT child.id FROM shown CROSS JOIN LATERAL (
                SELECT id FROM projects_unit WHERE parent_id = shown.id AND retired_at IS NULL
                ORDER BY path
            ) child
        )
        SELECT id FROM shown LIMIT %s
    )
"""


@dataclass(frozen=True)
class Envelope:
    """A unit's account of one offering, how full it is, and that as a word."""

    account: Account
    fill: Fill

    @property
    def room(self) -> str:
        return room_word(self.fill)

    @property
    def figures(self) -> str:
        """Return "100 of 1000"."""
        unit = self.account.offering.resource.unit
        return fill_figures(self.fill.promised, 0, self.fill.size, unit=unit)


def envelopes_of(unit: Unit) -> list[Envelope]:
    """The envelopes that the unit itself declares; two queries."""
    accounts = list(
        Account.objects.filter(unit=unit)
        .select_related("offering__resource", "offering__zone__region")
        .order_by(
            "offering__zone__region__order", "offering__zone__order", "offering__zone__slug",
            "offering__resource__order",
        )
    )  # fmt: skip
    fills = envelope_fills(accounts)
    return [Envelope(each, fills[each.pk]) for each in accounts]


@dataclass(frozen=True)
class Child:
    """A unit below, with how many envelopes it has and how many of these have little left."""

    unit: Unit
    envelope_count: int
    tight_count: int
    empty_count: int


def children_of(unit: Unit) -> list[Child]:
    """The living units right below, by name; three queries for any number."""
    units = list(Unit.objects.filter(parent=unit, retired_at__isnull=True).order_by("name"))
    accounts = list(Account.objects.filter(unit__in=units))
    fills = envelope_fills(accounts) if accounts else {}
    words: dict[int, list[str]] = {each.pk: [] for each in units}
    for account in accounts:
        if account.unit_id is not None:
            words[account.unit_id].append(room_word(fills[account.pk]))
    return [
        Child(each, len(found), found.count("tight"), found.count("none"))
        for each in units
        for found in [words[each.pk]]
    ]


def projects_of(viewer: Viewer, unit: Unit) -> QuerySet[Project]:
    """The unit's own projects that the reader may see."""
    return visible_projects(viewer).filter(unit=unit).order_by("name")


@dataclass(frozen=True)
class Decider:
    """Who decides quota here, for which subtree, and whether the reader may see the terms."""

    holder: User | Group
    mandate: Mandate
    is_visible: bool


def deciders_of(viewer: Viewer, unit: Unit, *, is_nearest_only: bool) -> list[Decider]:
    """Who decides for the unit, the nearest first; members learn only the next step."""
    mandates = mandates_for(unit.path, Power.DECIDE_QUOTA, viewer.now)
    if is_nearest_only:
        mandates = [each for each in mandates if each.nearness == mandates[0].nearness]
    visible = visible_delegations(viewer).filter(pk__in=[each.delegation.pk for each in mandates])
    visible_ids = set(visible.values_list("pk", flat=True))
    return [
        Decider(delegate_of(each), each, each.delegation.pk in visible_ids) for each in mandates
    ]
