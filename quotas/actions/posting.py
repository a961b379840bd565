"""The transfers of one decision, written together: few statements, however many lines.

Callers hold the locks of all accounts; nothing here takes authority into account.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from portal.lib.bulk import adding_each
from portal.lib.inserts import added, inserting, written
from portal.lib.together import Written
from projects.models import ProjectAct, User
from quotas.models import Account, DecisionLine, Loan, Transfer, TransferKind

from .ledger import no_room


@dataclass
class Journal:
    """Transfers and loans to be written; the given accounts' balances are kept up to date."""

    actor: User | None
    now: datetime
    # Why quota moves where no decision moved it.
    project_act: ProjectAct | None = None
    # Said of each transfer wherever it is shown.
    note: str = ""
    transfers: list[Transfer] = field(default_factory=list)
    opened: list[Loan] = field(default_factory=list)
    paid: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def increase(
        self, *, line: DecisionLine | None, account: Account, source: Account, amount: int,
        ends_at: datetime | None,
    ) -> None:  # fmt: skip
        """Raise a project's quota from its source; with `ends_at` the amount is lent.

        Raises NoRoom where the source has less.
        """
        kind = TransferKind.GRANT if ends_at is None else TransferKind.LOAN
        transfer = self._move(line, source, account, amount, kind)
        if ends_at is not None:
            lent = Loan(
                account=account, source=source, transfer=transfer, amount=amount,
                outstanding=amount, ends_at=ends_at,
            )  # fmt: skip
            self.opened.append(lent)

    def decrease(
        self, *, line: DecisionLine | None, account: Account, home: Account,
        loans: Collection[Loan], sources: Mapping[int, Account], amount: int,
    ) -> None:  # fmt: skip
        """Give quota back: the loans that end first to their sources, the rest to `home`.

        loans: open ones of the account, the earliest end first; sources: the locked accounts
        by id, among them every loan's source.
        """
        for loan in loans:
            paid = min(loan.outstanding, amount)
            if paid == 0:
                continue
            self._move(line, account, sources[loan.source_id], paid, TransferKind.REPAY)
            self.paid[loan.pk] -= paid
            amount -= paid
        if amount:
            self._move(line, account, home, amount, TransferKind.RETURN)

    def write(self) -> None:
        """Write everything: transfers and balances, and what was lent or paid back.

        One query, and one more where something is lent.
        """
        if self.transfers:
            self.was_written(written(*self.parts()))

    def parts(self) -> list[Written]:
        """`write` as parts of a larger statement; there are transfers. Then `was_written`."""
        moved: dict[int, int] = defaultdict(int)
        for each in self.transfers:
            moved[each.debit_id] -= each.amount
            moved[each.credit_id] += each.amount
            # It may have had no key yet as this was noted.
            each.decision_line = each.decision_line
        paid = [adding_each(Loan, "outstanding", self.paid)] if self.paid else []
        return [inserting(self.transfers), adding_each(Account, "balance", moved), *paid]

    def was_written(self, answers: Sequence[Sequence[tuple[Any, ...]]]) -> None:
        """Go on from the answers to `parts`: what is lent names its transfer."""
        added(self.transfers, answers[0])
        if self.opened:
            for each in self.opened:
                each.transfer = each.transfer  # it has a key by now
            Loan.objects.bulk_create(self.opened)

    def _move(
        self, line: DecisionLine | None, debit: Account, credit: Account, amount: int,
        kind: TransferKind,
    ) -> Transfer:  # fmt: skip
        if debit.balance < amount:
            raise no_room(debit, amount)
        transfer = Transfer(
            offering_id=debit.offering_id, debit=debit, credit=credit, amount=amount, kind=kind,
            decision_line=line, project_act=self.project_act, actor=self.actor, at=self.now,
            note=self.note,
        )  # fmt: skip
        self.transfers.append(transfer)
        debit.balance -= amount
        credit.balance += amount
        return transfer
