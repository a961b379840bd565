"""What can be asked for, region by region, and how much room each zone has."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date

from portal.lib.bar_words import fill_figures
from quotas.models import Offering, Preset, PresetLine, Region, Zone
from quotas.queries.accounts import Fill, room_word, zone_fills


@dataclass(frozen=True)
class OfferingRow:
    """An offering with the fill of its zone; None: no capacity was ever given."""

    offering: Offering
    fill: Fill | None

    @property
    def room(self) -> str:
        """Return "ample", "tight", "none" or "unknown"."""
        return room_word(self.fill)

    @property
    def figures(self) -> str:
        """Return "716 of 3200", "" where the capacity is unknown."""
        if self.fill is None:
            return ""
        unit = self.offering.resource.unit
        return fill_figures(self.fill.promised, 0, self.fill.size, unit=unit)


@dataclass(frozen=True)
class ZoneRows:
    zone: Zone
    rows: tuple[OfferingRow, ...]

    @property
    def zone_id(self) -> str:
        """Return "geneva.compute-a"."""
        return f"{self.zone.region.slug}.{self.zone.slug}"


@dataclass(frozen=True)
class RegionRows:
    """A region with its zones, and its presets with their lines."""

    region: Region
    zones: tuple[ZoneRows, ...]
    presets: tuple[tuple[Preset, tuple[PresetLine, ...]], ...]


def catalogue(today: date) -> list[RegionRows]:
    """All regions with what is offered there now; five queries."""
    offerings = list(
        Offering.objects.filter(retired_at__isnull=True).select_related("zone__region", "resource")
    )
    fills = zone_fills([each.pk for each in offerings], today)
    zones: dict[int, list[OfferingRow]] = defaultdict(list)
    for offering in offerings:
        zones[offering.zone_id].append(OfferingRow(offering, fills[offering.pk]))
    by_region: dict[int, list[ZoneRows]] = defaultdict(list)
    for rows in zones.values():
        zone = rows[0].offering.zone
        by_region[zone.region_id].append(ZoneRows(zone, tuple(rows)))
    presets = _presets()
    return [
        RegionRows(region, tuple(by_region[region.pk]), tuple(presets[region.pk]))
        for region in Region.objects.all()
    ]


def rows_of_zone(zone: Zone, today: date) -> list[OfferingRow]:
    """What is offered in one zone now; three queries."""
    offerings = list(
        Offering.objects.filter(zone=zone, retired_at__isnull=True).select_related(
            "zone__region", "resource"
        )
    )
    fills = zone_fills([each.pk for each in offerings], today)
    return [OfferingRow(each, fills[each.pk]) for each in offerings]


def _presets() -> dict[int, list[tuple[Preset, tuple[PresetLine, ...]]]]:
    lines: dict[int, list[PresetLine]] = defaultdict(list)
    presets: dict[int, Preset] = {}
    for line in PresetLine.objects.select_related(
        "preset", "offering__zone", "offering__resource"
    ).order_by("preset__order", "preset__slug", "pk"):
        presets[line.preset_id] = line.preset
        lines[line.preset_id].append(line)
    found: dict[int, list[tuple[Preset, tuple[PresetLine, ...]]]] = defaultdict(list)
    for preset in presets.values():
        found[preset.region_id].append((preset, tuple(lines[preset.pk])))
    return found
