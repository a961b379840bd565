"""Making the cloud's half of a file so: regions to offerings, capacities, presets.

Only what the file's regions hold is compared with what is there: a site may have several
files. Rows are never deleted except contributions and preset lines, which hold no figures.
"""

from datetime import datetime

from django.db.models import Sum

from portal.lib.amounts import format_amount
from quotas.models import (
    Account,
    Capacity,
    Contribution,
    Endpoint,
    HolderHandle,
    Limit,
    Offering,
    Preset,
    PresetLine,
    Region,
    RequestLine,
    Resource,
    Zone,
)
from quotas.states import PENDING

from . import site as said
from .changes import CHANGED, RETIRED, Writer, listed
from .drivers import check_drivers, maximum_of

# Fields of an endpoint that change nothing of what must become true there.
_SAYS_NOTHING_NEW = {"name", "concurrency", "calls_per_second", "drift_policy"}


class CloudLoader:
    """One load. With `new_endpoints` every project needs targets there afterwards.

    `touched` are ids of endpoints where something else must become true now; `new_limits` are
    ids of those that were not managed before.
    """

    def __init__(self, site: said.Site, writer: Writer, now: datetime) -> None:
        self.site = site
        self.writer = writer
        self.changes = writer.changes
        self.problems = writer.problems
        self.now = now
        self.new_endpoints: set[str] = set()
        self.new_offerings: set[str] = set()
        self.new_limits: set[int] = set()
        self.touched: set[int] = set()

    def load(self) -> None:
        check_drivers(self.site, self.problems)
        self._resources()
        self._regions_and_zones()
        self._endpoints()
        self._limits()
        self._offerings()
        self._retire()
        self._contributions()
        self._capacities()
        self._presets()
        self._note_what_is_left()

    def _resources(self) -> None:
        held = {each.slug: each for each in Resource.objects.all()}
        for each in self.site.resources.values():
            row = held.get(each.slug)
            if row is not None and row.unit != each.unit and self._is_counted(row):
                self.problems.add(
                    each.line, f"{each.slug} is counted already; its unit cannot change."
                )
                continue
            if row is not None and row.step % each.step and self._is_counted(row):
                # What is held would no longer be a multiple, and could not be written exactly.
                old = format_amount(row.step, row.unit)
                self.problems.add(
                    each.line,
                    f"{each.slug} is counted in steps of {old} already; a new step must divide it.",
                )
                continue
            if row is not None and row.is_access != each.is_access and self._is_counted(row):
                self.problems.add(
                    each.line, f"{each.slug} is counted already; it cannot change to another kind."
                )
                continue
            fields = {
                "name": each.name, "unit": each.unit, "step": each.step, "order": each.order,
                "is_access": each.is_access,
            }  # fmt: skip
            held[each.slug], __ = self.writer.put(
                "resource", each.slug, row, Resource, {"slug": each.slug}, fields
            )
        self.resources = held

    def _is_counted(self, resource: Resource) -> bool:
        return Account.objects.filter(offering__resource=resource).exists()

    def _regions_and_zones(self) -> None:
        regions = {each.slug: each for each in Region.objects.all()}
        for each in self.site.regions.values():
            regions[each.slug], __ = self.writer.put(
                "region", each.slug, regions.get(each.slug), Region, {"slug": each.slug},
                {"name": each.name, "order": each.order},
            )  # fmt: skip
        self.regions = regions
        zones = {
            f"{each.region.slug}.{each.slug}": each
            for each in Zone.objects.select_related("region")
        }
        for zone in self.site.zones.values():
            zones[zone.key], __ = self.writer.put(
                "zone", zone.key, zones.get(zone.key), Zone,
                {"region": regions[zone.region], "slug": zone.slug},
                {"name": zone.name, "kind": zone.kind, "order": zone.order},
            )  # fmt: skip
        self.zones = zones

    def _endpoints(self) -> None:
        held = {each.slug: each for each in Endpoint.objects.select_related("region", "identity")}
        # Identity endpoints first: the others point at them.
        for each in sorted(self.site.endpoints.values(), key=lambda each: bool(each.identity)):
            fields = {
                "name": each.name,
                "region": self.regions[each.region] if each.region else None,
                "driver": each.driver,
                "cloud": each.cloud,
                "region_name": each.region_name,
                "identity": held[each.identity] if each.identity else None,
                "options": each.options,
                "concurrency": each.manners.concurrency,
                "calls_per_second": each.manners.calls_per_second,
                "drift_policy": each.manners.drift,
            }
            before = held.get(each.slug)
            held[each.slug], differ = self.writer.put(
                "endpoint", each.slug, before, Endpoint, {"slug": each.slug}, fields,
                how=self._limits_in_words(each.slug),
            )  # fmt: skip
            if before is None:
                self.new_endpoints.add(each.slug)
            elif differ - _SAYS_NOTHING_NEW:
                self.touched.add(before.pk)
            if before is not None and "options" in differ:
                # Another rule may find who was not found.
                HolderHandle.objects.filter(identity=before, next_at__isnull=False).update(
                    next_at=self.now
                )
        self.endpoints = held

    def _limits(self) -> None:
        held = {
            (each.endpoint.slug, each.key): each
            for each in Limit.objects.select_related("endpoint")
        }
        for key, each in self.site.limits.items():
            before = held.get(key)
            driver = self.endpoints[each.endpoint].driver
            held[key], differ = self.writer.put(
                "limit", f"{each.endpoint} {each.key}", before, Limit,
                {"endpoint": self.endpoints[each.endpoint], "key": each.key},
                {
                    "name": each.name, "unit": each.unit, "step": each.step, "order": each.order,
                    "maximum": maximum_of(driver, each.key, each.step),
                },
                how=None if each.endpoint in self.new_endpoints else "",
            )  # fmt: skip
            if before is None:
                self.new_limits.add(held[key].pk)
            if differ & {"unit", "step"}:
                self.touched.add(held[key].endpoint_id)
        self.limits = held

    def _limits_in_words(self, endpoint: str) -> str:
        keys = [limit.key for limit in self.site.limits.values() if limit.endpoint == endpoint]
        return "with limits " + ", ".join(keys) if keys else ""

    def _offerings(self) -> None:
        held = {each.slug: each for each in Offering.objects.all()}
        for each in self.site.offerings.values():
            row = held.get(each.slug)
            if row is not None and row.retired_at is not None:
                row.retired_at = None
                row.save(update_fields=["retired_at"])
                self.changes.add(CHANGED, "offering", each.slug, "is offered again")
            if row is None:
                zone = self.zones[f"{each.region}.{each.zone}"]
                row, __ = self.writer.put(
                    "offering", each.slug, None, Offering, {"slug": each.slug},
                    {"zone": zone, "resource": self.resources[each.resource]},
                    how="against " + ", ".join(f"{f.endpoint} {f.key}" for f in each.feeds),
                )  # fmt: skip
                self.new_offerings.add(each.slug)
            held[each.slug] = row
        self.offerings = held

    def _retire(self) -> None:
        """What the file's regions offered and no longer do; refused while somebody has it."""
        gone = Offering.objects.filter(
            zone__region__slug__in=self.site.regions, retired_at__isnull=True
        ).exclude(slug__in=self.site.offerings)
        for offering in gone.select_related("zone__region", "resource"):
            line = self.site.regions[offering.zone.region.slug].line
            zone = self.site.zones.get(f"{offering.zone.region.slug}.{offering.zone.slug}")
            hindrance = self._hindrance(offering)
            if hindrance:
                self.problems.add(
                    zone.line if zone else line,
                    f"{offering.slug} is no longer in the file, but {hindrance}.",
                )
                continue
            offering.retired_at = self.now
            offering.save(update_fields=["retired_at"])
            self.changes.add(RETIRED, "offering", offering.slug, "no longer offered")

    def _hindrance(self, offering: Offering) -> str:
        """Why an offering cannot be retired; empty if it can."""
        held = Account.objects.filter(offering=offering, project__isnull=False, balance__gt=0)
        names = list(held.values_list("project__name", flat=True))
        if names:
            total = held.aggregate(total=Sum("balance"))["total"]
            amount = format_amount(total, offering.resource.unit)
            return f"{listed(names)} hold {amount} of it; they must give it back first"
        pending = RequestLine.objects.filter(offering=offering, state__in=PENDING)
        numbers = [f"#{number}" for number in pending.values_list("request", flat=True)]
        return f"{listed(numbers)} ask for it; decide them first" if numbers else ""

    def _contributions(self) -> None:
        held: dict[str, dict[tuple[str, str], Contribution]] = {}
        for row in Contribution.objects.select_related("offering", "limit__endpoint"):
            key = (row.limit.endpoint.slug, row.limit.key)
            held.setdefault(row.offering.slug, {})[key] = row
        for offering in self.site.offerings.values():
            before = held.get(offering.slug, {})
            wanted = {(feed.endpoint, feed.key): feed for feed in offering.feeds}
            for key, feed in wanted.items():
                limit = self.limits[key]
                __, differ = self.writer.put(
                    "contribution", f"{offering.slug} → {feed.endpoint} {feed.key}",
                    before.get(key), Contribution,
                    {"offering": self.offerings[offering.slug], "limit": limit},
                    {"factor": feed.factor},
                    how=None if offering.slug in self.new_offerings else "",
                )  # fmt: skip
                if differ:
                    self.touched.add(limit.endpoint_id)
            for key in before.keys() - wanted.keys():
                row = before[key]
                self.touched.add(row.limit.endpoint_id)
                self.changes.add(RETIRED, "contribution", f"{offering.slug} → {' '.join(key)}")
                row.delete()

    def _capacities(self) -> None:
        held = {
            (each.offering_id, each.as_of): each
            for each in Capacity.objects.filter(offering__slug__in=self.site.offerings)
        }
        for each in self.site.capacities:
            offering = self.offerings[each.offering]
            self.writer.put(
                "capacity", f"{each.offering} on {each.as_of.isoformat()}",
                held.get((offering.pk, each.as_of)), Capacity,
                {"offering": offering, "as_of": each.as_of},
                {"amount": each.amount, "overcommit": each.overcommit},
            )  # fmt: skip

    def _presets(self) -> None:
        held = {each.slug: each for each in Preset.objects.select_related("region")}
        for each in self.site.presets.values():
            row, differ = self.writer.put(
                "preset", each.slug, held.get(each.slug), Preset, {"slug": each.slug},
                {"name": each.name, "region": self.regions[each.region], "order": each.order},
            )  # fmt: skip
            before = dict(row.lines.values_list("offering__slug", "increase"))
            if before == each.increases:
                continue
            row.lines.all().delete()
            PresetLine.objects.bulk_create(
                PresetLine(preset=row, offering=self.offerings[slug], increase=increase)
                for slug, increase in each.increases.items()
            )
            if each.slug in held and not differ:
                self.changes.add(CHANGED, "preset", each.slug, "other lines")

    def _note_what_is_left(self) -> None:
        """Rows of the file's regions that the file does not name and that stay as they are."""
        regions = list(self.site.regions)
        for slug in (
            Endpoint.objects.filter(region__slug__in=regions)
            .exclude(slug__in=self.site.endpoints)
            .values_list("slug", flat=True)
        ):
            self.changes.notes.append(
                f"endpoint {slug} is not in the file and stays; pause it if it is gone"
            )
        for slug in (
            Preset.objects.filter(region__slug__in=regions)
            .exclude(slug__in=self.site.presets)
            .values_list("slug", flat=True)
        ):
            self.changes.notes.append(f"preset {slug} is not in the file and stays")
        for limit in Limit.objects.filter(endpoint__slug__in=self.site.endpoints).select_related(
            "endpoint"
        ):
            if (limit.endpoint.slug, limit.key) not in self.site.limits:
                self.changes.notes.append(
                    f"limit {limit} is not in the file and stays; nothing feeds it, so it is "
                    "kept at 0"
                )
