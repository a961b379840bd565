"""Choosing the authority for each line of a grant, and consuming it: windows and totals."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from quotas.models import Offering, RequestLine
from quotas.queries.authority import Mandate
from quotas.queries.bounds import Used

from .authority import choose_mandate
from .bench import Bench
from .booking import Accounts
from .consuming import Purse, Spender


@dataclass(frozen=True)
class Spent:
    """By lines' ids: the mandate of each, and what was consumed before it.

    Of lines that share a bound the later ones come after the earlier ones. after: what is
    consumed with all of them; increases: what the totals, which are held, are still to be told.
    """

    mandates: Mapping[int, Mandate]
    before: Mapping[int, Used]
    after: Used
    increases: Sequence[tuple[Mandate, Offering, int]]


def spender(
    bench: Bench, lines: Collection[RequestLine], granted: Mapping[int, int], accounts: Accounts
) -> Spender:
    """What `hold_used` is told, so that `spend` finds all that the lines could consume held."""
    increases = _increases(lines, granted, accounts)
    raised = [line.offering for line in lines if increases[line.pk] > 0]
    return Spender(bench.mandates, bench.project, raised)


def spend(
    bench: Bench, lines: Collection[RequestLine], granted: Mapping[int, int], accounts: Accounts,
    purse: Purse,
) -> Spent:  # fmt: skip
    """What the lines consume of the nearest mandates that allow it; nothing is written.

    Raises Forbidden, UsedUp. purse: of a spender for these lines, by whose locks it is safe.
    """
    increases, used = _increases(lines, granted, accounts), purse.of(bench.project)
    mandates: dict[int, Mandate] = {}
    before: dict[int, Used] = {}
    for line in lines:
        mandate = choose_mandate(bench.mandates, line, increases[line.pk], used)
        mandates[line.pk], before[line.pk] = mandate, used
        used = used.plus(mandate.bounds_on(line.offering), line.offering, increases[line.pk])
    consumed = [(mandates[line.pk], line.offering, increases[line.pk]) for line in lines]
    return Spent(mandates, before, used, consumed)


def _increases(
    lines: Collection[RequestLine], granted: Mapping[int, int], accounts: Accounts
) -> dict[int, int]:
    return {line.pk: granted[line.pk] - accounts.balance(line) for line in lines}
