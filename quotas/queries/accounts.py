"""What the ledger says: sources, balances now and then, how full an envelope or zone is."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import F, Q, QuerySet, Sum, TextField
from django.db.models.functions import Coalesce

from portal.lib.compiled import compiled
from portal.lib.lookups import is_among, is_of
from portal.lib.together import Part, Rows, Stated, Values
from projects.models import Project, ancestor_paths
from quotas.models import Account, Capacity, Holder, Transfer


def balances(project: Project, offering_ids: Collection[int] | None = None) -> dict[int, int]:
    """{offering id: quota in base units} of a project; an offering without one is absent."""
    (rows,) = _balances(project=project.pk)
    return {
        offering_id: balance
        for offering_id, balance in rows
        if offering_ids is None or offering_id in offering_ids
    }


@compiled
def _balances(*, project: Any) -> list[Part]:
    return [Values(Account.objects.filter(project=project), ["offering", "balance"])]


def sources(offering_ids: Iterable[int], unit_path: str) -> dict[int, list[Account]]:
    """For each offering the accounts that could pay, nearest first: envelopes, then the pool.

    An envelope exists by declaration, so the first one is the source even at zero.
    """
    found = sources_of([(offering_id, unit_path) for offering_id in offering_ids])
    return {offering_id: accounts for (offering_id, _path), accounts in found.items() if accounts}


def sources_of(wanted: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[Account]]:
    """`sources` for many projects at once: {(offering id, unit path): accounts}; one query."""
    paths = {above for _offering, path in wanted for above in ancestor_paths(path)}
    offering_ids = {offering_id for offering_id, _path in wanted}
    if not offering_ids:
        return {}
    (rows,) = _paying(offerings=sorted(offering_ids), paths=sorted(paths))
    by_offering: dict[int, list[Account]] = defaultdict(list)
    for account in rows:
        by_offering[account.offering_id].append(account)
    return {
        (offering_id, path): nearest_first(
            each
            for each in by_offering[offering_id]
            if each.unit is None or path.startswith(each.unit.path)
        )
        for offering_id, path in wanted
    }


def paying(offering_ids: Iterable[int], paths: Iterable[str]) -> QuerySet[Account]:
    """The envelopes of units with these paths, and the pools."""
    return _of_either(Q(offering__in=offering_ids), Q(is_among("unit__path", list(paths))))


@compiled
def _paying(*, offerings: Any, paths: Any) -> list[Part]:
    are_there = Q(is_of("unit__path", paths, TextField()))
    rows = _of_either(Q(is_of("offering", offerings)), are_there)
    around = ["unit", "offering", "offering__resource", "offering__zone"]
    return [Rows(rows.order_by("pk"), around)]


def _of_either(are_offered: Q, are_there: Q) -> QuerySet[Account]:
    """Two looks into indexes; either the one or the other would be a look at all accounts."""
    rows = Account.objects.filter(are_offered)
    pools = rows.filter(holder=Holder.POOL).values("pk")
    return Account.objects.filter(is_among("pk", pools.union(rows.filter(are_there).values("pk"))))


def nearest_first(accounts: Iterable[Account]) -> list[Account]:
    """Sources of one place in the order in which they pay: the deepest envelope, last the pool."""
    return sorted(accounts, key=_distance)


def _distance(account: Account) -> int:
    """Sorts sources: the deeper unit is nearer, the pool is last."""
    return -len(account.unit.path) if account.unit else 1


@dataclass(frozen=True)
class Fill:
    """How full something is, in base units: `promised` of `size`."""

    promised: int
    size: int

    @property
    def free(self) -> int:
        return self.size - self.promised


def nearest_sources(offering_ids: Collection[int], unit_path: str) -> QuerySet[Account]:
    """What pays for each offering in a place: the deepest envelope above it, or the pool."""
    return (
        paying(offering_ids, ancestor_paths(unit_path))
        .order_by("offering_id", F("unit__path").desc(nulls_last=True))
        .distinct("offering_id")
    )


def envelope_fills(accounts: Collection[Account]) -> dict[int, Fill]:
    """{account id: Fill} for envelopes and pools: what is left plus what lies beneath.

    One query, whatever the number of holders and offerings.
    """
    if not accounts:
        return {}
    (rows,) = _fills(accounts=[each.pk for each in accounts])
    return {account_id: fill for account_id, _offering, fill in fills_from(rows)}


@compiled
def _fills(*, accounts: Any) -> list[Part]:
    return [fills_part(Account.objects.filter(is_of("pk", accounts)))]


# Everything adds up to zero, so below the pool lies what was issued and is not in it; where nothing
# was issued yet, nothing. What lies below a unit is added up once for all that is asked of it.
_FILLS = """
WITH asked AS MATERIALIZED (
    SELECT account.id, account.offering_id, account.balance, account.unit_id, top.path
    FROM quotas_account account LEFT JOIN projects_unit top ON top.id = account.unit_id
    WHERE account.id IN ({accounts})
), beneath AS MATERIALIZED (
    SELECT top.unit_id, held.offering_id, held.total
    FROM (SELECT DISTINCT unit_id, path FROM asked WHERE unit_id IS NOT NULL) top
    CROSS JOIN LATERAL (
        SELECT lower.offering_id, SUM(lower.balance) AS total
        FROM projects_unit unit
        JOIN quotas_account lower ON lower.place_id = unit.id
            AND lower.offering_id = ANY(ARRAY(SELECT offering_id FROM asked))
        WHERE unit.path ~>=~ top.path AND unit.path ~<~ (left(top.path, -1) || '0')
        GROUP BY lower.offering_id
    ) held
)
SELECT asked.id, asked.offering_id, asked.balance,
    CASE WHEN asked.unit_id IS NULL THEN COALESCE((
        SELECT -site.balance FROM quotas_account site
        WHERE site.offering_id = asked.offering_id AND site.holder = 'site'
    ), asked.balance) ELSE COALESCE(beneath.total, 0) END - asked.balance
