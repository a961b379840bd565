"""Booking what was granted: which accounts a decision needs, and what it moves."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from portal.lib.locks import lock
from projects.models import ancestor_paths
from quotas.models import (
    Account,
    Decision,
    DecisionLine,
    Holder,
    Loan,
    QuotaRequest,
    RequestLine,
)
from quotas.queries.accounts import nearest_first
from quotas.queries.authority import Mandate

from .bench import Bench
from .ledger import no_room, open_quota
from .posting import Journal, refuse_moved_sources


@dataclass
class Accounts:
    """The locked accounts of a decision, by offering and by id."""

    by_id: dict[int, Account]
    quota: dict[int, Account]
    sources: dict[int, list[Account]]
    loans: dict[int, list[Loan]]

    def balance(self, line: RequestLine) -> int:
        """The project's quota now of what a line asks for."""
        return self.quota[line.offering_id].balance


def lock_accounts(bench: Bench, lines: Collection[RequestLine]) -> Accounts:
    """Quotas, sources and sources of loans, locked by id.

    Only the nearest source pays; those above it are read for the sentence of NoRoom.
    """
    offering_ids = {line.offering_id for line in lines}
    quotas, above = _accounts(bench, offering_ids)
    if quotas.keys() != offering_ids:
        open_quota(bench.project, sorted(offering_ids - quotas.keys()))
    loans = _loans(quotas, lines)
    ids = {account.pk for accounts in above.values() for account in accounts[:1]}
    ids |= {loan.source_id for each in loans.values() for loan in each}
    rows = lock(
        Account.objects.filter(
            Q(pk__in=ids) | Q(project=bench.project, offering__in=offering_ids)
        ).select_related("unit", "offering__resource", "offering__zone")
    )
    by_id = {account.pk: account for account in rows}
    refuse_moved_sources([loan for each in loans.values() for loan in each], by_id)
    return Accounts(
        by_id=by_id,
        quota={
            account.offering_id: account for account in rows if account.holder == Holder.PROJECT
        },
        sources={
            offering_id: [by_id.get(account.pk, account) for account in accounts]
            for offering_id, accounts in above.items()
        },
        loans=loans,
    )


def _accounts(
    bench: Bench, offering_ids: Collection[int]
) -> tuple[dict[int, Account], dict[int, list[Account]]]:
    """({offering id: quota}, {offering id: who could pay, the nearest first}); one query."""
    rows = Account.objects.filter(offering__in=offering_ids).filter(
        Q(project=bench.project)
        | Q(holder=Holder.POOL)
        | Q(unit__path__in=ancestor_paths(bench.project.unit.path))
    )
    quotas: dict[int, Account] = {}
    above: dict[int, list[Account]] = defaultdict(list)
    for account in rows.select_related("unit", "offering__resource", "offering__zone"):
        if account.holder == Holder.PROJECT:
            quotas[account.offering_id] = account
        else:
            above[account.offering_id].append(account)
    return quotas, {each: nearest_first(accounts) for each, accounts in above.items()}


def _loans(quotas: Mapping[int, Account], lines: Collection[RequestLine]) -> dict[int, list[Loan]]:
    """{offering id: open loans, the earliest end first} where a line asks for less than now.

    No query where none does. A quota that moves meanwhile is refused as stale.
    """
    lower = [
        account.pk
        for line in lines
        if (account := quotas.get(line.offering_id)) is not None and line.wanted < account.balance
    ]
    found: dict[int, list[Loan]] = defaultdict(list)
    if lower:
        rows = Loan.objects.filter(account__in=lower, outstanding__gt=0).select_related("account")
        for loan in rows.order_by("ends_at", "pk"):
            found[loan.account.offering_id].append(loan)
    return found


def book(
    bench: Bench,
    decision: Decision,
    lines: Collection[RequestLine],
    granted: Mapping[int, int],
    mandates: Mapping[int, Mandate],
    accounts: Accounts,
) -> list[DecisionLine]:
    """Post the difference between what was granted and the quota now, line by line.

    granted, mandates: by the lines' ids.
    """
    ends_at = end_of(bench.request)
    for line in lines:
        _check(line, granted[line.pk] - accounts.balance(line), ends_at, decision.at, accounts)
    booked = DecisionLine.objects.bulk_create(
        DecisionLine(
            decision=decision,
            line=line,
            delegation=mandates[line.pk].delegation,
            source=accounts.sources[line.offering_id][0],
            before=accounts.balance(line),
            granted=granted[line.pk],
        )
        for line in lines
    )
    journal = Journal(actor=bench.actor, now=decision.at)
    for each in booked:
        _post(journal, each, granted[each.line.pk], accounts, ends_at)
    journal.write()
    return booked


def _check(
    line: RequestLine, delta: int, ends_at: datetime | None, now: datetime, accounts: Accounts
) -> None:
    above = accounts.sources.get(line.offering_id, [])
    if not above:
        raise Conflict(_("Nothing of this was ever issued to the pool; the operators can do that."))
    if delta > 0 and line.offering.retired_at is not None:
        raise Conflict(_("This is no longer offered; what is there can be given back."))
    if delta > 0 and ends_at is not None and ends_at <= now:
        raise Conflict(_("It was wanted until a day that is over: decline it, or return it."))
    if delta > above[0].balance:
        raise no_room(above[0], delta, next_source=above[1] if len(above) > 1 else None)


def _post(
    journal: Journal, booked: DecisionLine, granted: int, accounts: Accounts,
    ends_at: datetime | None,
) -> None:  # fmt: skip
    offering_id = booked.line.offering_id
    account, source = accounts.quota[offering_id], accounts.sources[offering_id][0]
    delta = granted - account.balance
    if delta > 0:
        journal.increase(
            line=booked, account=account, source=source, amount=delta, ends_at=ends_at
        )  # fmt: skip
    else:
        journal.decrease(
            line=booked, account=account, home=source, loans=accounts.loans.get(offering_id, []),
            sources=accounts.by_id, amount=-delta,
        )  # fmt: skip


def end_of(quota_request: QuotaRequest) -> datetime | None:
    """When what is granted to a request returns: after its last day, in the site's zone."""
    if quota_request.until_on is None:
        return None
    next_day = quota_request.until_on + timedelta(days=1)
    return timezone.make_aware(
        datetime.combine(next_day, time.min), timezone.get_default_timezone()
    )
