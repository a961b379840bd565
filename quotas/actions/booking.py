"""Booking what was granted: which accounts a decision needs, and what it moves."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from portal.lib.locks import lock
from quotas.models import (
    Account,
    Decision,
    DecisionLine,
    Holder,
    Loan,
    QuotaRequest,
    RequestLine,
)
from quotas.queries.accounts import sources
from quotas.queries.authority import Mandate

from .bench import Bench
from .ledger import Cause, decrease, increase, no_room, open_quota


@dataclass
class Accounts:
    """The locked accounts of a decision, by offering and by id."""

    by_id: dict[int, Account]
    quota: dict[int, Account]
    sources: dict[int, list[Account]]
    loans: dict[int, list[Loan]]


def lock_accounts(bench: Bench, lines: list[RequestLine]) -> Accounts:
    """Quotas, possible sources and sources of loans, locked by id, then delegations."""
    offering_ids = [line.offering_id for line in lines]
    open_quota(bench.project, offering_ids)
    found = sources(offering_ids, bench.project.unit.path)
    quotas = Account.objects.filter(project=bench.project, offering__in=offering_ids)
    loans: dict[int, list[Loan]] = {offering_id: [] for offering_id in offering_ids}
    for loan in (
        Loan.objects.filter(account__in=quotas, outstanding__gt=0)
        .select_related("account")
        .order_by("ends_at", "pk")
    ):
        loans[loan.account.offering_id].append(loan)
    # Only the nearest source pays; the one above it is read for the sentence of NoRoom.
    ids = {account.pk for accounts in found.values() for account in accounts[:1]}
    ids |= {loan.source_id for each in loans.values() for loan in each}
    ids |= set(quotas.values_list("pk", flat=True))
    rows = lock(
        Account.objects.filter(pk__in=ids).select_related(
            "unit", "offering__resource", "offering__zone"
        )
    )
    by_id = {account.pk: account for account in rows}
    return Accounts(
        by_id=by_id,
        quota={
            account.offering_id: account for account in rows if account.holder == Holder.PROJECT
        },
        sources={
            offering_id: [by_id.get(account.pk, account) for account in accounts]
            for offering_id, accounts in found.items()
        },
        loans=loans,
    )


def book(
    bench: Bench,
    decision: Decision,
    line: RequestLine,
    granted: int,
    mandate: Mandate,
    accounts: Accounts,
) -> DecisionLine:
    """Post the difference between what was granted and the quota now."""
    account = accounts.quota[line.offering_id]
    above = accounts.sources.get(line.offering_id, [])
    if not above:
        raise Conflict(_("Nothing of this was ever issued to the pool; the operators can do that."))
    delta = granted - account.balance
    if delta > 0 and line.offering.retired_at is not None:
        raise Conflict(_("This is no longer offered; what is there can be given back."))
    ends_at = end_of(bench.request)
    if delta > 0 and ends_at is not None and ends_at <= decision.at:
        raise Conflict(_("It was wanted until a day that is over: decline it, or return it."))
    if delta > above[0].balance:
        raise no_room(above[0], delta, next_source=above[1] if len(above) > 1 else None)
    booked = DecisionLine.objects.create(
        decision=decision,
        line=line,
        delegation=mandate.delegation,
        source=above[0],
        before=account.balance,
        granted=granted,
    )
    cause = Cause(actor=decision.actor, now=decision.at, decision_line=booked)
    if delta > 0:
        increase(
            account=account, source=above[0], amount=delta, ends_at=ends_at, cause=cause
        )  # fmt: skip
    else:
        decrease(
            account=account, home=above[0], loans=accounts.loans[line.offering_id],
            accounts=accounts.by_id, amount=-delta, cause=cause,
        )  # fmt: skip
    return booked


def end_of(quota_request: QuotaRequest) -> datetime | None:
    """When what is granted to a request returns: after its last day, in the site's zone."""
    if quota_request.until_on is None:
        return None
    next_day = quota_request.until_on + timedelta(days=1)
    return timezone.make_aware(
        datetime.combine(next_day, time.min), timezone.get_default_timezone()
    )
