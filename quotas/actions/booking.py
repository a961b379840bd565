"""Booking what was granted: which accounts a decision needs, and what it moves."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.compiled import compiled_rows
from portal.lib.errors import Conflict
from portal.lib.locks import Busy
from projects.models import ancestor_paths
from quotas.models import (
    Account,
    DecisionLine,
    Holder,
    Loan,
    QuotaRequest,
    RequestLine,
)
from quotas.queries.accounts import nearest_first, sources
from quotas.queries.authority import Mandate

from .bench import Bench
from .ledger import no_room, open_quotas
from .posting import Journal


@dataclass
class Accounts:
    """The locked accounts of a decision: by id, and by offering the quota and what pays it."""

    by_id: Mapping[int, Account]
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
    return lock_all_accounts([(bench, lines)])[0]


def lock_all_accounts(wanted: Sequence[tuple[Bench, Collection[RequestLine]]]) -> list[Accounts]:
    """`lock_accounts` for many, in their order, at the price of one; they share rows."""
    rows = _needed(wanted)
    needed = {(bench.project.pk, line.offering_id) for bench, lines in wanted for line in lines}
    missing = needed - {(row.project_id, row.offering_id) for row in rows}
    if missing:
        open_quotas(sorted(missing))
        rows = _needed(wanted)
    by_id = {each.pk: each for each in rows}
    return [_accounts(bench, lines, by_id) for bench, lines in wanted]


def _accounts(
    bench: Bench, lines: Collection[RequestLine], by_id: Mapping[int, Account]
) -> Accounts:
    """Of one bench, from all that are locked."""
    offerings = {line.offering_id for line in lines}
    rows = [each for each in by_id.values() if each.offering_id in offerings]
    quota = {each.offering_id: each for each in rows if each.project_id == bench.project.pk}
    path = bench.project.unit.path
    above = (
        each for each in rows
        if each.holder == Holder.POOL or (each.unit and path.startswith(each.unit.path))
    )  # fmt: skip
    return Accounts(
        by_id=by_id,
        quota=quota,
        source=_nearest(above),
        loans=_loans([(line, quota[line.offering_id]) for line in lines], by_id),
    )


def _needed(wanted: Iterable[tuple[Bench, Collection[RequestLine]]]) -> list[Account]:
    """The projects' accounts, for each offering the nearest envelope or the pool, and more.

    More: what open loans came from, where less is asked for than is there. Whoever declares an
    envelope waits for us, as we hold the units above.
    """
    drawn = sorted({
        (bench.project.pk, line.offering_id, bench.project.unit.path, line.wanted)
        for bench, lines in wanted
        for line in lines
    })  # fmt: skip
    steps = sorted({(offering, path) for _project, offering, path, _wanted in drawn})
    above = [(offering, path, each) for offering, path in steps for each in ancestor_paths(path)]
    projects, offerings, _paths, amounts = zip(*drawn, strict=True)
    rows: list[Account] = _locked(
        projects=[*projects],
        offerings=[*offerings],
        amounts=[*amounts],
        # Each place draws from the nearest of those above it.
        drawing=[path for _offering, path, _above in above],
        drawn=[offering for offering, _path, _above in above],
        above=[each for _offering, _path, each in above],
    )
    return rows


NEEDED = """
    WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
            AS line(project_id, offering_id, amount)
    ), envelope AS MATERIALIZED (
        SELECT DISTINCT ON (step.offering_id, step.path) step.offering_id, step.path, account.id
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS step(offering_id, path, above)
        LEFT JOIN projects_unit unit ON unit.path = step.above
        LEFT JOIN quotas_account account
            ON account.unit_id = unit.id AND account.offering_id = step.offering_id
        ORDER BY step.offering_id, step.path, account.id IS NULL, length(step.above) DESC
    ), quota AS MATERIALIZED (
        SELECT account.id, account.balance, wanted.amount
        FROM wanted JOIN quotas_account account USING (project_id, offering_id)
    )
    SELECT id FROM envelope WHERE id IS NOT NULL
    UNION
    SELECT account.id FROM envelope
    JOIN quotas_account account ON account.offering_id = envelope.offering_id
    WHERE envelope.id IS NULL AND account.holder = 'pool'
    UNION
    SELECT id FROM quota
    UNION
    SELECT loan.source_id FROM quota JOIN quotas_loan loan ON loan.account_id = quota.id
    WHERE quota.amount < quota.balance AND loan.outstanding > 0
"""


@compiled_rows
def _locked(
    *, projects: Any, offerings: Any, amounts: Any, drawing: Any, drawn: Any, above: Any
) -> QuerySet[Account]:
    slots = (projects, offerings, amounts, drawn, drawing, above)
    rows = Account.objects.filter(pk__in=RawSQL(NEEDED, slots))  # noqa: S611 - a constant
    placed = rows.select_related("unit", "offering__resource", "offering__zone")
    return placed.order_by("pk").select_for_update(no_key=True, of=("self",))


def _nearest(rows: Iterable[Account]) -> dict[int, Account]:
    """{offering id: who pays}; what a loan came from lies further up."""
    found: dict[int, Account] = {}
    for each in nearest_first(rows):
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
    journal: Journal, bench: Bench, booked: Collection[DecisionLine],
    granted: Mapping[int, int], accounts: Accounts,
) -> None:  # fmt: skip
    """Note the difference between what was granted and the quota now, line by line.

    booked: as `to_book` made them; granted: by the lines' ids.
    """
    ends_at = end_of(bench.request)
    for each in booked:
        _post(journal, each, granted[each.line.pk], accounts, ends_at)


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
