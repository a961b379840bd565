"""Approving several requests in one transaction, at little more than the price of one.

What stands in the way of a request leaves it out, untouched: `decide.approve` of it alone says what
that is. Locks are taken in the order of ARCHITECTURE.md across all of them, each kind by id.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from portal.lib.errors import DomainError
from projects.models import User
from projects.states import ProjectState
from quotas.models import RequestLine

from .bench import Bench, hold_authorities, take_each
from .booking import Accounts, lock_all_accounts
from .consuming import Purse, hold_used
from .granting import check_granted, check_seen
from .planning import Grant, plan
from .posting import Journal
from .shown import Shown
from .spending import spender
from .storing import store
from .targets import deliver


@dataclass(frozen=True)
class _Case:
    """A request to be granted as asked."""

    shown: Shown
    bench: Bench
    lines: list[RequestLine]

    @property
    def granted(self) -> dict[int, int]:
        return {line.pk: line.wanted for line in self.lines}


def approve_each(
    *, shown: Collection[Shown], reason: str, actor: User, now: datetime
) -> frozenset[int]:
    """Approve as asked, and as far as that can be done, requests that wait.

    The numbers of those that are approved. Raises only what keeps all of them from being decided.
    """
    with transaction.atomic():
        cases = _taken(shown, actor, now)
        accounts = lock_all_accounts([(each.bench, each.lines) for each in cases]) if cases else []
        hold_authorities([each.bench for each in cases])
        fit = [
            (each, own) for each, own in zip(cases, accounts, strict=True) if _is_fit(each, own)
        ]  # fmt: skip
        return _granted(fit, reason, actor, now) if fit else frozenset()


def _taken(shown: Collection[Shown], actor: User, now: datetime) -> list[_Case]:
    by_number = {each.number: each for each in shown}
    cases = []
    for bench in take_each(list(by_number), actor, now):
        own = by_number[bench.request.pk]
        # What opens a project does more than others; they wait behind it, for what it may take.
        if bench.project.state == ProjectState.PROPOSED:
            break
        try:
            cases.append(_Case(own, bench, bench.chosen(list(own.seen), "approve")))
        except DomainError:
            continue
    return cases


def _is_fit(case: _Case, accounts: Accounts) -> bool:
    """Whether authority, what was seen and what is asked for hold still."""
    bench, lines = case.bench, case.lines
    if not bench.mandates:
        return False
    try:
        check_seen(bench, lines, accounts, case.shown.seen, case.shown.version)
        check_granted(bench, lines, case.granted, accounts)
    except DomainError:
        return False
    return True


def _granted(
    fit: Collection[tuple[_Case, Accounts]], reason: str, actor: User, now: datetime
) -> frozenset[int]:
    spenders = [spender(each.bench, each.lines, each.granted, own) for each, own in fit]
    purse, journal = hold_used(spenders, now), Journal(actor=actor, now=now)
    grants = [
        grant for each, own in fit if (grant := _grant(each, own, purse, journal, reason))
    ]  # fmt: skip
    if not grants:
        return frozenset()
    said = [each.said for each in grants]
    increases = [increase for each in grants for increase in each.increases]
    store(said, journal, purse.totals.addition(increases))
    deliver([line for each in said for line in each.lines])
    return frozenset(each.bench.request.pk for each in said)


def _grant(
    case: _Case, accounts: Accounts, purse: Purse, journal: Journal, reason: str
) -> Grant | None:
    """None: its bounds or its source have too little left, with what those before it took."""
    try:
        return plan(case.bench, case.lines, case.granted, accounts, purse, journal, reason, {})
    except DomainError:
        return None
