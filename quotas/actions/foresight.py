"""What changing envelopes would do, judged as the verb judges it, without a lock."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import timezone

from portal.lib.errors import DomainError
from projects.models import Project
from quotas.queries.accounts import Fill, zone_fills
from quotas.queries.envelopes import Rest, Standing, drawing, rest_of
from quotas.queries.explain import Reason

from .explaining import funding_reasons
from .funding import Purse
from .judging import judge

NAMED = 5


@dataclass(frozen=True)
class Effect:
    """What changing one envelope would do, or why it would be refused.

    drawing: the first of `drawing_count` projects that draw from it from now on, where it is
    declared by this; rest: where what cannot be taken back is; reasons: what bounds an increase.
    """

    standing: Standing
    change: int
    refusal: DomainError | None
    drawing: list[Project]
    drawing_count: int
    zone: Fill | None
    rest: Rest | None
    reasons: tuple[Reason, ...]

    @property
    def unit(self) -> str:
        return self.standing.offering.resource.unit

    @property
    def is_declared(self) -> bool:
        return self.standing.account is None

    @property
    def left(self) -> int:
        return self.standing.left if self.standing.left is not None else 0

    @property
    def left_after(self) -> int:
        return self.left + self.change

    @property
    def size_after(self) -> int:
        return self.standing.size + self.change

    @property
    def source_after(self) -> int:
        return self.standing.source_left - self.change

    @property
    def amount(self) -> int:
        return abs(self.change)

    @property
    def others(self) -> int:
        return self.drawing_count - len(self.drawing)


def effects_of(purse: Purse, changes: Mapping[str, int]) -> list[Effect]:
    """What these changes would do together, in the order given; what is no offering is not there.

    changes: {offering slug: base units} as `envelopes.change` takes them.
    """
    by_slug = {each.offering.slug: each for each in purse.standings.values()}
    touched = [(by_slug[slug], change) for slug, change in changes.items() if slug in by_slug]
    ids = [standing.offering.pk for standing, _change in touched]
    new = [standing.offering.pk for standing, _change in touched if standing.account is None]
    drawn = drawing(purse.unit, new) if new else {}
    zones = zone_fills(ids, timezone.localdate(purse.viewer.now)) if ids else {}
    refusals = _refusals(purse, touched)
    reasons = funding_reasons(purse, [standing for standing, change in touched if change > 0])
    return [
        Effect(
            standing=standing,
            change=change,
            refusal=refusal,
            drawing=drawn.get(standing.offering.pk, [])[:NAMED],
            drawing_count=len(drawn.get(standing.offering.pk, [])),
            zone=zones.get(standing.offering.pk),
            rest=rest_of(purse.viewer, purse.unit, standing.offering)
            if refusal is not None and "held" in refusal.facts
            else None,
            reasons=reasons.get(standing.offering.pk, ()),
        )
        for standing, change in touched
        for refusal in [refusals.get(standing.offering.pk)]
    ]


def _refusals(purse: Purse, touched: list[tuple[Standing, int]]) -> dict[int, DomainError]:
    """{offering id: why it is refused}; in the verb's own order, as several share a total."""
    found: dict[int, DomainError] = {}
    for standing, change in sorted(touched, key=lambda each: each[0].offering.pk):
        offering = standing.offering
        try:
            purse = purse.plus(judge(purse, offering, change), offering, change)
        except DomainError as error:
            found[offering.pk] = error
    return found
