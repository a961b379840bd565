"""What moving or retiring a unit would mean, before it is done: figures, sources, authority."""

import hashlib
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet, Sum

from projects.models import Delegation, Project, Unit
from projects.queries.viewers import live_delegations
from quotas.models import Account, Loan, Offering, Policy, RequestLine
from quotas.states import PENDING, PolicyState

from .accounts import Fill, envelope_fills, sources
from .envelopes import drawing, nearest_above

# The order of the catalogue.
IN_ORDER = (
    "offering__zone__region__order", "offering__zone__order", "offering__zone__slug",
    "offering__resource__order",
)  # fmt: skip


@dataclass(frozen=True)
class Shift:
    """An envelope whose size changes because what lies beneath it comes or goes; left stays."""

    account: Account
    before: Fill
    after: Fill


@dataclass(frozen=True)
class Redrawn:
    """Of which offerings projects of the subtree draw from another account afterwards."""

    before: Account | None
    after: Account | None
    offerings: list[Offering]


@dataclass(frozen=True)
class Move:
    """What moving a unit would mean. parent: None, to the top; `seen` changes when this does.

    lost: delegations in force that are without effect in the subtree afterwards, as they stand
    above it today or were handed on by one that does; gained: those that reach it from then on.
    """

    unit: Unit
    parent: Unit | None
    unit_count: int
    projects: list[Project]
    open_count: int
    shifts: list[Shift]
    redrawn: list[Redrawn]
    lost: list[Delegation]
    gained: list[Delegation]
    seen: str


@dataclass(frozen=True)
class Swept:
    """An envelope of a retiring unit, who gets what is left, and what it lent that returns."""

    envelope: Account
    heir: Account | None
    lent: int


@dataclass(frozen=True)
class Retirement:
    """What retiring a unit would mean: everything goes to its parent, but for the authority.

    ended: delegations over the unit, and interrupted: what was handed on below those.
    """

    unit: Unit
    heir: Unit | None
    swept: list[Swept]
    projects: list[Project]
    children: list[Unit]
    ended: list[Delegation]
    interrupted: list[Delegation]
    policies: list[Policy]
    open_count: int
    seen: str


def move_of(unit: Unit, parent: Unit | None, now: datetime) -> Move:
    """What moving the unit below `parent` would mean now."""
    old = _above(unit.parent)
    new = _above(parent)
    left = [each for each in old if each not in new]
    entered = [each for each in new if each not in old]
    shifts = _shifts(unit, left, entered)
    redrawn = _redrawn(unit, parent)
    lost = _lost(unit, left, now)
    gained = _over(entered, now)
    projects = list(_projects(unit))
    found = {
        "paths": [unit.path, parent.path if parent else ""],
        "shifts": [(each.account.pk, each.before, each.after) for each in shifts],
        "redrawn": [[each.slug for each in row.offerings] for row in redrawn],
        "lost": [each.pk for each in lost],
        "gained": [each.pk for each in gained],
        "projects": [each.pk for each in projects],
    }
    return Move(
        unit=unit,
        parent=parent,
        unit_count=Unit.objects.under(unit.path).filter(retired_at__isnull=True).count(),
        projects=projects,
        open_count=_open(projects),
        shifts=shifts,
        redrawn=redrawn,
        lost=lost,
        gained=gained,
        seen=_fingerprint(found),
    )


def retirement_of(unit: Unit, now: datetime) -> Retirement:
    """What retiring the unit would mean now."""
    swept = _swept(unit)
    projects = list(Project.objects.filter(unit=unit).order_by("name"))
    children = list(Unit.objects.filter(parent=unit, retired_at__isnull=True).order_by("name"))
    ended = list(
        _told(Delegation.objects.filter(unit=unit, revoked_at__isnull=True)).filter(
            Q(ends_at__isnull=True) | Q(ends_at__gt=now)
        )
    )
    ids = [each.pk for each in ended]
    interrupted = _told(live_delegations(now).filter(ancestors__overlap=ids).exclude(pk__in=ids))
    policies = list(Policy.objects.filter(unit=unit, state=PolicyState.ON).order_by("pk"))
    rest = list(interrupted) if ids else []
    found = {
        "paths": [unit.path],
        "swept": [(row.envelope.pk, row.envelope.balance, row.lent) for row in swept],
        "heirs": [row.heir.pk if row.heir else 0 for row in swept],
        "projects": [each.pk for each in projects],
        "children": [each.pk for each in children],
        "delegations": [*ids, *(each.pk for each in rest)],
        "policies": [each.pk for each in policies],
    }
    return Retirement(
        unit=unit,
        heir=unit.parent,
        swept=swept,
        projects=projects,
        children=children,
        ended=ended,
        interrupted=rest,
        policies=policies,
        open_count=_open(projects),
        seen=_fingerprint(found),
    )


