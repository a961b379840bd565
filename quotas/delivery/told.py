"""What a survey tells of one target, put together with what was read of it before."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from quotas.backends.base import UNLIMITED, Figure, Survey
from quotas.models import Limit, Reading

from .readings import in_base_units


@dataclass(frozen=True)
class Told:
    """One limit as a survey tells it, in base units; None: of this it says nothing."""

    limit: Limit
    bound: int | None
    used: int | None
    reserved: int | None
    known: Reading | None

    @property
    def is_news(self) -> bool:
        """Whether it is not what the last reading had."""
        known = self.known
        if known is None:
            return True
        is_other_bound = self.bound is not None and self.bound != known.limit_seen
        is_other_use = self.used is not None and (self.used, self.reserved) != (
            known.used, known.reserved,
        )  # fmt: skip
        return is_other_bound or is_other_use

    @property
    def is_whole(self) -> bool:
        """Whether a reading of the target alone would tell no more."""
        tells_no_use = self.known is not None and self.known.used is None
        return self.bound is not None and (self.used is not None or tells_no_use)

    @property
    def bound_now(self) -> int | None:
        """The limit as far as it is known, in base units."""
        if self.bound is not None:
            return self.bound
        return self.known.limit_seen if self.known is not None else None

    def figure(self) -> Figure:
        """As far as it is known by now, in the service's units."""
        used, reserved = self.used, self.reserved
        if used is None and self.known is not None:
            used, reserved = self.known.used, self.known.reserved
        step = self.limit.step
        return Figure(_units(self.bound_now, step), _units(used, step), _units(reserved, step))


def _units(amount: int | None, step: int) -> int | None:
    if amount is None:
        return None
    return UNLIMITED if amount < 0 else amount // step


def told_of_project(
    survey: Survey, project_id: str, limits: Iterable[Limit], known: Mapping[int, Reading]
) -> list[Told]:
    """What a survey says of these limits of a project; those of which it says nothing left out.

    project_id: the cloud's own; known: {limit id: the last reading}.
    """
    figures = survey.figures.get(project_id, {})
    found = []
    for limit in limits:
        figure = figures.get(limit.key, Figure(None))
        bound = figure.limit if limit.key in survey.bounded else None
        if bound is None and limit.key in survey.bounded:
            bound = survey.defaults.get(limit.key)
        used = reserved = None
        if limit.key in survey.counted:
            used, reserved = figure.used or 0, figure.reserved
        if bound is None and used is None:
            continue
        found.append(
            Told(
                limit, in_base_units(bound, limit), in_base_units(used, limit),
                in_base_units(reserved, limit), known.get(limit.pk),
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class ToldTarget:
    """All that a survey tells of a target. `is_whole`: nothing of it needs to be read alone."""

    target_id: int
    told: tuple[Told, ...]
    is_whole: bool

    def to_store(self, old: datetime) -> list[Told]:
        """What is to be written: news, and what was last dated before `old`.

        Of a whole reading all or nothing: its limits are read together, and are dated so.
        """
        if not self.is_whole:
            return [
                each
                for each in self.told
                if each.known is not None and (each.is_news or each.known.used_at < old)
            ]
        is_due = any(
            each.is_news or each.known is None or each.known.read_at < old for each in self.told
        )
        return list(self.told) if is_due else []


def told_target(target_id: int, told: Sequence[Told], limits: Iterable[Limit]) -> ToldTarget:
    """All of one target; limits: those of its endpoint. What was left out need not be told."""
    heard = {each.limit.pk for each in told}
    is_all = all(each.pk in heard for each in limits if each.left_out_at is None)
    return ToldTarget(target_id, tuple(told), is_all and all(each.is_whole for each in told))
