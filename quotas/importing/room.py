"""Whether envelopes and the pool have what the projects below them have already.

A rehearsal of what taking projects over would draw, in their order: it books nothing. What is
lacking is added up for each envelope, and how the answers would have it found.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from projects.models import Unit, ancestor_paths
from quotas.models import Account, Holder, Offering

from .answers import Answers
from .shape import Shape

POOL = "pool"


@dataclass
class Shortfall:
    """What one envelope, or the pool (unit None), lacks of an offering; in base units.

    how: issue | fund, as the answers say; "" where nobody said, keep where it shall stay. found:
    what that way brings; lacking: what nobody finds, for these projects.
    """

    unit: Unit | None
    offering: Offering
    how: str
    found: int = 0
    lacking: int = 0
    projects: list[str] = field(default_factory=list)

    @property
    def holder(self) -> str:
        return self.unit.slug if self.unit else POOL


@dataclass
class Room:
    """What is left in envelopes and pools, as the rehearsal draws from it."""

    shape: Shape
    answers: Answers
    shortfalls: dict[tuple[int | None, int], Shortfall] = field(default_factory=dict)

    @cached_property
    def _units(self) -> Mapping[str, Unit]:
        return {each.path: each for each in Unit.objects.all()}

    @cached_property
    def left(self) -> dict[tuple[int | None, int], int]:
        """{(unit's id or None for the pool, offering's id): balance} of what is declared."""
        rows = Account.objects.filter(
            offering__in=self.shape.offerings, holder__in=[Holder.UNIT, Holder.POOL]
        )
        return {
            (unit, offering): balance
            for unit, offering, balance in rows.values_list("unit", "offering", "balance")
        }

    def chain(self, unit: Unit, offering_id: int) -> list[Unit | None]:
        """Who pays for a project of the unit, the nearest first; the pool is last."""
        above = [self._units[path] for path in reversed(ancestor_paths(unit.path))]
        declared: list[Unit | None] = [
            each for each in above if (each.pk, offering_id) in self.left
        ]
        return [*declared, None]

    def draw(self, unit: Unit, quota: Mapping[int, int], project: str) -> set[int]:
        """Draw a project's quota; the ids of the offerings of which there is too little."""
        lacking = set()
        for offering_id, amount in sorted(quota.items()):
            if amount and not self._draw(
                self.chain(unit, offering_id), offering_id, amount, project
            ):
                lacking.add(offering_id)
        return lacking

    def _draw(self, chain: list[Unit | None], offering_id: int, amount: int, project: str) -> bool:
        source = chain[0]
        key = (source.pk if source else None, offering_id)
        left = self.left.get(key, 0)
        if left >= amount:
            self.left[key] = left - amount
            return True
        row = self._shortfall(source, offering_id)
        missing = amount - left
        is_found = (row.how == "issue") or (
            row.how == "fund"
            and len(chain) > 1
            and self._draw(chain[1:], offering_id, missing, project)
        )
        if is_found:
            self.left[key] = 0
            row.found += missing
        else:
            row.lacking += missing
            row.projects.append(project)
        return is_found

    def _shortfall(self, source: Unit | None, offering_id: int) -> Shortfall:
        key = (source.pk if source else None, offering_id)
        if key not in self.shortfalls:
            how = self.answers.room_of(source.slug if source else POOL)
            offering = self.shape.offerings[offering_id]
            self.shortfalls[key] = Shortfall(source, offering, how)
        return self.shortfalls[key]

    def to_find(self) -> list[Shortfall]:
        """What is to be issued or funded before projects are taken over, the pool first."""
        found = [each for each in self.shortfalls.values() if each.found]
        return sorted(
            found, key=lambda each: (len(each.unit.path) if each.unit else 0, each.holder)
        )