FROM asked LEFT JOIN beneath USING (unit_id, offering_id)
"""


def fills_part(accounts: QuerySet[Account]) -> Stated | Values:
    """What asks how full envelopes and pools are; see `fills_from`."""
    try:
        sql, parameters = accounts.values("pk").query.sql_with_params()
    except EmptyResultSet:
        return Values(Account.objects.none(), ["pk"])
    return Stated(_FILLS.replace("{accounts}", sql), parameters)


def fills_from(rows: Iterable[Sequence[int]]) -> list[tuple[int, int, Fill]]:
    """(account id, offering id, Fill) from the answer to `fills_part`."""
    return [
        (account_id, offering_id, Fill(promised=beneath, size=beneath + balance))
        for account_id, offering_id, balance, beneath in rows
    ]


def zone_fills(offering_ids: Collection[int], today: date) -> dict[int, Fill | None]:
    """{offering id: what projects were promised of what can be promised}; None: unknown."""
    if not offering_ids:
        return {}
    return zone_fills_from(offering_ids, *_zones(offerings=[*offering_ids], today=today))


@compiled
def _zones(*, offerings: Any, today: Any) -> list[Part]:
    return [*_zone_parts(Q(is_of("offering", offerings)), today)]


def zone_parts(offering_ids: Collection[int], today: date) -> tuple[Values, Rows]:
    """What asks how full zones are; see `zone_fills_from`."""
    return _zone_parts(Q(offering__in=offering_ids), today)


def _zone_parts(is_asked: Q, today: Any) -> tuple[Values, Rows]:
    # All but projects, as their indexes say it: of each offering they are few among its accounts.
    others = Q(unit__isnull=False) | Q(holder__in=[Holder.SITE, Holder.POOL])
    promised = (
        Account.objects.filter(is_asked)
        .filter(others)
        .order_by()
        .values("offering")
        # Everything adds up to zero, so the projects have what the others lack.
        .annotate(total=-Sum("balance"))
    )
    capacities = Capacity.objects.filter(is_asked, as_of__lte=today)
    return Values(promised, ["offering", "total"]), Rows(capacities.order_by("as_of"))


def zone_fills_from(
    offering_ids: Collection[int],
    totals: Iterable[tuple[int, int]],
    capacities: Iterable[Capacity],
) -> dict[int, Fill | None]:
    """`zone_fills` from the answers to `zone_parts`."""
    promised = dict(totals)
    newest = {each.offering_id: each for each in capacities}
    return {
        offering_id: Fill(promised.get(offering_id, 0), newest[offering_id].promisable)
        if offering_id in newest
        else None
        for offering_id in offering_ids
    }


def balance_as_of(account: Account, moment: datetime) -> int:
    """What an account held at a moment, added up from its transfers."""
    before = Transfer.objects.filter(at__lte=moment)
    credited = before.filter(credit=account).aggregate(total=Coalesce(Sum("amount"), 0))["total"]
    debited = before.filter(debit=account).aggregate(total=Coalesce(Sum("amount"), 0))["total"]
    return int(credited - debited)


def movements(account: Account) -> list[Transfer]:
    """Every transfer of an account, newest first, with what it takes to say why."""
    return list(
        Transfer.objects.filter(Q(debit=account) | Q(credit=account))
        .select_related(
            "debit__unit",
            "credit__unit",
            "debit__project",
            "credit__project",
            "decision_line__decision__person",
            "decision_line__decision__request",
            "decision_line__decision__policy_version__resource",
            "decision_line__decision__policy_version__zone",
            "actor",
        )
        .order_by("-at", "-pk")
    )


ROOM_TIGHT_PERCENT = 80


def room_word(fill: Fill | None, need: int = 0) -> str:
    """How members are told about room: "ample", "tight" or "none" ("unknown" without figures)."""
    if fill is None:
        return "unknown"
    if fill.free <= 0 or need > fill.free:
        return "none"
    after = fill.promised + need
    return "tight" if after * 100 > fill.size * ROOM_TIGHT_PERCENT else "ample"


@dataclass(frozen=True)
class Discrepancy:
    """An account, or an offering, whose figures do not add up."""

    what: str
    expected: int
    found: int
    by: str = "its transfers"


def audit() -> list[Discrepancy]:
    """Add the whole ledger up again from its transfers; an empty list is a clean ledger."""
    return [*_audit_balances(), *_audit_offerings(), *_audit_loans(), *_audit_places()]


# In SQL, so that only what differs leaves the database, and of one moment. Each side by itself:
# one pass that takes both sides of each transfer costs half as much again.
_DIFFERING = """
SELECT account.id, account.balance, COALESCE(credits.total, 0) - COALESCE(debits.total, 0)
FROM quotas_account account
LEFT JOIN (
    SELECT credit_id AS id, SUM(amount) AS total FROM quotas_transfer GROUP BY credit_id
) credits USING (id)
LEFT JOIN (
    SELECT debit_id AS id, SUM(amount) AS total FROM quotas_transfer GROUP BY debit_id
) debits USING (id)
WHERE account.balance <> COALESCE(credits.total, 0) - COALESCE(debits.total, 0)
    OR (account.balance < 0 AND account.holder <> %s)
