"""Why a project has what it has of an offering: its transfers, decisions and authority."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone

from projects.models import Project
from quotas.models import Account, Offering, Transfer

from .accounts import balance_as_of, movements
from .timeline import Proof, proofs_of

FIRST_DAY = date(1970, 1, 2)


@dataclass(frozen=True)
class Movement:
    """One transfer as the project's account saw it; amounts in base units."""

    transfer: Transfer
    change: int
    balance: int
    other: Account
    proof: Proof | None


@dataclass(frozen=True)
class Why:
    """A quota with everything that made it, the newest first; `balance` is of the moment."""

    offering: Offering
    now: int
    as_of: datetime | None
    balance: int
    movements: Sequence[Movement]


def why(project: Project, offering: Offering, as_of: datetime | None) -> Why:
    """as_of: only what was there at that moment; None: everything."""
    account = Account.objects.filter(project=project, offering=offering).first()
    if account is None:
        return Why(offering, 0, as_of, 0, ())
    rows = movements(account)
    if as_of is not None:
        rows = [row for row in rows if row.at <= as_of]
    balance = account.balance if as_of is None else balance_as_of(account, as_of)
    decisions = {
        row.decision_line.decision_id: row.decision_line.decision
        for row in rows
        if row.decision_line is not None
    }
    proofs = proofs_of(list(decisions.values()))
    found, running = [], balance
    for row in rows:
        change = row.amount if row.credit_id == account.pk else -row.amount
        proof = proofs[row.decision_line.decision_id] if row.decision_line else None
        other = row.debit if change > 0 else row.credit
        found.append(Movement(row, change, running, other, proof))
        running -= change
    return Why(offering, account.balance, as_of, balance, tuple(found))


def end_of_day(day: date) -> datetime:
    """The last moment of a day in the reader's zone."""
    local = datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())
    return (local + timedelta(days=1)).astimezone(UTC) - timedelta(microseconds=1)
