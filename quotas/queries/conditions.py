"""What a rule says of one line, given its facts: arithmetic, no queries, no words.

Every condition of a version gives one finding with its figure and its bound. What is not known
never counts as fulfilled.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models

from quotas.models import Offering, PolicyVersion
from quotas.states import Direction

from .accounts import Fill


class Condition(models.TextChoices):
    """What a rule can ask for; the values stand in proofs and in the API."""

    KIND = "project_kind"
    PERCENT = "most_percent"
    AMOUNT = "most_amount"
    EVERY = "every_days"
    ENVELOPE = "envelope_left_percent"
    ZONE = "zone_left_percent"
    USAGE = "usage_above_percent"


# Those whose figures are for deciders; others read a word.
INNER = (Condition.ENVELOPE, Condition.ZONE)


@dataclass(frozen=True)
class Facts:
    """What one line is judged on, in base units; None: not known.

    used: the highest use that counts, of `used_of`, the quota behind it. last_at: when a rule
    last granted more of this to the project; None: never.
    """

    offering: Offering
    project_kind: str
    balance: int
    wanted: int
    now: datetime
    envelope: Fill | None = None
    zone: Fill | None = None
    used: int | None = None
    used_of: int | None = None
    last_at: datetime | None = None

    @property
    def change(self) -> int:
        return self.wanted - self.balance


@dataclass(frozen=True)
class Finding:
    """One condition of one line: whether it holds, by which figure and which bound.

    figure: None: not known (of `every_days`: never before); of: what a share is a share of.
    """

    condition: Condition
    holds: bool
    bound: int | str
    figure: int | str | None = None
    of: int | None = None

    @property
    def is_unknown(self) -> bool:
        return self.figure is None and self.condition != Condition.EVERY

    @property
    def json(self) -> dict[str, Any]:
        """For proofs: figures only, so that each reader gets the sentence in their language."""
        return {
            "condition": self.condition.value, "holds": self.holds, "bound": self.bound,
            "figure": self.figure, "of": self.of,
        }  # fmt: skip

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Finding":
        """What a proof keeps, as it was."""
        return cls(**stored | {"condition": Condition(stored["condition"])})


@dataclass(frozen=True)
class Verdict:
    """What a rule says of a line: every condition, whether it holds or not."""

    version: PolicyVersion
    findings: tuple[Finding, ...]

    @property
    def holds(self) -> bool:
        return all(each.holds for each in self.findings)

    @property
    def holds_as_far_as_known(self) -> bool:
        """For the past, of which some figures are gone."""
        return all(each.holds or each.is_unknown for each in self.findings)


def is_about(version: PolicyVersion, offering: Offering, change: int) -> bool:
    """Whether the rule says anything about such a line at all."""
    if change == 0 or (version.direction == Direction.INCREASE) != (change > 0):
        return False
    return version.resource_id in (None, offering.resource_id) and version.zone_id in (
        None,
        offering.zone_id,
    )


def judge(version: PolicyVersion, facts: Facts) -> Verdict:
    """Every condition of the version on a line that it is about."""
    return Verdict(version, tuple(_findings(version, facts)))


def _findings(version: PolicyVersion, facts: Facts) -> Iterable[Finding]:
    if version.project_kind:
        holds = facts.project_kind == version.project_kind
        yield Finding(Condition.KIND, holds, version.project_kind, facts.project_kind)
    if version.most_percent is not None:
        holds = facts.change * 100 <= version.most_percent * facts.balance
        yield Finding(Condition.PERCENT, holds, version.most_percent, facts.change, facts.balance)
    if version.most_amount is not None:
        holds = facts.change <= version.most_amount
        yield Finding(Condition.AMOUNT, holds, version.most_amount, facts.change)
    if version.every_days is not None:
        yield _often(version.every_days, facts)
    if version.envelope_left_percent is not None:
        yield _left(Condition.ENVELOPE, version.envelope_left_percent, facts.envelope, facts)
    if version.zone_left_percent is not None:
        yield _left(Condition.ZONE, version.zone_left_percent, facts.zone, facts)
    if version.usage_above_percent is not None:
        yield _used(version.usage_above_percent, facts)


def _often(days: int, facts: Facts) -> Finding:
    """Half-open, as every period: what was exactly so many days ago is over."""
    if facts.last_at is None:
        return Finding(Condition.EVERY, True, days)
    since = facts.now - facts.last_at
    return Finding(Condition.EVERY, since >= timedelta(days=days), days, since.days)


def _left(condition: Condition, percent: int, fill: Fill | None, facts: Facts) -> Finding:
    if fill is None or fill.size <= 0:
        return Finding(condition, False, percent)
    left = fill.free - facts.change
    return Finding(condition, left * 100 > percent * fill.size, percent, left, fill.size)


def _used(percent: int, facts: Facts) -> Finding:
    if facts.used is None or facts.used_of is None or facts.used_of <= 0:
        return Finding(Condition.USAGE, False, percent)
    holds = facts.used * 100 > percent * facts.used_of
    return Finding(Condition.USAGE, holds, percent, facts.used, facts.used_of)
