"""How much the demo's projects use: a steady story from a checksum, no randomness."""

import math
import zlib
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from quotas.models import Account, Contribution, Endpoint, Holder, Target, Transfer, UsagePeak

DAYS = 90
# More than was left when a part was given back, so that the limit cannot follow yet.
STILL_IN_USE = {("it-gitlab", "geneva.storage-a.space"): 10 * 2**40}


def _share(*names: object) -> float:
    """A number from 0 to 1 that is always the same for the same names."""
    return zlib.crc32(".".join(map(str, names)).encode()) / 2**32


def used_of(account: Account, balance: int, day: date, today: date) -> int:
    """What a project uses of an offering on a day, in steps of the resource.

    It grows towards today, with a dip at the week's end, and stays below the quota, but for
    what is `STILL_IN_USE`.
    """
    slug, project = account.offering.slug, account.project.slug if account.project else ""
    still = STILL_IN_USE.get((project, slug))
    if still is not None:
        return still
    level = 0.45 + 0.45 * _share(project, slug)
    age = (today - day).days / DAYS
    growth = 1 - 0.5 * age * _share(slug, project)
    weekend = 0.9 if day.weekday() >= 5 and day != today else 1.0
    wave = 1 + 0.04 * math.sin(day.toordinal() / 3 + 6 * _share(project))
    step = account.offering.resource.step
    return int(balance * min(level * growth * weekend * wave, 1.0)) // step * step


class Usage:
    """Balances of every project by day, and what was used of them."""

    def __init__(self, today: datetime) -> None:
        self.today = timezone.localdate(today)
        self.accounts = list(
            Account.objects.filter(holder=Holder.PROJECT).select_related(
                "project", "offering__resource"
            )
        )
        self.transfers: dict[int, list[tuple[datetime, int]]] = defaultdict(list)
        for row in Transfer.objects.order_by("at", "pk"):
            self.transfers[row.credit_id].append((row.at, row.amount))
            self.transfers[row.debit_id].append((row.at, -row.amount))
        self.feeds: dict[int, list[Contribution]] = defaultdict(list)
        for feed in Contribution.objects.select_related("limit__endpoint"):
            self.feeds[feed.offering_id].append(feed)

    def balance(self, account: Account, day: date) -> int:
        """At the end of a day, in the site's zone."""
        end = timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))
        return sum(amount for at, amount in self.transfers[account.pk] if at < end)

    def by_limit(self, day: date) -> dict[tuple[int, int], tuple[int, int]]:
        """{(project id, limit id): (used, limit)} in base units on a day."""
        found: dict[tuple[int, int], tuple[int, int]] = {}
        for account in self.accounts:
            balance = self.balance(account, day)
            if not balance or account.project_id is None:
                continue
            used = used_of(account, balance, day, self.today)
            for feed in self.feeds[account.offering_id]:
                if feed.limit.is_access:
                    continue
                key = (account.project_id, feed.limit_id)
                before = found.get(key, (0, 0))
                found[key] = (before[0] + used * feed.factor, before[1] + balance * feed.factor)
        return found

    def keep_peaks(self) -> int:
        """Store the peak of each of the last days but today; returns how many."""
        targets = {
            (project, endpoint): pk
            for pk, project, endpoint in Target.objects.values_list("pk", "project", "endpoint")
        }
        endpoints = {
            feed.limit_id: feed.limit.endpoint_id for rows in self.feeds.values() for feed in rows
        }
        peaks = [
            UsagePeak(
                target_id=targets[project, endpoints[limit]],
                limit_id=limit,
                day=self.today - timedelta(days=ago),
                used=used,
                limit_seen=seen,
            )
            for ago in range(1, DAYS + 1)
            for (project, limit), (used, seen) in self.by_limit(
                self.today - timedelta(days=ago)
            ).items()
        ]
        UsagePeak.objects.bulk_create(peaks, batch_size=2000)
        return len(peaks)

    def now_by_endpoint(self) -> Iterator[tuple[int, Endpoint, dict[str, int]]]:
        """(project id, endpoint, {key: used in the service's own units}) of today."""
        limits = {feed.limit_id: feed.limit for rows in self.feeds.values() for feed in rows}
        grouped: dict[tuple[int, int], dict[str, int]] = defaultdict(dict)
        for (project, limit_id), (used, __) in self.by_limit(self.today).items():
            limit = limits[limit_id]
            grouped[project, limit.endpoint_id][limit.key] = used // limit.step
        endpoints = {limit.endpoint_id: limit.endpoint for limit in limits.values()}
        for (project, endpoint_id), used_by_key in grouped.items():
            yield project, endpoints[endpoint_id], used_by_key
