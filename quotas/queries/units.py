"""Units as pages show them: the tree, the envelopes of one, and who decides for it."""

from dataclasses import dataclass, field

from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from portal.lib.bar_words import fill_figures
from projects.models import Group, Project, Unit, User
from projects.queries.delegations import visible_delegations
from projects.queries.viewers import Viewer, visible_projects
from projects.states import Power
from quotas.models import Account
from quotas.queries.accounts import Fill, envelope_fills, room_word
from quotas.queries.authority import Mandate, delegate_of, mandates_for


@dataclass
class Node:
    """A unit, how many of its projects the reader sees, and the units below it."""

    unit: Unit
    project_count: int
    children: list["Node"] = field(default_factory=list)


def unit_tree(viewer: Viewer) -> list[Node]:
    """The living units as trees, roots first; one query."""
    seen = (
        visible_projects(viewer)
        .filter(unit=OuterRef("pk"))
        .order_by()
        .values("unit")
        .annotate(count=Count("pk"))
        .values("count")
    )
    rows = (
        Unit.objects.filter(retired_at__isnull=True)
        .annotate(seen=Coalesce(Subquery(seen), 0))
        .order_by("path")
    )
    roots: list[Node] = []
    nodes: dict[int, Node] = {}
    for unit in rows:
        node = Node(unit, unit.seen)
        nodes[unit.pk] = node
        parent = nodes.get(unit.parent_id) if unit.parent_id else None
        (parent.children if parent else roots).append(node)
    return roots


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
