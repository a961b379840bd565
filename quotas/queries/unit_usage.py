"""Use of many projects over time: of a unit with all below it, and of a zone.

From what was added up day by day (quotas.actions.usage_days), so that a page of the whole site
reads no more rows than that of one unit. Amounts are in base units.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Exists, OuterRef, QuerySet

from projects.models import Unit
from quotas.models import Capacity, Limit, Offering, UnitUsage, Zone

from .shapes import Shape, contributions, shapes_of
from .usage import Chart, Day


@dataclass(frozen=True)
class Drawable:
    """A limit that can be drawn, as people call it, and what feeds it: (offering, factor)."""

    limit: Limit
    name: str
    place: str
    parts: tuple[tuple[Offering, int], ...]

    @property
    def zones(self) -> list[Zone]:
        """Whose offerings feed it: use of several zones is not told apart by the service."""
        return list(dict.fromkeys(offering.zone for offering, _factor in self.parts))


def drawables() -> list[Drawable]:
    """Every limit that counts something, in the order of the catalogue; one query."""
    found = []
    for shape in shapes_of(contributions()):
        if any(part.offering.resource.is_access for part in shape.parts):
            continue
        found.append(_drawable(shape))
        found += _parts_alone(shape)
    return sorted(found, key=lambda each: each.parts[0][0].zone.region.order)


def _drawable(shape: Shape) -> Drawable:
    parts = tuple((part.offering, part.factor) for part in shape.parts)
    return Drawable(shape.limit, shape.name, parts[0][0].zone.region.name, parts)


def _parts_alone(shape: Shape) -> list[Drawable]:
    """What the service counts of one zone alone, beside the total."""
    return [
        Drawable(
            part.own_limit,
            f"{part.offering.resource.name} {part.offering.zone.name}",
            part.offering.zone.region.name,
            ((part.offering, part.factor),),
        )
        for part in shape.parts
        if part.own_limit is not None
    ]


def drawables_of(zone: Zone) -> list[Drawable]:
    """What is drawn of a zone: what is counted of it alone, else what it shares with others."""
    about = [each for each in drawables() if zone in each.zones]
    alone = {each.parts[0][0].pk for each in about if len(each.parts) == 1}
    return [
        each
        for each in about
        if len(each.parts) == 1
        or any(o.zone_id == zone.pk and o.pk not in alone for o, _factor in each.parts)
    ]


@dataclass(frozen=True)
class Drawing:
    """A chart, None where nothing has two days yet; what else could be drawn; what is drawn."""

    chart: Chart | None
    choices: Sequence[Drawable]
    drawn: Drawable | None


def drawing_of(
    unit: Unit | None, things: Sequence[Drawable], *, limit: str, day_count: int, today: date
) -> Drawing:
    """The limit with this id as text, or the first with two days, in a unit (None: the site).

    Of the site with the capacity behind it, of which no unit has a part. Three queries.
    """
    since = today - timedelta(days=day_count - 1)
    rows = UnitUsage.objects.filter(unit=unit, day__gte=since)
    there = Limit.objects.filter(
        # A second day: of one alone no line is drawn.
        Exists(rows.filter(limit=OuterRef("pk")).order_by("day")[1:2]),
        pk__in=[each.limit.pk for each in things],
    )
    known = set(there.values_list("pk", flat=True))
    choices = [each for each in things if each.limit.pk in known]
    if not choices:
        return Drawing(None, (), None)
    drawn = next((each for each in choices if str(each.limit.pk) == limit), choices[0])
    days = days_of(drawn, rows.filter(limit=drawn.limit).order_by("day"), has_capacity=unit is None)
    chart = Chart(drawn.limit, drawn.name, drawn.place, day_count, tuple(days))
    return Drawing(chart, choices, drawn)


def days_of(drawn: Drawable, rows: Iterable[UnitUsage], *, has_capacity: bool) -> list[Day]:
    """The days of one limit, with the capacity behind it where that is asked for."""
    capacity = capacities_of([drawn] if has_capacity else [])
    return [
        Day(
            day=each.day,
            used=each.used if each.known_count or not each.project_count else None,
            quota=each.quota,
            capacity=capacity(drawn.limit.pk, each.day),
            known=each.known_count,
            seen=each.seen_count,
            projects=each.project_count,
        )
        for each in rows
    ]


def capacities_of(things: Collection[Drawable]) -> Callable[[int, date], int | None]:
    """(limit id, day) → how much of a limit could be promised then; one query.

    None where that was not known of every offering that feeds it.
    """
    offering_ids = {offering.pk for each in things for offering, _factor in each.parts}
    known: dict[int, list[Capacity]] = defaultdict(list)
    for row in Capacity.objects.filter(offering__in=offering_ids).order_by("as_of", "pk"):
        known[row.offering_id].append(row)
    parts = {each.limit.pk: each.parts for each in things}

    def at(limit_id: int, day: date) -> int | None:
        total = 0
        for offering, factor in parts.get(limit_id, ()):
            before = [row for row in known[offering.pk] if row.as_of <= day]
            if not before:
                return None
            total += before[-1].promisable * factor
        return total if limit_id in parts else None

    return at


def usage_rows(unit: Unit | None, limits: Collection[Limit] | None = None) -> QuerySet[UnitUsage]:
    """What was added up of a unit (None: the site), of these limits or all."""
    rows = UnitUsage.objects.filter(unit=unit).select_related("limit__endpoint")
    return rows if limits is None else rows.filter(limit__in=limits)
