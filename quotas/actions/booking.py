"""Booking what was granted: which accounts a decision needs, and what it moves."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.compiled import compiled_rows
from portal.lib.errors import Conflict
from portal.lib.locks import Busy
from portal.lib.lookups import IsAnyOf
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
from quotas.queries.accounts import nearest_first, sources
from quotas.queries.authority import Mandate

from .bench import Bench
from .ledger import no_room, open_quota
from .posting import Journal


@dataclass
class Accounts:
    """The locked accounts of a decision: by id, and by offering the quota and what pays it."""

    by_id: dict[int, Account]
    quota: dict[int, Account]
    source: dict[int, Account]
    # The open loans of what a line gives back, the earliest end first.
    loans: dict[int, list[Loan]]

    def balance(self, line: RequestLine) -> int:
        """The project's quota now of what a line asks for."""
        return self.quota[line.offering_id].balance


def lock_accounts(bench: Bench, lines: Collection[RequestLine]) -> Accounts:
    """Quotas, nearest sources and sources of loans, locked by id.

    One query, unless there was no quota yet or something is given back.
    """
    offering_ids = {line.offering_id for line in lines}
    rows = _needed(bench, lines)
    missing = offering_ids - {row.offering_id for row in rows if row.holder == Holder.PROJECT}
    if missing:
        open_quota(bench.project, sorted(missing))
        rows = _needed(bench, lines)
    quota = {each.offering_id: each for each in rows if each.holder == Holder.PROJECT}
    by_id = {each.pk: each for each in rows}
    return Accounts(
        by_id=by_id,
        quota=quota,
        source=_nearest(rows),
        loans=_loans([(line, quota[line.offering_id]) for line in lines], by_id),
    )


def _needed(bench: Bench, lines: Collection[RequestLine]) -> list[Account]:
    """The project's accounts, for each offering the nearest envelope or the pool, and more.

    More: what open loans came from, where less is asked for than is there. Whoever declares an
    envelope waits for us, as we hold the units above.
    """
    rows: list[Account] = _locked(
        project=bench.project.pk,
        paths=ancestor_paths(bench.project.unit.path),
        offerings=sorted({line.offering_id for line in lines}),
        lines=[line.pk for line in lines],
    )
    return rows


@compiled_rows
def _locked(*, project: Any, paths: Any, offerings: Any, lines: Any) -> QuerySet[Account]:
    accounts = Account.objects.filter(IsAnyOf(F("offering"), offerings))
    envelopes = accounts.filter(IsAnyOf(F("unit__path"), paths))
    nearest = envelopes.order_by("offering_id", "-unit__path").distinct("offering_id")
    has_none = ~Exists(envelopes.filter(offering=OuterRef("offering")))
    given_back = RequestLine.objects.filter(
        IsAnyOf(F("pk"), lines), offering=OuterRef("account__offering"),
        wanted__lt=OuterRef("account__balance"),
    )  # fmt: skip
    lent = Loan.objects.filter(Exists(given_back), account__project=project, outstanding__gt=0)
    ids = nearest.values("pk").union(
        accounts.filter(has_none, holder=Holder.POOL).values("pk"),
        accounts.filter(project=project).values("pk"),
        lent.values("source"),
    )
    rows = Account.objects.filter(pk__in=ids)
    placed = rows.select_related("unit", "offering__resource", "offering__zone")
    return placed.order_by("pk").select_for_update(no_key=True, of=("self",))


def _nearest(rows: Collection[Account]) -> dict[int, Account]:
    """{offering id: who pays}; what a loan came from lies further up."""
    found: dict[int, Account] = {}
    for each in nearest_first(each for each in rows if each.holder != Holder.PROJECT):
        found.setdefault(each.offering_id, each)
    return found


def _loans(
    lines: Collection[tuple[RequestLine, Account]], by_id: Mapping[int, Account]
) -> dict[int, list[Loan]]:
    """{offering id: open loans, the earliest end first} where a line gives back."""
    lower = [account.pk for line, account in lines if line.wanted < account.balance]
    found: dict[int, list[Loan]] = defaultdict(list)
    if not lower:
        return found
    loans = Loan.objects.filter(account__in=lower, outstanding__gt=0).select_related("account")
    for loan in loans.order_by("ends_at", "pk"):
        if loan.source_id not in by_id:
            # A unit that was retired as we waited handed the loans it gave to one above it.
            raise Busy(_("A unit that had lent to this project was just retired. Try again."))
        found[loan.account.offering_id].append(loan)
    return found


def to_book(
    bench: Bench,
    lines: Collection[RequestLine],
    granted: Mapping[int, int],
    mandates: Mapping[int, Mandate],
    accounts: Accounts,
) -> list[DecisionLine]:
    """What a decision says of each line, to be stored with it. Raises Conflict, NoRoom.

    granted, mandates: by the lines' ids.
    """
    ends_at = end_of(bench.request)
    for line in lines:
        _check(bench, line, granted[line.pk] - accounts.balance(line), ends_at, accounts)
    return [
        DecisionLine(
            line=line,
            delegation=mandates[line.pk].delegation,
            source=accounts.source[line.offering_id],
            before=accounts.balance(line),
            granted=granted[line.pk],
        )
        for line in lines
    ]


def book(
    bench: Bench,
    decision: Decision,
    booked: Collection[DecisionLine],
    granted: Mapping[int, int],
    accounts: Accounts,
) -> None:
    """Post the difference between what was granted and the quota now, line by line.

    booked: as `to_book` made them, stored; granted: by the lines' ids.
    """
    journal, ends_at = Journal(actor=bench.actor, now=decision.at), end_of(bench.request)
    for each in booked:
        _post(journal, each, granted[each.line.pk], accounts, ends_at)
    journal.write()


def _check(
    bench: Bench, line: RequestLine, delta: int, ends_at: datetime | None, accounts: Accounts
) -> None:
    source = accounts.source.get(line.offering_id)
    if source is None:
        raise Conflict(_("Nothing of this was ever issued to the pool; the operators can do that."))
    if delta > 0 and line.offering.retired_at is not None:
        raise Conflict(_("This is no longer offered; what is there can be given back."))
    if delta > 0 and ends_at is not None and ends_at <= bench.viewer.now:
        raise Conflict(_("It was wanted until a day that is over: decline it, or return it."))
    if delta > source.balance:
        above = sources([line.offering_id], bench.project.unit.path)[line.offering_id]
        next_source = next((each for each in above[1:] if each.pk != source.pk), None)
        raise no_room(source, delta, next_source=next_source)


def _post(
    journal: Journal, booked: DecisionLine, granted: int, accounts: Accounts,
    ends_at: datetime | None,
) -> None:  # fmt: skip
    offering_id = booked.line.offering_id
    account, source = accounts.quota[offering_id], accounts.source[offering_id]
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
