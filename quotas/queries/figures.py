"""What a project has, uses and asks for, limit by limit and region by region.

Promises come from the ledger, use from the last readings. One query for any number of projects.
Amounts are in base units.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.utils import timezone

from portal.lib.compiled import Answers, compiled
from portal.lib.together import Part
from projects.models import Project
from quotas.models import Endpoint, Limit, Loan, Offering, Reading, Region, Target, Zone

from . import shapes
from .catalogue_kept import Catalogue, catalogue_of, steady
from .figure_reading import Lent, Seen, Told, figure_parts
from .service_rows import ServiceRow, services_of
from .shapes import Shape


@dataclass(frozen=True)
class PartRow:
    """One zone's share of a limit. No `seen`: the service cannot tell its use apart."""

    offering: Offering
    name: str
    factor: int
    quota: int
    asked: int
    loan_until: date | None
    seen: Seen | None

    @property
    def unit(self) -> str:
        return self.offering.resource.quota_unit

    @property
    def free(self) -> int | None:
        return None if self.seen is None else self.quota - self.seen.used - self.seen.reserved

    @property
    def is_empty(self) -> bool:
        return not (self.quota or self.asked or (self.seen and self.seen.used))


@dataclass(frozen=True)
class LimitRow:
    """One limit of a project: promised in all, used, asked for, and its parts.

    `limit_seen` is known also where no use is: not every service tells it.
    """

    shape: Shape
    quota: int
    asked: int
    seen: Seen | None
    limit_seen: int | None
    parts: tuple[PartRow, ...]

    @property
    def limit(self) -> Limit:
        return self.shape.limit

    @property
    def name(self) -> str:
        return self.shape.name

    @property
    def unit(self) -> str:
        return self.shape.limit.quota_unit

    @property
    def is_access(self) -> bool:
        """Granted or not: of it there is no use to draw."""
        return self.shape.limit.is_access

    @property
    def used(self) -> int:
        return self.seen.used if self.seen else 0

    @property
    def reserved(self) -> int:
        return self.seen.reserved if self.seen else 0

    @property
    def free(self) -> int:
        return self.quota - self.used - self.reserved

    @property
    def shown_parts(self) -> list[PartRow]:
        """The parts with anything in them; none where one alone makes up the row."""
        held = [part for part in self.parts if not part.is_empty]
        return held if len(held) > 1 else []

    @property
    def only_part(self) -> PartRow | None:
        """The part that this row is, where the row is not split."""
        held = [part for part in self.parts if not part.is_empty] or list(self.parts)
        return held[0] if len(held) == 1 else None

    @property
    def is_undivided(self) -> bool:
        """Whether the service counts the parts together only."""
        return self.shape.is_shared and not self.shape.has_own_limits

    @property
    def in_force(self) -> int | None:
        """What the service enforces, where that is known and is not the quota (yet)."""
        return None if self.limit_seen == self.quota else self.limit_seen

    @property
    def is_use_untold(self) -> bool:
        """Whether the service was read, and says nothing of use."""
        return self.seen is None and self.limit_seen is not None

    @property
    def is_unlimited(self) -> bool:
        return self.in_force == Reading.UNLIMITED

    @property
    def is_empty(self) -> bool:
        return not (self.quota or self.asked or self.used or self.reserved)

    @property
    def scale(self) -> int:
        """The amount that fills the width of the bar, for the parts below it."""
        return max(self.quota, self.used + self.reserved, self.quota + self.asked, 1)

    @property
    def strip(self) -> list[tuple[str, int]]:
        """The parts' names and quotas, for the strip below the bar of a shared limit."""
        return [(part.name, part.quota) for part in self.shown_parts]

    @property
    def share(self) -> float:
        """How much of the quota is taken; for sorting the fullest first."""
        return (self.used + self.reserved) / self.quota if self.quota else 0.0


@dataclass(frozen=True)
class RegionFigures:
    """A region's limits and services for one project."""

    region: Region
    rows: tuple[LimitRow, ...]
    services: tuple[ServiceRow, ...]

    @property
    def is_empty(self) -> bool:
        return all(row.is_empty for row in self.rows)

    @property
    def oldest_read(self) -> ServiceRow | None:
        """The service that was read the longest ago, of those that were read."""
        read = [(each.read_at, number) for number, each in enumerate(self.services) if each.read_at]
        return self.services[min(read)[1]] if read else None

    @property
    def unread(self) -> list[ServiceRow]:
        return [each for each in self.services if each.read_at is None]

    @property
    def shared_names(self) -> list[str]:
        """What one service counts for the whole region, use of zones not told apart."""
        return [row.name for row in self.rows if row.is_undivided and row.shown_parts]

    @property
    def total_names(self) -> list[str]:
        """What is counted by zone and once more all together."""
        return [row.name for row in self.rows if row.shown_parts and not row.is_undivided]

    @property
    def unused_zones(self) -> list[Zone]:
        """The zones of which the project has nothing."""
        parts = [part for row in self.rows for part in row.parts]
        used = {part.offering.zone for part in parts if not part.is_empty}
        return [
            zone for zone in dict.fromkeys(part.offering.zone for part in parts) if zone not in used
        ]


