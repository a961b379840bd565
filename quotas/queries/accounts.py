"""What the ledger says: sources, balances now and then, how full an envelope or zone is."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection
from django.db.models import (
    BigIntegerField,
    Case,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    When,
)
from django.db.models.functions import Coalesce

from portal.lib.lookups import is_among, is_below
from portal.lib.together import Rows, Values, together
from projects.models import Project, ancestor_paths
from quotas.models import Account, Capacity, Holder, Transfer


def balances(project: Project, offering_ids: Collection[int] | None = None) -> dict[int, int]:
    """{offering id: quota in base units} of a project; an offering without one is absent."""
    rows = Account.objects.filter(project=project)
    if offering_ids is not None:
        rows = rows.filter(offering__in=offering_ids)
    return dict(rows.values_list("offering", "balance"))


def sources(offering_ids: Iterable[int], unit_path: str) -> dict[int, list[Account]]:
    """For each offering the accounts that could pay, nearest first: envelopes, then the pool.

    An envelope exists by declaration, so the first one is the source even at zero.
    """
    found = sources_of([(offering_id, unit_path) for offering_id in offering_ids])
    return {offering_id: accounts for (offering_id, _path), accounts in found.items() if accounts}


def sources_of(wanted: Collection[tuple[int, str]]) -> dict[tuple[int, str], list[Account]]:
    """`sources` for many projects at once: {(offering id, unit path): accounts}; one query."""
    paths = {above for _offering, path in wanted for above in ancestor_paths(path)}
    rows = paying({offering_id for offering_id, _path in wanted}, paths).select_related(
        "unit", "offering__resource", "offering__zone"
    )
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
    rows = Account.objects.filter(offering__in=offering_ids)
    pools = rows.filter(holder=Holder.POOL).values("pk")
    # Two looks into indexes; either the one or the other would be a look at all accounts.
    return Account.objects.filter(
        is_among("pk", pools.union(rows.filter(is_among("unit__path", list(paths))).values("pk")))
    )


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
    part = fills_part(Account.objects.filter(pk__in=[each.pk for each in accounts]))
    return {account_id: fill for account_id, _offering, fill in fills_from(together(part)[0])}


def fills_part(accounts: QuerySet[Account]) -> Values:
    """What asks how full envelopes and pools are; see `fills_from`."""
    same = Account.objects.filter(offering=OuterRef("offering")).order_by()
    # Everything adds up to zero, so below the pool lies what was issued and is not in it.
    owed = ExpressionWrapper(-F("balance"), output_field=BigIntegerField())
    issued = same.filter(holder=Holder.SITE).annotate(issued=owed).values("issued")
    top = OuterRef("unit__path")
    in_projects = _sum(same.filter(is_below("project__unit__path", top)))
    in_units = _sum(same.filter(is_below("unit__path", top)))
    size = Case(
        # Nothing was issued yet: nothing lies below.
        When(unit__isnull=True, then=Coalesce(Subquery(issued), F("balance"))),
        default=Coalesce(in_projects, 0) + Coalesce(in_units, 0),
    )
    rows = Account.objects.filter(pk__in=accounts.values("pk"))
    rows = rows.annotate(beneath=size - F("balance"))
    return Values(rows, ["pk", "offering", "balance", "beneath"])


def _sum(accounts: QuerySet[Account]) -> Subquery:
    return Subquery(accounts.values("offering").annotate(total=Sum("balance")).values("total"))


def fills_from(rows: Iterable[Sequence[int]]) -> list[tuple[int, int, Fill]]:
    """(account id, offering id, Fill) from the answer to `fills_part`."""
    return [
        (account_id, offering_id, Fill(promised=beneath, size=beneath + balance))
        for account_id, offering_id, balance, beneath in rows
    ]


def zone_fills(offering_ids: Collection[int], today: date) -> dict[int, Fill | None]:
    """{offering id: what projects were promised of what can be promised}; None: unknown."""
    return zone_fills_from(offering_ids, *together(*zone_parts(offering_ids, today)))


def zone_parts(offering_ids: Collection[int], today: date) -> tuple[Values, Rows]:
    """What asks how full zones are; see `zone_fills_from`."""
    promised = (
        Account.objects.filter(offering__in=offering_ids)
        .exclude(holder=Holder.PROJECT)
        .order_by()
        .values("offering")
        # Everything adds up to zero, so the projects have what the others lack.
        .annotate(total=-Sum("balance"))
    )
    capacities = Capacity.objects.filter(offering__in=offering_ids, as_of__lte=today)
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


def audit() -> list[Discrepancy]:
    """Add the whole ledger up again from its transfers; an empty list is a clean ledger."""
    return [*_audit_balances(), *_audit_offerings(), *_audit_loans()]


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
