"""What accounts held at a moment, and every movement of theirs, for lists of any length."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet, Sum

from portal.lib.lookups import is_among
from quotas.models import Account, Transfer


def balances_as_of(accounts: Collection[Account], moment: datetime) -> dict[int, int]:
    """{account id: what it held at the moment}, added up from its transfers; two queries."""
    held = {account.pk: 0 for account in accounts}
    before = Transfer.objects.filter(at__lte=moment).order_by()
    for side, sign in (("credit", 1), ("debit", -1)):
        rows = before.filter(**{f"{side}__in": list(held)}).values_list(side)
        for account_id, total in rows.annotate(total=Sum("amount")):
            held[account_id] += sign * total
    return held


AROUND = (
    "offering", "debit", "debit__unit", "debit__project", "credit", "credit__unit",
    "credit__project", "decision_line", "decision_line__decision", "actor",
)  # fmt: skip


def transfers_of(accounts: QuerySet[Account]) -> QuerySet[Transfer]:
    """The transfers to and from these accounts, with the decision behind each.

    For lists that go on page by page: of envelopes, which may have a large part of all transfers,
    the newest are soon found along the record.
    """
    return Transfer.objects.filter(Q(debit__in=accounts) | Q(credit__in=accounts)).select_related(
        *AROUND
    )


def transfers_of_quotas(project: Any) -> QuerySet[Transfer]:
    """As `transfers_of`, of a project's accounts: found by these, as they are few among all.

    project: its id, or a slot for it.
    """
    accounts = Account.objects.filter(project=project).values("pk")
    debits = Transfer.objects.filter(is_among("debit", accounts)).values("pk")
    credits_ = Transfer.objects.filter(is_among("credit", accounts)).values("pk")
    theirs = Transfer.objects.filter(is_among("pk", debits.union(credits_)))
    return theirs.select_related(*AROUND)