class Figures:
    """The figures of some projects, read at once."""

    def __init__(self, projects: Collection[Project], read: Answers | None = None) -> None:
        """read: the answer to `figure_parts`, where it came with others; else it is one query.

        Raises catalogue_kept.Changed of what came with others: these are read anew with it.
        """
        if read is None:
            answers, self.catalogue = _with_catalogue([each.pk for each in projects])
        else:
            answers, self.catalogue = read, catalogue_of(read[0])
        _mark, accounts, asked, lent, readings, targets, endpoints = answers
        self.endpoints = _linked(endpoints)
        self.limits = self.catalogue.limits(self.endpoints)
        self._shapes: dict[Region, list[Shape]] = defaultdict(list)
        for shape in self.catalogue.shapes_with(self.limits):
            self._shapes[shape.parts[0].offering.zone.region].append(shape)
        self._quota = {(project, offering): balance for project, offering, balance in accounts}
        self._asked = {
            (project, offering): wanted - self._quota.get((project, offering), 0)
            for project, offering, wanted in asked
        }
        self.lent = [Lent.of(*row) for row in lent]
        self._loans: dict[tuple[int, int], date] = {}
        for each in self.lent:
            self._loans.setdefault((each.project_id, each.offering_id), last_day(each.ends_at))
        found = [Told.of(*row) for row in readings]
        self._readings = {(each.project_id, each.limit_id): each for each in found}
        self.targets: list[Target] = targets
        for target in targets:
            target.endpoint = self.endpoints[target.endpoint_id]
        self._services = services_of(targets, found)

    def regions(self, project: Project) -> list[RegionFigures]:
        """Every region of the catalogue, in its order; some may be empty."""
        found = [
            RegionFigures(
                region,
                tuple(self._row(project, shape) for shape in shapes if _is_current(shape)),
                tuple(self._services.get((project.pk, region.pk), ())),
            )
            for region, shapes in self._shapes.items()
        ]
        return sorted(found, key=lambda each: (each.region.order, each.region.slug))

    def fullest(self, project: Project, count: int) -> list[tuple[Region, LimitRow]]:
        """The limits with quota that are taken the most."""
        rows = [
            (region, self._row(project, shape))
            for region, shapes in self._shapes.items()
            for shape in shapes
        ]
        held = [(region, row) for region, row in rows if row.quota or row.asked]
        return sorted(held, key=lambda pair: -pair[1].share)[:count]

    def seen(self, project: Project, limit: Limit) -> Seen | None:
        """What the service last said of a limit."""
        reading = self._readings.get((project.pk, limit.pk))
        return None if reading is None else reading.seen

    def _limit_seen(self, project: Project, limit: Limit) -> int | None:
        reading = self._readings.get((project.pk, limit.pk))
        return None if reading is None else reading.limit_seen

    def _row(self, project: Project, shape: Shape) -> LimitRow:
        parts = tuple(self._part(project, part) for part in shape.parts)
        return LimitRow(
            shape=shape,
            quota=sum(part.quota for part in parts),
            asked=sum(part.asked for part in parts),
            seen=self.seen(project, shape.limit),
            limit_seen=self._limit_seen(project, shape.limit),
            parts=parts,
        )

    def _part(self, project: Project, part: shapes.Part) -> PartRow:
        key = (project.pk, part.offering.pk)
        return PartRow(
            offering=part.offering,
            name=part.offering.zone.name,
            factor=part.factor,
            quota=self._quota.get(key, 0) * part.factor,
            asked=self._asked.get(key, 0) * part.factor,
            loan_until=self._loans.get(key),
            seen=self.seen(project, part.own_limit) if part.own_limit else None,
        )


@steady
def _with_catalogue(projects: list[int]) -> tuple[Answers, Catalogue]:
    answers = _read(projects=projects)
    return answers, catalogue_of(answers[0])


@compiled
def _read(*, projects: Any) -> list[Part]:
    return figure_parts(projects)


def _linked(endpoints: Iterable[Endpoint]) -> dict[int, Endpoint]:
    """{id: endpoint}, each with the one that it is known at."""
    found = {each.pk: each for each in endpoints}
    for each in found.values():
        if each.identity_id is not None:
            each.identity = found[each.identity_id]
    return found


def figures_of(project: Project) -> list[RegionFigures]:
    """The figures of one project."""
    return Figures([project]).regions(project)


def open_loans(projects: Collection[Project]) -> list[Loan]:
    """What these projects hold on loan, the first end first."""
    return list(
        Loan.objects.filter(account__project__in=projects, outstanding__gt=0)
        .select_related(
            "account__project",
            "account__offering__resource",
            "account__offering__zone__region",
            "source__unit",
        )
        .order_by("ends_at", "pk")
    )


def last_day(ends_at: datetime) -> date:
    """The last day of a period that ends just before a moment, in the site's zone."""
    local = timezone.localtime(ends_at, timezone.get_default_timezone())
    return date.fromordinal(local.date().toordinal() - 1)


def _is_current(shape: Shape) -> bool:
    return any(part.offering.retired_at is None for part in shape.parts)
