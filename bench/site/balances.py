"""What everybody has as history goes on, and what of bounds is consumed: the ledger in memory."""

from collections import defaultdict
from typing import NamedTuple

from .authority import PERIOD_DAYS, WINDOW_DAYS, Bound, Link
from .numbers import BASES, HEAD, STEPS, Numbers, resource_of
from .sizes import OFFERINGS
from .times import DAY

# In bases of each offering; what the pool gets at first, an envelope at first, and each time.
ISSUED, FUNDED, FUNDED_MORE = 10_000_000, 100_000, 100
KEPT = 8  # windows look no further back than so many decisions of one quota


class Net(NamedTuple):
    """What one decision added to a quota. level: of the unit whose delegation it was."""

    second: int
    amount: int
    level: int
    link: int


class Balances:
    """Balances by account ids, and what was decided lately by (project, offering)."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers
        self.of: dict[int, int] = defaultdict(int)
        self.lately: dict[int, list[Net]] = {}
        self.totals: dict[tuple[int, int], int] = {}

    def move(self, debit: int, credit: int, amount: int) -> None:
        self.of[debit] -= amount
        self.of[credit] += amount
        if debit > OFFERINGS and self.of[debit] < 0:
            raise AssertionError(f"account {debit} is overdrawn by {amount}")

    def nets(self, account: int, second: int) -> list[Net]:
        """Of a project's account, within the window of a decision at that second."""
        found = self.lately.get(account)
        if not found:
            return []
        since = second - WINDOW_DAYS * DAY
        return [each for each in found if each.second > since]

    def note(self, account: int, net: Net) -> None:
        found = self.lately.setdefault(account, [])
        found.append(net)
        del found[:-KEPT]

    def total(self, bound: Bound, period: int) -> int:
        return self.totals.get((bound.pk, period), 0)


def in_window(link: Link, nets: list[Net]) -> int:
    """The net increase through a link, or below it; never below zero."""
    if link.place == HEAD:
        level = link.level
        found = sum([each.amount for each in nets if each.level >= level])
    else:
        pk = link.pk
        found = sum([each.amount for each in nets if each.link == pk])
    return found if found > 0 else 0


def period_of(link: Link, starts: int, second: int) -> int:
    """starts: the second at which the link began."""
    return (second - starts) // (PERIOD_DAYS * DAY)


def base_amount(offering: int, bases: int) -> int:
    """So many bases of an offering in its base units."""
    resource = resource_of(offering)
    return bases * BASES[resource] * STEPS[resource]
