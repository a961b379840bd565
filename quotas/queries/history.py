"""What accounts held at a moment, and every movement of theirs, for lists of any length."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q, QuerySet, Sum

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


def transfers_of(accounts: QuerySet[Account]) -> QuerySet[Transfer]:
    """The transfers to and from these accounts, with the decision behind each."""
    return Transfer.objects.filter(Q(debit__in=accounts) | Q(credit__in=accounts)).select_related(
        "offering", "debit__unit", "debit__project", "credit__unit", "credit__project",
        "decision_line__decision", "actor",
    )  # fmt: skip