"""


def _audit_balances() -> list[Discrepancy]:
    with connection.cursor() as cursor:
        cursor.execute(_DIFFERING, [Holder.SITE.value])
        told = {account_id: figures for account_id, *figures in cursor.fetchall()}
    wrong = []
    # Only what they are called: the ledger has moved on since.
    accounts = Account.objects.filter(is_among("pk", list(told)))
    for account in accounts.select_related("offering", "unit", "project").order_by("pk"):
        balance, moved = (int(each) for each in told[account.pk])
        if balance != moved:
            wrong.append(Discrepancy(f"account {account}", moved, balance))
        else:
            wrong.append(Discrepancy(f"overdrawn account {account}", 0, balance))
    return wrong


def _audit_offerings() -> list[Discrepancy]:
    sums = Account.objects.values_list("offering__slug").annotate(total=Sum("balance"))
    return [Discrepancy(f"offering {slug}", 0, total) for slug, total in sums if total]


def _audit_loans() -> list[Discrepancy]:
    lent = Account.objects.filter(loans__outstanding__gt=0)
    over = lent.annotate(lent=Sum("loans__outstanding")).filter(lent__gt=F("balance"))
    return [
        Discrepancy(f"loans of account {account}", account.balance, account.lent)
        for account in over.select_related("offering", "unit", "project").order_by("pk")
    ]


def _audit_places() -> list[Discrepancy]:
    """Accounts that triggers left elsewhere than their holders are; told by the ids of units."""
    is_in = Coalesce("unit", "project__unit")
    rows = Account.objects.filter(~Q(holder__in=[Holder.SITE, Holder.POOL]), ~Q(place=is_in))
    return [
        Discrepancy(
            f"unit of account {account}", account.is_in, account.place_id or 0, "its holder"
        )
        for account in rows.annotate(is_in=is_in)
        .select_related("offering", "unit", "project")
        .order_by("pk")
    ]
