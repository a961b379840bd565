"""What moves in the ledger: issued to the pool, funded from it, granted, lent and given back."""

from quotas.models import EnvelopeAct, Loan, Transfer

from .asking import Asked, Wish
from .balances import FUNDED_MORE, Balances, base_amount
from .copying import NULL, Sheets
from .numbers import Numbers, pool_of
from .places import offering_slug
from .record import Record
from .sizes import OFFERINGS
from .waits import WaitingClock


class Moves:
    """Transfers in their order, with what they imply. count: how many there are."""

    def __init__(
        self, sheets: Sheets, record: Record, numbers: Numbers, balances: Balances,
        clock: WaitingClock,
    ) -> None:  # fmt: skip
        self.record, self.numbers, self.balances, self.clock = record, numbers, balances, clock
        self.count = self.act_count = 0
        self.transfers = sheets.of(
            Transfer, "id", "offering_id", "debit_id", "credit_id", "amount", "kind",
            "decision_line_id", "envelope_act_id", "actor_id", "at",
        )  # fmt: skip
        self.acts = sheets.of(
            EnvelopeAct, "id", "kind", "unit_id", "offering_id", "amount", "actor_id", "at"
        )
        self.loans = sheets.of(
            Loan, "account_id", "source_id", "transfer_id", "amount", "outstanding", "ends_at"
        )

    def issue(self, offering: int, bases: int, at: str) -> None:
        self.count += 1
        amount = base_amount(offering, bases)
        self.balances.move(offering, pool_of(offering), amount)
        self.transfers.line(
            f"{self.count}\t{offering}\t{offering}\t{pool_of(offering)}\t{amount}\tissue"
            f"\t{NULL}\t{NULL}\t{NULL}\t{at}"
        )
        self.record.add(
            "issued", at, kind="transfer", subject=self.count,
            data=f'{{"offering":"{offering_slug(offering)}","amount":{amount}}}',
        )  # fmt: skip

    def fund(self, unit: int, offering: int, bases: int, at: str) -> None:
        """By the operators' command."""
        self.act_count += 1
        self.count += 1
        amount, pk = base_amount(offering, bases), self.act_count
        pool, envelope = pool_of(offering), self.numbers.envelope(unit, offering)
        self.balances.move(pool, envelope, amount)
        self.acts.line(f"{pk}\tfund\t{unit}\t{offering}\t{amount}\t{NULL}\t{at}")
        self.transfers.line(
            f"{self.count}\t{offering}\t{pool}\t{envelope}\t{amount}\tfund\t{NULL}\t{pk}"
            f"\t{NULL}\t{at}"
        )
        self.record.add(
            "funded", at, unit=unit, kind="envelope_act", subject=pk,
            data=f'{{"offering":"{offering_slug(offering)}","amount":{amount}}}',
        )  # fmt: skip

    def fund_next(self, at: str) -> None:
        """The envelope whose turn it is gets more."""
        units = self.numbers.units_with_envelopes
        turn, offering = divmod(self.act_count, OFFERINGS)
        self.fund(units[turn % len(units)], offering + 1, FUNDED_MORE, at)

    def decide(
        self, asked: Asked, line: Wish, decision_line: int, source: int, change: int, person: int,
        at: str,
    ) -> None:  # fmt: skip
        """What a line's decision moves, and the loan that it opens."""
        account = line.account
        if change > 0:
            kind, debit, credit = ("loan" if asked.is_lent else "grant"), source, account
        else:
            kind, debit, credit = "return", account, source
        self.count += 1
        self.balances.move(debit, credit, abs(change))
        self.transfers.line(
            f"{self.count}\t{line.offering}\t{debit}\t{credit}\t{abs(change)}\t{kind}\t"
            f"{decision_line}\t{NULL}\t{person}\t{at}"
        )
        if kind == "loan":
            ends = self.clock.end(asked.pk)
            self.loans.line(f"{account}\t{source}\t{self.count}\t{change}\t{change}\t{ends}")
