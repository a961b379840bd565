"""Choosing the authority for each line of a grant, and consuming it: windows and totals."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from projects.states import Power
from quotas.models import RequestLine
from quotas.queries.authority import Mandate
from quotas.queries.bounds import Used
from quotas.queries.consumption import windows_of

from .authority import choose_mandate
from .bench import Bench
from .booking import Accounts
from .consuming import hold_totals


@dataclass(frozen=True)
class Spent:
    """By lines' ids: the mandate of each, and what was consumed before it.

    Of lines that share a bound the later ones come after the earlier ones.
    """

    mandates: Mapping[int, Mandate]
    before: Mapping[int, Used]


def spend(
    bench: Bench, lines: Collection[RequestLine], granted: Mapping[int, int], accounts: Accounts
) -> Spent:
    """Consume what the lines add of the nearest mandates that allow it.

    Raises Forbidden, UsedUp. The caller holds the delegations, and the project, by which the
    windows are safe.
    """
    now = bench.viewer.now
    increases = {line.pk: granted[line.pk] - accounts.balance(line) for line in lines}
    raised = [line.offering for line in lines if increases[line.pk] > 0]
    totals = hold_totals(bench.mandates, raised, now, Power.DECIDE_QUOTA)
    used = Used(now, {}, totals.used)
    if raised:
        windows = windows_of(bench.mandates, bench.project, raised, now)
        used = Used(now, windows, totals.used)
    mandates: dict[int, Mandate] = {}
    before: dict[int, Used] = {}
    for line in lines:
        mandate = choose_mandate(bench.mandates, line, increases[line.pk], used)
        mandates[line.pk], before[line.pk] = mandate, used
        used = used.plus(mandate.bounds_on(line.offering), line.offering, increases[line.pk])
    totals.consume(
        (mandates[line.pk], line.offering, increases[line.pk]) for line in lines
    )  # fmt: skip
    return Spent(mandates, before)
