"""Choosing the authority for each line of a grant, and consuming it: windows and totals."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from quotas.models import RequestLine
from quotas.queries.authority import Mandate
from quotas.queries.bounds import Used

from .authority import choose_mandate
from .bench import Bench
from .booking import Accounts
from .consuming import Addition, hold_used


@dataclass(frozen=True)
class Spent:
    """By lines' ids: the mandate of each, and what was consumed before it.

    Of lines that share a bound the later ones come after the earlier ones. addition: what the
    totals, which are held, are still to be told.
    """

    mandates: Mapping[int, Mandate]
    before: Mapping[int, Used]
    addition: Addition


def spend(
    bench: Bench, lines: Collection[RequestLine], granted: Mapping[int, int], accounts: Accounts
) -> Spent:
    """Hold what the lines will consume of the nearest mandates that allow it.

    Raises Forbidden, UsedUp. The caller holds the delegations, and the project, by which the
    windows are safe.
    """
    now = bench.viewer.now
    increases = {line.pk: granted[line.pk] - accounts.balance(line) for line in lines}
    raised = [line.offering for line in lines if increases[line.pk] > 0]
    totals, used = hold_used(bench.mandates, bench.project, raised, now)
    mandates: dict[int, Mandate] = {}
    before: dict[int, Used] = {}
    for line in lines:
        mandate = choose_mandate(bench.mandates, line, increases[line.pk], used)
        mandates[line.pk], before[line.pk] = mandate, used
        used = used.plus(mandate.bounds_on(line.offering), line.offering, increases[line.pk])
    addition = totals.addition(
        (mandates[line.pk], line.offering, increases[line.pk]) for line in lines
    )
    return Spent(mandates, before, addition)
