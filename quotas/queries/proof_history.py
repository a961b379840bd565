"""What history says about the moments of some decisions: everything a check compares with.

A moment is taken before a verb waits for its locks, so two of them may overtake each other by
the time that one waits; SLACK is more than that.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.db.models import Exists, F, Min, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from projects.models import (
    Absence,
    Delegation,
    GroupMembership,
    Membership,
    ProjectAct,
    ProjectPlacement,
    Unit,
    UnitPlacement,
)
from projects.states import ROLES_ABOVE_READER, ProjectActKind
from quotas.models import Decision, DecisionLine, DelegationBound, Holder, Transfer

SLACK = timedelta(minutes=1)


class Period(Protocol):
    """A row that holds from `starts_at` until just before `ends_at`."""

    starts_at: datetime
    ends_at: datetime | None


def may_have_held(row: Period, at: datetime) -> bool:
    """Whether the row held at a moment, or so near to it that clocks cannot tell."""
    return row.starts_at <= at + SLACK and (row.ends_at is None or row.ends_at > at - SLACK)


def surely_held(row: Period, at: datetime) -> bool:
    """Whether the row held at a moment, and for a while before and after."""
    return row.starts_at <= at - SLACK and (row.ends_at is None or row.ends_at > at + SLACK)


@dataclass(frozen=True)
class Moved:
    """What a decision line's transfers did to the project's account; base units."""

    net: int
    # The account's balance before the first of them, added up; None: nothing moved.
    before: int | None


@dataclass(frozen=True)
class Net:
    """What one decision (or act) added to a quota (or envelope), for windows of later ones."""

    judged_id: int
    links: frozenset[int]
    amount: int
    at: datetime


@dataclass(frozen=True)
class Opening:
    """Whether a project was asked for, and which decision opened it; None: none yet."""

    was_asked_for: bool
    decision_id: int | None


@dataclass(frozen=True)
class History:
    """Rows by the ids that decisions know them by."""

    lines: dict[int, list[DecisionLine]]
    links: dict[int, Delegation]
    bounds: dict[int, list[DelegationBound]]
    moved: dict[int, Moved]
    nets: dict[tuple[int, int], list[Net]]
    units: dict[str, Unit]
    parents: dict[int, list[UnitPlacement]]
    places: dict[int, list[ProjectPlacement]]
    openings: dict[int, Opening]
    roles: dict[int, list[Membership]]
    groups_of: dict[int, list[GroupMembership]]
    # Of those whom the deputies among the links stand in for.
    absences: dict[int, list[Absence]]

    def had_left(self, person_id: int, at: datetime) -> bool:
        """Whether somebody for whom a deputy stands in was surely not at the site then."""
        return any(surely_held(row, at) for row in self.absences.get(person_id, []))

    def was_proposed(self, decision: Decision) -> bool:
        """Whether the project was not opened yet: the decision that opens it is the last such."""
        opening = self.openings.get(decision.request.project_id)
        if opening is None or not opening.was_asked_for:
            return False
        return opening.decision_id is None or decision.pk <= opening.decision_id

    def lay_below(self, unit: Unit, parent: Unit | None, at: datetime) -> bool:
        """Whether a unit may have stood directly below another (None: at the top) then.

        One that never moved and is older than the record of moves stands where it stood.
        """
        rows = self.parents.get(unit.pk, [])
        parent_id = parent.pk if parent is not None else None
        if not rows:
            return unit.parent_id == parent_id
        return any(row.parent_id == parent_id and may_have_held(row, at) for row in rows)

    def had_a_role(self, person_id: int, project_id: int, at: datetime) -> bool:
        """Whether somebody surely held a role above reader, directly or through a group."""
        groups = {row.group_id for row in self.groups_of.get(person_id, []) if surely_held(row, at)}
        return any(
            surely_held(row, at) and (row.user_id == person_id or row.group_id in groups)
            for row in self.roles.get(project_id, [])
        )


def history_of(decisions: Sequence[Decision]) -> History:
    """Load it for some decisions, with `request` at hand; a fixed number of queries."""
    lines = _lines(decisions)
    rows = [row for each in lines.values() for row in each]
    ids = {each for row in rows for each in row.delegation.chain_ids}
    links = Delegation.objects.select_related("unit").in_bulk(ids)
    paths = {str(each.snapshot.get("unit_path", "")) for each in decisions}
    units = units_of({link.unit.path for link in links.values()} | paths)
    projects = {each.request.project_id for each in decisions}
    people = {each.person_id for each in decisions}
    people |= {link.grantor_id for link in links.values() if link.grantor_id is not None}
    places, openings = _places(projects)
    return History(
        lines=lines,
        links=links,
        bounds=by_column(
            DelegationBound.objects.filter(delegation__in=ids).order_by("pk"), "delegation"
        ),
        moved=_moved(rows),
        nets=_nets(rows),
        units=units,
        parents=by_column(UnitPlacement.objects.filter(unit__in=[*units.values()]), "unit"),
        places=places,
        openings=openings,
        roles=by_column(
            Membership.objects.filter(project__in=projects, role__in=ROLES_ABOVE_READER), "project"
        ),
        groups_of=by_column(GroupMembership.objects.filter(user__in=people), "user"),
        absences=absences_behind(links.values()),
    )


def absences_behind(links: Iterable[Delegation]) -> dict[int, list[Absence]]:
    """{person for whom a deputy of these stands in: when they were away}; no deputy, no query."""
    people = {link.grantor_id for link in links if link.is_deputy}
    return by_column(Absence.objects.filter(user__in=people - {None}), "user")


def _places(
    projects: Collection[int],
) -> tuple[dict[int, list[ProjectPlacement]], dict[int, Opening]]:
    """{project id: its places}, {project id: how it was opened}; one query.

    Whoever asks for a project says where it is to be: none was without a place.
    """
    acts = ProjectAct.objects.filter(project=OuterRef("project")).order_by("at", "pk")
    opened = acts.filter(kind=ProjectActKind.OPEN).values("snapshot__decision")
    rows = ProjectPlacement.objects.filter(project__in=projects).annotate(
        was_asked_for=Exists(acts.filter(kind=ProjectActKind.PROPOSE)),
        opened_by=Subquery(opened[:1]),
    )
    places = by_column(rows, "project")
    openings = {pk: Opening(row.was_asked_for, row.opened_by) for pk, (row, *_) in places.items()}
    return places, openings


def by_column(rows: Iterable[Any], column: str) -> dict[int, list[Any]]:
    """{id in a column: the rows with it}."""
    found: dict[int, list[Any]] = defaultdict(list)
    for row in rows:
        found[getattr(row, f"{column}_id")].append(row)
    return found


def _lines(decisions: Collection[Decision]) -> dict[int, list[DecisionLine]]:
    rows = DecisionLine.objects.filter(decision__in=decisions).select_related(
        "decision", "delegation", "line__offering"
    )
    return by_column(rows.order_by("pk"), "decision")


def units_of(paths: Collection[str]) -> dict[str, Unit]:
    """{slug: unit} of every slug on these paths; slugs never change."""
    slugs = {slug for path in paths for slug in path.split("/") if slug}
    return {unit.slug: unit for unit in Unit.objects.filter(slug__in=slugs)}


def _moved(rows: Collection[DecisionLine]) -> dict[int, Moved]:
    """{decision line id: what its transfers did}; two queries."""
    ids = [row.pk for row in rows if row.granted is not None]
    rows_of = Transfer.objects.filter(decision_line__in=ids).values_list(
        "pk", "decision_line", "decision_line__line__project", "amount",
        "credit", "credit__project", "debit", "debit__project",
    )  # fmt: skip
    nets: dict[int, int] = defaultdict(int)
    accounts: dict[int, int] = {}
    firsts: dict[int, int] = {}
    for pk, key, project_id, amount, credit, credited, debit, debited in rows_of:
        for account_id, holder_id, sign in ((credit, credited, 1), (debit, debited, -1)):
            if holder_id == project_id:
                nets[key] += sign * amount
                accounts[key] = account_id
                firsts[key] = min(firsts.get(key, pk), pk)
    before = _balances_before({(accounts[key], firsts[key]) for key in accounts})
    return {
        key: Moved(nets[key], before.get((accounts[key], firsts[key])) if key in accounts else None)
        for key in ids
    }


def _balances_before(wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """{(account id, transfer id): its balance before that transfer}; one query."""
    first = {transfer_id for _account, transfer_id in wanted}

    def total(column: str) -> Coalesce:
        earlier = Transfer.objects.filter(
            **{column: OuterRef("account")}, pk__lt=OuterRef("pk")
        ).order_by()
        summed = earlier.values(column).annotate(total=Sum("amount")).values("total")
        return Coalesce(Subquery(summed), 0)

    found = {}
    for side in ("credit", "debit"):
        rows = (
            Transfer.objects.filter(pk__in=first, **{f"{side}__holder": Holder.PROJECT})
            .annotate(account=F(side))
            .annotate(before=total("credit") - total("debit"))
        )
        for pk, account_id, before in rows.values_list("pk", "account", "before"):
            found[account_id, pk] = before
    return found


def _nets(rows: Collection[DecisionLine]) -> dict[tuple[int, int], list[Net]]:
    """{(project id, offering id): what was decided} as far back as a window of these reaches."""
    granted = [row for row in rows if row.granted is not None]
    if not granted:
        return {}
    links = {each for row in granted for each in row.delegation.chain_ids}
    days = DelegationBound.objects.filter(delegation__in=links).aggregate(
        longest=Coalesce(-Min(-F("window_days")), 0)
    )["longest"]
    since = min(row.decision.at for row in granted) - timedelta(days=days) - SLACK
    found: dict[tuple[int, int], list[Net]] = defaultdict(list)
    others = DecisionLine.objects.filter(
        line__project__in={row.line.project_id for row in granted},
        line__offering__in={row.line.offering_id for row in granted},
        granted__isnull=False,
        decision__at__gt=since,
        decision__lte=max(row.decision_id for row in granted),
    ).annotate(net=F("granted") - F("before"))
    for project_id, offering_id, *net, ancestors, delegation_id in others.values_list(
        "line__project", "line__offering", "decision", "net", "decision__at",
        "delegation__ancestors", "delegation",
    ):  # fmt: skip
        decision_id, amount, at = net
        links_of = frozenset({*ancestors, delegation_id})
        found[project_id, offering_id].append(Net(decision_id, links_of, amount, at))
    return found
