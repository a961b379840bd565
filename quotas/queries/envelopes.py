"""Envelopes in figures: what one holds and what pays it, where the rest is, who draws from it."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from portal.lib.lookups import is_among
from projects.models import GroupMembership, Membership, Project, Unit, in_force
from projects.queries.viewers import Viewer, visible_projects
from projects.rules import may_see_figures
from projects.states import ROLES_ABOVE_READER, ProjectState
from quotas.models import Account, EnvelopeAct, Holder, Offering, Transfer

from .accounts import Fill, envelope_fills, sources


@dataclass(frozen=True)
class Standing:
    """A unit's envelope of one offering, and what pays it; base units.

    account: None where none is declared; promised: what lies beneath the unit, in sub-units
    and projects; source: the nearest envelope above, or the pool; None: nothing was issued.
    """

    unit: Unit
    offering: Offering
    account: Account | None
    promised: int
    source: Account | None
    source_fill: Fill

    @property
    def left(self) -> int | None:
        """What it can still give; None: it is not declared."""
        return self.account.balance if self.account is not None else None

    @property
    def size(self) -> int:
        return self.promised + (self.left or 0)

    @property
    def fill(self) -> Fill:
        return Fill(promised=self.promised, size=self.size)

    @property
    def source_left(self) -> int:
        return self.source.balance if self.source is not None else 0

    @property
    def source_slug(self) -> str | None:
        """The slug of the unit that pays; None: the pool."""
        return self.source.unit.slug if self.source is not None and self.source.unit else None

    @property
    def source_path(self) -> str:
        """The path for which one must hold the power to give from the source: the pool is
        the top unit's business."""
        if self.source is not None and self.source.unit is not None:
            return self.source.unit.path
        return self.unit.path.split("/")[0] + "/"


def standings(unit: Unit, offerings: Collection[Offering]) -> dict[int, Standing]:
    """{offering id: Standing} of a unit; three queries for any number of offerings."""
    above = sources([each.pk for each in offerings], unit.path)
    beneath = dict(
        _below(unit, [each.pk for each in offerings])
        .order_by()
        .values_list("offering")
        .annotate(total=Sum("balance"))
    )
    own = {pk: rows[0] for pk, rows in above.items() if rows[0].unit_id == unit.pk}
    payers = {
        pk: rest[0]
        for pk, rows in above.items()
        if (rest := [each for each in rows if each.unit_id != unit.pk])
    }
    fills = envelope_fills(list(payers.values()))
    return {
        each.pk: Standing(
            unit=unit,
            offering=each,
            account=own.get(each.pk),
            promised=beneath.get(each.pk, 0),
            source=payers.get(each.pk),
            source_fill=fills[payers[each.pk].pk] if each.pk in payers else Fill(0, 0),
        )
        for each in offerings
    }


def _below(unit: Unit, offering_ids: Collection[int]) -> QuerySet[Account]:
    """What lies beneath a unit's own envelopes: accounts of sub-units and projects."""
    units = Unit.objects.under(unit.path).values("pk")
    projects = Project.objects.filter(is_among("unit", units)).values("pk")
    return Account.objects.filter(
        Q(is_among("project", projects)) | Q(is_among("unit", units.exclude(pk=unit.pk))),
        offering__in=offering_ids,
    )


@dataclass(frozen=True)
class Held:
    """What a sub-unit (its envelope with all beneath) or a project has of an offering."""

    unit: Unit | None
    project: Project | None
    amount: int

    @property
    def kind(self) -> str:
        return "unit" if self.unit is not None else "project"

    @property
    def slug(self) -> str:
        return self.unit.slug if self.unit is not None else self.project.slug  # type: ignore[union-attr]  # one of the two

    @property
    def name(self) -> str:
        return self.unit.label if self.unit is not None else self.project.name  # type: ignore[union-attr]  # one of the two


@dataclass(frozen=True)
class Rest:
    """Where what an envelope gave out is: the largest first, as far as the reader sees.

    others: what is with those whom the reader may not see.
    """

    holders: list[Held]
    others: int

    @property
    def total(self) -> int:
        return sum(each.amount for each in self.holders) + self.others


def rest_of(viewer: Viewer, unit: Unit, offering: Offering) -> Rest:
    """Sub-units with an envelope (each with all beneath it), and projects that drew directly."""
    rows = list(_below(unit, [offering.pk]).select_related("unit", "project__unit"))
    tops = _topmost(each.unit.path for each in rows if each.unit is not None)
    amounts: dict[str, int] = defaultdict(int)
    direct: list[Account] = []
    for row in rows:
        path = _place(row).path
        top = next((each for each in tops if path.startswith(each)), None)
        if top is not None:
            amounts[top] += row.balance
        elif row.balance:
            direct.append(row)
    units = {row.unit.path: row.unit for row in rows if row.unit is not None}
    seen = set(
        visible_projects(viewer)
        .filter(pk__in=[each.project_id for each in direct])
        .values_list("pk", flat=True)
    )
    holders = [
        Held(units[path], None, amount)
        for path, amount in amounts.items()
        if amount and may_see_figures(viewer, path)
    ]
    holders += [Held(None, row.project, row.balance) for row in direct if row.project_id in seen]
    total = sum(amounts.values()) + sum(each.balance for each in direct)
    holders.sort(key=lambda each: (-each.amount, each.name))
    return Rest(holders, total - sum(each.amount for each in holders))