def held_below(unit: Unit) -> dict[int, int]:
    """{offering id: base units} of all that a unit, its sub-units and their projects hold."""
    rows = Account.objects.filter(
        Q(unit__path__startswith=unit.path) | Q(project__unit__path__startswith=unit.path)
    )
    totals = rows.order_by().values_list("offering").annotate(total=Sum("balance"))
    return {offering_id: total for offering_id, total in totals if total}


def _above(parent: Unit | None) -> list[Unit]:
    return list(Unit.objects.above(parent.path)) if parent is not None else []


def _shifts(unit: Unit, left: Collection[Unit], entered: Collection[Unit]) -> list[Shift]:
    held = held_below(unit)
    accounts = list(
        Account.objects.filter(unit__in=[*left, *entered], offering__in=held)
        .select_related("unit", "offering__resource", "offering__zone__region")
        .order_by("unit__path", *IN_ORDER)
    )
    fills = envelope_fills(accounts)
    leaving = {each.pk for each in left}
    found = []
    for account in accounts:
        amount = held[account.offering_id]
        delta = -amount if account.unit_id in leaving else amount
        before = fills[account.pk]
        after = Fill(promised=before.promised + delta, size=before.size + delta)
        found.append(Shift(account, before, after))
    return found


def _redrawn(unit: Unit, parent: Unit | None) -> list[Redrawn]:
    """Only where some project of the subtree draws from above the unit, by another account."""
    offerings = Offering.objects.filter(retired_at__isnull=True).select_related(
        "resource", "zone__region"
    )
    own = set(Account.objects.filter(unit=unit).values_list("offering", flat=True))
    rows = {each.pk: each for each in offerings if each.pk not in own}
    drawn = drawing(unit, list(rows)) if rows else {}
    before = nearest_above(unit, list(rows))
    after = sources(list(rows), parent.path if parent else "")
    groups: dict[tuple[int, int], Redrawn] = {}
    for pk, offering in rows.items():
        one = before.get(pk)
        other = after[pk][0] if pk in after else None
        is_same_pool = one is not None and other is not None and one.pk == other.pk
        if not drawn[pk] or is_same_pool or (one is None and other is None):
            continue
        key = (_unit_id(one), _unit_id(other))
        groups.setdefault(key, Redrawn(one, other, [])).offerings.append(offering)
    return list(groups.values())


def _unit_id(account: Account | None) -> int:
    """0 for the pool: pools of many offerings are one place to people."""
    return account.unit_id or 0 if account is not None else 0


def _lost(unit: Unit, left: Collection[Unit], now: datetime) -> list[Delegation]:
    above = Delegation.objects.filter(unit__in=left).values_list("pk", flat=True)
    broken = Q(unit__path__startswith=unit.path, ancestors__overlap=list(above))
    return list(_told(live_delegations(now)).filter(Q(unit__in=left) | broken))


def _over(units: Collection[Unit], now: datetime) -> list[Delegation]:
    return list(_told(live_delegations(now)).filter(unit__in=units))


def _told(rows: QuerySet[Delegation]) -> QuerySet[Delegation]:
    return rows.select_related("unit", "user", "group").order_by("unit__path", "pk")


def _swept(unit: Unit) -> list[Swept]:
    envelopes = list(
        Account.objects.filter(unit=unit)
        .select_related("unit", "offering__resource", "offering__zone__region")
        .order_by(*IN_ORDER)
    )
    heirs = nearest_above(unit, [each.offering_id for each in envelopes])
    lent: dict[int, int] = defaultdict(int)
    loans = Loan.objects.filter(source__in=envelopes, outstanding__gt=0)
    for source_id, outstanding in loans.values_list("source", "outstanding"):
        lent[source_id] += outstanding
    return [Swept(each, heirs.get(each.offering_id), lent[each.pk]) for each in envelopes]


def _projects(unit: Unit) -> QuerySet[Project]:
    return Project.objects.filter(unit__path__startswith=unit.path).order_by("name")


def _open(projects: Collection[Project]) -> int:
    lines = RequestLine.objects.filter(
        project__in=[each.pk for each in projects], state__in=PENDING
    )
    return lines.values("request").distinct().count()


def _fingerprint(found: object) -> str:
    return hashlib.sha256(repr(found).encode()).hexdigest()[:16]
