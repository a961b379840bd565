"""How much may still be given: what is consumed is added up from every act there ever was."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from quotas.tests.walk.slow_bounds import Limits
from quotas.tests.walk.slow_chains import Act, Row, SlowChains, Stored


class SlowAmounts(SlowChains):
    """Bounds and their consumption, at `now` or at the moment of an act."""

    def __init__(self, now: datetime, stored: Stored) -> None:
        super().__init__(now, stored)
        self.used_of_total = lru_cache(None)(self._used_of_total)
        self.in_window = lru_cache(None)(self._in_window)

    def about(self, link: int, offering: int) -> list[Row]:
        """The bounds of one link that speak of an offering."""
        row = self.offerings[offering]
        return [
            each
            for each in self.bounds[link]
            if Limits.of(each).is_about(row["resource_id"], row["zone_id"])
        ]

    def reaches(self, leaf: int, offering: int) -> bool:
        return all(self.about(each, offering) for each in self.chain(leaf))

    def room(self, leaf: int, offering: int, holder: int, power: str) -> int | None:
        """The most that one more act may add; None: any amount."""
        found: list[int] = []
        for link in self.chain(leaf):
            rows = self.about(link, offering)
            if not rows:
                return 0
            for row in rows:
                if row["per_decision"] is not None:
                    used = self.in_window(
                        link, row["window_days"], offering, holder, power, self.now, None
                    )
                    found.append(max(row["per_decision"] - used, 0))
                if row["total"] is not None:
                    period = self.period(link, row, self.now)
                    used = self.used_of_total(link, row["id"], power, period, None)
                    found.append(max(row["total"] - used, 0))
        return min(found, default=None)

    def allows(self, leaf: int, offering: int, holder: int, power: str, increase: int) -> bool:
        if not self.reaches(leaf, offering):
            return False
        room = self.room(leaf, offering, holder, power)
        return increase <= 0 or room is None or increase <= room

    def _in_window(
        self, link: int, days: int, offering: int, holder: int, power: str, at: datetime,
        before: Act | None,
    ) -> int:  # fmt: skip
        """What one holder's share of an offering rose by through a link, never below zero.

        Through what the link replaces, too.
        """
        since, line = at - timedelta(days=days), self.line(link)
        nets = [
            act.net
            for act in self._until(before)
            if (act.power, act.offering, act.holder) == (power, offering, holder)
            and since < act.at
            and line & set(self.chain(act.leaf))
        ]
        return max(sum(nets), 0)

    def _used_of_total(
        self, link: int, bound: int, power: str, period: int, before: Act | None
    ) -> int:
        row = next(each for each in self.bounds[link] if each["id"] == bound)
        used = self._carried(link, row, power) if period == 0 else 0
        for act in self._until(before):
            offering = self.offerings[act.offering]
            if (
                act.power == power
                and act.net > 0
                and link in self.chain(act.leaf)
                and Limits.of(row).is_about(offering["resource_id"], offering["zone_id"])
                and self.period(link, row, act.at) == period
            ):
                used += act.net
        return used

    def _carried(self, link: int, row: Row, power: str) -> int:
        """What the delegation that this one replaces had consumed of its period as it ended."""
        old = self.links[link]["replaces_id"]
        if old is None:
            return 0
        made_at = self.links[link]["created_at"]
        first = Act(power, 0, 0, 0, 0, 0, made_at, 0)
        found = [0]
        for each in self.bounds[old]:
            if each["total"] is not None and Limits.of(each).is_about(
                row["resource_id"], row["zone_id"]
            ):
                period = self.period(old, each, made_at)
                found.append(self._used_of_total(old, each["id"], power, period, first))
        return min(max(found), row["total"])

    def _until(self, before: Act | None) -> Sequence[Act]:
        acts = self.stored.acts
        if before is None:
            return acts
        key = (before.at, before.power, before.pk)
        return [act for act in acts if (act.at, act.power, act.pk) < key]

    def period(self, link: int, row: Row, at: datetime) -> int:
        if row["period_days"] is None:
            return 0
        since = at - self.links[link]["starts_at"]
        return max(since // timedelta(days=row["period_days"]), 0)

    def passed(self, act: Act) -> Iterator[str]:
        """Every window and total that an act went beyond as it was done."""
        for link in self.chain(act.leaf):
            rows = self.about(link, act.offering)
            if not rows:
                yield f"D-{link} says nothing about what {act} gives"
            for row in rows if act.net > 0 else ():
                if row["per_decision"] is not None:
                    used = self.in_window(
                        link, row["window_days"], act.offering, act.holder, act.power, act.at, act
                    )
                    if used + act.net > row["per_decision"]:
                        yield f"window of D-{link}: {used} + {act.net} > {row['per_decision']}"
                if row["total"] is not None:
                    period = self.period(link, row, act.at)
                    used = self.used_of_total(link, row["id"], act.power, period, act)
                    if used + act.net > row["total"]:
                        yield f"total of D-{link}: {used} + {act.net} > {row['total']}"