def _place(account: Account) -> Unit:
    owner = account.unit or (account.project.unit if account.project else None)
    if owner is None:  # pragma: no cover - the constraint account_one_holder
        raise AssertionError("an account below a unit without a place")
    return owner


def _topmost(paths: Iterable[str]) -> list[str]:
    """Those of the paths that lie in none of the others."""
    found: list[str] = []
    for path in sorted(paths):
        if not found or not path.startswith(found[-1]):
            found.append(path)
    return found


def drawing(unit: Unit, offering_ids: Collection[int]) -> dict[int, list[Project]]:
    """{offering id: the projects whose nearest envelope is, or would be, the unit's own}.

    Two queries for any number of offerings.
    """
    nearer = _nearer(unit, offering_ids)
    projects = list(
        Project.objects.filter(unit__path__startswith=unit.path)
        .exclude(state=ProjectState.CLOSED)
        .select_related("unit")
        .order_by("name")
    )
    return {
        each: [
            project
            for project in projects
            if not any(project.unit.path.startswith(path) for path in nearer[each])
        ]
        for each in offering_ids
    }


def _nearer(unit: Unit, offering_ids: Collection[int]) -> dict[int, set[str]]:
    """{offering id: paths of the sub-units with an envelope of their own}."""
    found: dict[int, set[str]] = defaultdict(set)
    rows = Account.objects.filter(
        offering__in=offering_ids, unit__path__startswith=unit.path
    ).exclude(unit=unit)
    for offering_id, path in rows.values_list("offering", "unit__path"):
        found[offering_id].add(path)
    return found


def projects_of_interest(people: Collection[int], path: str, now: datetime) -> list[Project]:
    """Projects below the unit of a path in which one of these people has a role above reader."""
    held = Membership.objects.filter(in_force(now), role__in=ROLES_ABOVE_READER)
    groups = GroupMembership.objects.filter(in_force(now), user__in=people)
    own = held.filter(Q(user__in=people) | Q(group__in=groups.values("group")))
    return list(
        Project.objects.filter(
            pk__in=own.values("project"), unit__path__startswith=path
        ).select_related("unit")
    )


def drawing_among(
    projects: Collection[Project], unit: Unit, offering_ids: Collection[int]
) -> dict[int, list[Project]]:
    """`drawing`, of these projects only; one query."""
    nearer = _nearer(unit, offering_ids) if projects else {}
    return {
        each: [
            project
            for project in projects
            if not any(project.unit.path.startswith(path) for path in nearer.get(each, ()))
        ]
        for each in offering_ids
    }


def acts_of(unit: Unit) -> QuerySet[EnvelopeAct]:
    """Acts on the unit's envelopes, and on others that they paid or received; newest first."""
    moved = Transfer.objects.filter(envelope_act__isnull=False)
    paid = moved.filter(debit__unit=unit).values("envelope_act")
    received = moved.filter(credit__unit=unit).values("envelope_act")
    own = EnvelopeAct.objects.filter(unit=unit).order_by().values("pk")
    return (
        EnvelopeAct.objects.filter(is_among("pk", own.union(paid, received)))
        .select_related(
            "unit", "actor", "delegation__user", "delegation__group",
            "offering__resource", "offering__zone__region",
        )
        .order_by("-pk")
    )  # fmt: skip


def fundable(unit: Unit) -> QuerySet[Offering]:
    """What can be put into the unit's envelopes, and what of the retired it still has."""
    held = Account.objects.filter(unit=unit, holder=Holder.UNIT, offering=OuterRef("pk"))
    return (
        Offering.objects.filter(Q(retired_at__isnull=True) | Exists(held))
        .select_related("resource", "zone__region")
        .order_by("zone__region__order", "zone__region__slug", "zone__order", "zone__slug",
                  "resource__order")
    )  # fmt: skip


def nearest_above(unit: Unit, offering_ids: Collection[int]) -> dict[int, Account]:
    """{offering id: the nearest envelope above a unit without its own, or the pool}."""
    found = sources(offering_ids, unit.path)
    return {
        pk: next(each for each in rows if each.unit_id != unit.pk)
        for pk, rows in found.items()
        if any(each.unit_id != unit.pk for each in rows)
    }
