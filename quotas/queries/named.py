"""Which offering does somebody mean who writes `vcpu`, `cores` or `geneva.compute-a.ram`?"""

from collections.abc import Iterator
from dataclasses import dataclass

from quotas.models import Contribution, Offering, Zone


@dataclass(frozen=True)
class Named:
    """An offering. `own_unit`: what a plain number counts where it was named by the key of a
    service's limit, in base units; 0 where it was named by its resource, or keys are no help.
    """

    offering: Offering
    own_unit: int = 0


class Names:
    """All that can be asked for, by the names that people and services have for it.

    A name is a resource's slug or, where there is none, the key of a limit that the offering
    feeds; with `region.zone.` in front it needs no zone beside it. Two queries.
    """

    def __init__(self) -> None:
        offered = Offering.objects.filter(retired_at__isnull=True)
        self._offerings = list(offered.select_related("resource", "zone__region"))
        self._keys: dict[int, dict[str, int]] = {}
        fed = Contribution.objects.filter(offering__retired_at__isnull=True)
        for offering, key, step, factor in fed.values_list(
            "offering_id", "limit__key", "limit__step", "factor"
        ):
            own = step if factor == 1 else 0
            self._keys.setdefault(offering, {})[key.lower()] = own

    def zones(self, text: str, region: str = "") -> list[Zone]:
        """The zones that `compute-a` or `geneva.compute-a` may mean, within a region if given."""
        place, __, slug = text.rpartition(".")
        return [
            zone
            for zone in dict.fromkeys(each.zone for each in self._offerings)
            if zone.slug == slug and (place or region) in ("", zone.region.slug)
        ]

    def find(self, name: str, zone: Zone | None = None, region: str = "") -> list[Named]:
        """What a name may mean, in a zone or a region if given: nothing, one, or several."""
        place, __, last = self._split(name)
        if place:
            return [each for within in self.zones(place) for each in self._in(last, within)]
        if zone is not None:
            return list(self._in(last, zone))
        zones = dict.fromkeys(each.zone for each in self._offerings)
        return [
            each
            for within in zones
            if region in ("", within.region.slug)
            for each in self._in(last, within)
        ]

    def _split(self, name: str) -> tuple[str, str, str]:
        """("geneva.compute-a", ".", "vcpu"), or ("", "", "vcpu"); a key may hold dots."""
        parts = name.lower().split(".", 2)
        return (".".join(parts[:2]), ".", parts[2]) if len(parts) == 3 else ("", "", name.lower())

    def _in(self, name: str, zone: Zone) -> Iterator[Named]:
        here = [each for each in self._offerings if each.zone == zone]
        by_slug = [Named(each) for each in here if each.resource.slug == name]
        yield from by_slug or [
            Named(each, self._keys[each.pk][name])
            for each in here
            if name in self._keys.get(each.pk, {})
        ]
