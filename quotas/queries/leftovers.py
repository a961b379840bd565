"""How much of what a project has is not in use: what can go back without going below usage.

Usage exists per limit, quota per offering: a limit that several offerings feed leaves free what
it leaves once, whoever takes it first.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from quotas.models import Account, Contribution, Reading, Target
from quotas.states import TargetState


@dataclass
class Leftovers:
    """What limits leave free, in base units, and which limits an offering feeds."""

    # {limit id: wanted by the ledger − (used + reserved)}; None: nobody knows what is in use.
    free: dict[int, int | None]
    # {offering id: [(limit id, factor)]}
    feeds: dict[int, list[tuple[int, int]]] = field(default_factory=dict)

    def take(self, account: Account, most: int) -> int:
        """As much of `most` as is free of the account's offering, in its steps; it is gone then.

        Zero where the use of a limit that it feeds is not known.
        """
        found = min(most, account.balance)
        for limit_id, factor in self.feeds.get(account.offering_id, ()):
            free = self.free[limit_id]
            found = 0 if free is None else min(found, max(free, 0) // factor)
        step = account.offering.resource.step
        if found < account.balance:
            found = found // step * step
        for limit_id, factor in self.feeds.get(account.offering_id, ()):
            free = self.free[limit_id]
            if free is not None:
                self.free[limit_id] = free - found * factor
        return found


def leftovers_of(project_id: int, accounts: Collection[Account]) -> Leftovers:
    """What these accounts of a project could give back; four queries.

    A project that was never made true somewhere uses nothing there. A limit that was left out
    bounds nothing, as nothing of it is enforced; nor does one whose service tells the limit and
    no use, as of an access: nobody would ever know that it is free. Where a service cannot look
    into all of itself, nobody knows what is in use.
    """
    offering_ids = {each.offering_id for each in accounts}
    feeds = Contribution.objects.filter(offering__in=offering_ids, limit__left_out_at__isnull=True)
    rows = list(feeds.values_list("offering", "limit", "factor", "limit__endpoint"))
    limits = {limit: endpoint for _offering, limit, _factor, endpoint in rows}
    wanted = _wanted(project_id, limits)
    unborn, used = _used(project_id, limits)
    free: dict[int, int | None] = {}
    for limit, endpoint in limits.items():
        if endpoint in unborn:
            free[limit] = wanted[limit]
        else:
            free[limit] = wanted[limit] - used[limit] if limit in used else None
    by_offering: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for offering, limit, factor, _endpoint in rows:
        by_offering[offering].append((limit, factor))
    return Leftovers(free, by_offering)


def _wanted(project_id: int, limit_ids: Iterable[int]) -> dict[int, int]:
    """{limit id: Σ quota × factor}."""
    rows = Contribution.objects.filter(
        limit__in=limit_ids, offering__accounts__project=project_id
    ).values_list("limit", "factor", "offering__accounts__balance")
    found: dict[int, int] = dict.fromkeys(limit_ids, 0)
    for limit, factor, balance in rows:
        found[limit] += factor * balance
    return found


def _used(project_id: int, limits: dict[int, int]) -> tuple[set[int], dict[int, int]]:
    """The endpoints where nothing was ever applied, and {limit id: used and reserved}."""
    targets = Target.objects.filter(project=project_id, endpoint__in=set(limits.values()))
    states = list(targets.values_list("endpoint", "applied_generation", "state"))
    known = {endpoint for endpoint, _applied, _state in states}
    unborn = {
        endpoint
        for endpoint, applied, state in states
        if applied == 0 and state == TargetState.WAITING
    } | (set(limits.values()) - known)
    readings = (
        Reading.objects.filter(
            target__project=project_id, limit__in=limits, limit__endpoint__gaps_since__isnull=True
        )
        .exclude(used=None, limit_seen=None)
        .values_list("limit", "used", "reserved")
    )
    return unborn, {limit: (used or 0) + (reserved or 0) for limit, used, reserved in readings}
