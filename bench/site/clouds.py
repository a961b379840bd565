"""What became true at the services, what is in use there, and what everybody has in the end."""

from collections import defaultdict
from datetime import timedelta

from quotas.models import Account, BoundUse, Reading, Target, UnitUsage, UsagePeak

from .authority import Authority
from .balances import Balances
from .copying import NULL, Sheets
from .numbers import COMPUTE, DEPUTY, HEAD, Numbers, mixed, target_of
from .places import LIMITS_OF_AN_ENDPOINT, limits_fed, limits_of
from .sizes import ENDPOINTS, OFFERINGS
from .times import Times

# Of each endpoint's limits the first is drawn day by day.
DRAWN = 1


def accounts(sheets: Sheets, numbers: Numbers, balances: Balances) -> None:
    """Of the site and its pool, envelopes, and quotas of whoever was ever granted something."""
    rows = sheets.of(Account, "id", "offering_id", "holder", "unit_id", "project_id", "balance")
    for offering in range(1, OFFERINGS + 1):
        rows.add(offering, offering, "site", None, None, balances.of[offering])
        pool = OFFERINGS + offering
        rows.add(pool, offering, "pool", None, None, balances.of[pool])
        for unit in numbers.units_with_envelopes:
            envelope = numbers.envelope(unit, offering)
            rows.add(envelope, offering, "unit", unit, None, balances.of[envelope])
    for project in range(1, numbers.scale.projects + 1):
        for offering in range(1, OFFERINGS + 1):
            account = numbers.quota_account(project, offering)
            if account in balances.of:
                rows.add(account, offering, "project", None, project, balances.of[account])


def bound_uses(sheets: Sheets, numbers: Numbers, authority: Authority, balances: Balances) -> None:
    """What is consumed of totals, as decisions added it up."""
    rows = sheets.of(BoundUse, "id", "bound_id", "power", "period", "most", "used")
    most = {
        bound.pk: bound.total
        for place in (HEAD, DEPUTY)
        for bound in authority.links[numbers.hot_unit, place].bounds
    }
    for pk, ((bound, period), used) in enumerate(sorted(balances.totals.items()), 1):
        rows.add(pk, bound, "decide quota", period, most[bound], used)


class Clouds:
    """Targets of every project at every endpoint, with what was read there."""

    def __init__(self, sheets: Sheets, numbers: Numbers, times: Times, balances: Balances) -> None:
        self._numbers, self._times, self._balances = numbers, times, balances
        self._targets = sheets.of(
            Target, "id", "project_id", "endpoint_id", "state", "generation", "applied_generation",
            "applied_at", "observed_at", "looked_at",
        )  # fmt: skip
        self._readings = sheets.of(
            Reading, "target_id", "limit_id", "written", "limit_seen", "used", "reserved", "read_at"
        )
        self._peaks = sheets.of(UsagePeak, "target_id", "limit_id", "day", "used", "limit_seen")
        self._unit_usage = sheets.of(
            UnitUsage, "unit_id", "limit_id", "day", "used", "quota", "seen_count", "known_count",
            "project_count",
        )  # fmt: skip
        self._feeds = {each: limits_fed(each) for each in range(1, OFFERINGS + 1)}
        self._limits = {each: limits_of(each) for each in range(1, ENDPOINTS + 1)}
        # {(unit, limit): [used, quota, projects]} of units at the top and below.
        self._sums: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
        self._read_at = (times.now - timedelta(minutes=20)).isoformat()
        self._applied_at = times.set_up.isoformat()
        today = times.now.date()
        self._days = [
            (today - timedelta(days=each)).isoformat()
            for each in range(1, numbers.scale.unit_usage_days + 1)
        ]

    def write(self, generations: dict[int, int]) -> None:
        for project in range(1, self._numbers.scale.projects + 1):
            quotas = self._limits_of(project)
            for endpoint in range(1, ENDPOINTS + 1):
                target = target_of(project, endpoint)
                generation = generations.get(target, 1)
                self._targets.line(
                    f"{target}\t{project}\t{endpoint}\tapplied\t{generation}\t{generation}\t"
                    f"{self._applied_at}\t{self._read_at}\t{self._read_at}"
                )
                for limit, *_others in self._limits[endpoint]:
                    self._read(project, target, limit, quotas.get(limit, 0))
        self._by_unit()

    def _limits_of(self, project: int) -> dict[int, int]:
        """{limit: what the ledger says of it}."""
        found: dict[int, int] = defaultdict(int)
        for offering in range(1, OFFERINGS + 1):
            balance = self._balances.of.get(self._numbers.quota_account(project, offering))
            for limit in self._feeds[offering] if balance else ():
                found[limit] += balance or 0
        return found

    def _read(self, project: int, target: int, limit: int, quota: int) -> None:
        if not quota and limit % LIMITS_OF_AN_ENDPOINT >= COMPUTE - 1:
            return  # Of types that nobody has, nothing is told.
        chance = mixed(target * 31 + limit)
        used = quota * (chance % 95) // 100
        self._readings.line(f"{target}\t{limit}\t{quota}\t{quota}\t{used}\t0\t{self._read_at}")
        if not quota or limit % LIMITS_OF_AN_ENDPOINT >= DRAWN:
            return
        for number in range(self._numbers.scale.peak_days):
            peak = used * (80 + (chance >> number) % 21) // 100
            self._peaks.line(f"{target}\t{limit}\t{self._days[number]}\t{peak}\t{quota}")
        for unit in (0, *self._numbers.lineage(self._numbers.unit_of(project))[:2]):
            sums = self._sums[unit, limit]
            sums[0], sums[1], sums[2] = sums[0] + used, sums[1] + quota, sums[2] + 1

    def _by_unit(self) -> None:
        """Of the site, of units at the top and of those below them, a quarter of a year."""
        for (unit, limit), (used, quota, count) in sorted(self._sums.items()):
            for number, day in enumerate(self._days):
                share = 100 - number // 3
                self._unit_usage.line(
                    f"{unit or NULL}\t{limit}\t{day}\t{used * share // 100}\t{quota}\t{count}\t"
                    f"{count}\t{count}"
                )
