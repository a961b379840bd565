"""Reading the cloud's half of a file: resources, services, regions and their offerings.

Repetition lives in two tables: `services` says once what an endpoint of each region is, and
`offers` says once what a zone of each kind has and where that is enforced.
"""

from typing import Any

from quotas.models import ZoneKind

from . import site, words
from .cloud_templates import FeedTemplate, LimitTemplate, Service, placeholders_of_zones
from .document import Block, Text, Value, nearest
from .problems import Problems
from .reading_identity import IDENTITY_OPTIONS, read_identity_options
from .reading_manners import MANNERS, read_manners
from .reading_offers import OffersReader
from .reading_units import read_counting

PLACEHOLDERS = ("region", "zone", "type")
ENDPOINT_KEYS = ("slug", "name", "cloud", "region_name", "identity", "options", *MANNERS)
IDENTITY_KEYS = (
    "name", "driver", "cloud", "region_name", "region", "options", *IDENTITY_OPTIONS, *MANNERS
)  # fmt: skip


class CloudReader:
    """Reads into a Site, section by section, in the order of `read`."""

    def __init__(self, into: site.Site, problems: Problems) -> None:
        self.site = into
        self.problems = problems
        self.services: dict[str, Service] = {}
        self.offers = OffersReader(into, self.services, problems)

    def read(self, top: Block) -> None:
        for name, read in (
            ("resources", self._resource),
            ("identity", self._identity),
            ("services", self._service),
            ("offers", self.offers.read_set),
            ("regions", self._region),
        ):
            section = top.get(name)
            for key, value in section.block().entries() if section else ():
                read(key, value)
        self.offers.done()

    # --- What is counted, and by which services --------------------------------------

    def _resource(self, key: Text, value: Value) -> None:
        block = value.named_block()
        block.known(("name", "unit", "step"))
        slug = words.slug(key, 40, self.problems)
        counted = read_counting(block, self.problems)
        if slug is None or counted is None:
            return
        self.site.resources[slug] = site.Resource(
            slug,
            block.text("name", slug, most=100),
            counted.unit,
            counted.step,
            counted.is_access,
            len(self.site.resources),
            key.line,
        )

    def _identity(self, key: Text, value: Value) -> None:
        block = value.block()
        block.known(IDENTITY_KEYS)
        slug = words.slug(key, 60, self.problems)
        for needed in ("driver", "cloud"):
            block.require(needed)
        if slug is not None:
            self.site.endpoints[slug] = site.Endpoint(
                slug,
                block.text("name", slug, most=100),
                block.text("region"),
                block.text("driver", most=40),
                block.text("cloud", most=100),
                block.text("region_name", most=100),
                "",
                self._options(block) | read_identity_options(block, self.problems),
                read_manners(block, None, self.problems),
                key.line,
            )

    def _service(self, key: Text, value: Value) -> None:
        block = value.block()
        block.known((*ENDPOINT_KEYS, "driver", "limits"))
        slug = words.slug(key, 30, self.problems)
        for needed in ("driver", "cloud", "identity", "limits"):
            block.require(needed)
        limits: dict[str, LimitTemplate] = {}
        for limit_key, limit in self._entries(block, "limits"):
            read = self._limit(limit_key, limit, len(limits))
            if read is not None:
                limits[limit_key.value] = read
        if slug is not None:
            self.services[slug] = Service(slug, block, limits)

    def _limit(self, key: Text, value: Value, order: int) -> LimitTemplate | None:
        block = value.named_block()
        block.known(("name", "unit", "step"))
        self._check_placeholders(key)
        counted = read_counting(block, self.problems)
        if counted is None:
            return None
        name = block.text("name", key.value, most=100)
        return LimitTemplate(key.value, name, counted.unit, counted.step, order, key.line)

    def _check_placeholders(self, text: Text) -> None:
        for word in sorted(words.placeholders(text.value) - set(PLACEHOLDERS)):
            self.problems.add(
                text.line, f"<{word}> stands for nothing{nearest(word, PLACEHOLDERS)}"
            )

    def _options(self, block: Block) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in self._entries(block, "options"):
            text = value.text()
            if text is not None:
                found[key.value] = text.value
        return found

    # --- Regions and their zones -------------------------------------------------------

    def _region(self, key: Text, value: Value) -> None:
        block = value.block()
        block.known(("name", "services", "zones"))
        slug = words.slug(key, 40, self.problems)
        if slug is None:
            return
        region = site.Region(
            slug, block.text("name", slug, most=100), len(self.site.regions), key.line
        )
        self.site.regions[slug] = region
        endpoints = self._endpoints(region, block)
        for kind, zones in self._entries(block, "zones"):
            if kind.value not in ZoneKind.values:
                self.problems.add(
                    kind.line,
                    f"{kind.value} is no kind of zone{nearest(kind.value, ZoneKind.values)}",
                )
            elif zones.is_text or zones.is_list:
                for item in zones.items():
                    name = item.text()
                    if name is not None:
                        self._zone(region, kind, name, None, endpoints)
            else:
                for name, zone in zones.block().entries():
                    self._zone(region, kind, name, zone, endpoints)

    def _endpoints(self, region: site.Region, block: Block) -> dict[str, str]:
        """{service: slug of its endpoint in this region}."""
        found: dict[str, str] = {}
        value = block.get("services")
        if value is None:
            return found
        named: list[tuple[Text, Block]] = []
        if value.is_text or value.is_list:
            nothing = Block({}, f"services of {region.slug}", value.line, self.problems)
            named = [(name, nothing) for item in value.items() if (name := item.text()) is not None]
        else:
            named = [(name, own.block()) for name, own in value.block().entries()]
        for name, own in named:
            service = self.services.get(name.value)
            if service is None:
                self.problems.add(
                    name.line, f"{name.value} is no service{nearest(name.value, self.services)}"
                )
                continue
            own.known(ENDPOINT_KEYS)
            endpoint = self._endpoint(region, service, own, name.line)
            if endpoint.slug in self.site.endpoints:
                first = self.site.endpoints[endpoint.slug].line
                self.problems.add(
                    name.line, f"{endpoint.slug} is an endpoint twice, first on line {first}."
                )
            else:
                self._add_endpoint(endpoint, service, region)
            found[name.value] = endpoint.slug
        return found

    def _endpoint(
        self, region: site.Region, service: Service, own: Block, line: int
    ) -> site.Endpoint:
        def of(key: str, default: str) -> str:
            return own.text(key) or service.block.text(key, default)

        return site.Endpoint(
            own.text("slug") or f"{service.slug}-{region.slug}",
            words.fill(of("name", f"{service.slug} in <region>"), {"region": region.name}),
            region.slug,
            service.block.text("driver"),
            of("cloud", ""),
            words.fill(of("region_name", region.slug), {"region": region.slug}),
            of("identity", ""),
            self._options(service.block) | self._options(own),
            read_manners(own, service.block, self.problems),
            line,
        )

    def _add_endpoint(self, endpoint: site.Endpoint, service: Service, region: site.Region) -> None:
        self.site.endpoints[endpoint.slug] = endpoint
        for template in service.limits.values():
            if not placeholders_of_zones(template.key):
                self._add_limit(endpoint.slug, template, {"region": region.slug}, region.name, "")

    def _add_limit(
        self, endpoint: str, template: LimitTemplate, filled: dict[str, str], region: str, zone: str
    ) -> str:
        key = words.fill(template.key, filled)
        name = words.fill(template.name, {**filled, "region": region, "zone": zone})
        self.site.limits.setdefault(
            (endpoint, key),
            site.Limit(
                endpoint, key, name[:100], template.unit, template.step, template.order,
                template.line,
            ),
        )  # fmt: skip
        return key

    def _zone(
        self, region: site.Region, kind: Text, name: Text, value: Value | None,
        endpoints: dict[str, str],
    ) -> None:  # fmt: skip
        slug = words.slug(name, 40, self.problems)
        if slug is None:
            return
        block = value.named_block() if value else Block({}, name.value, name.line, self.problems)
        block.known(("name", "type", "without", "offers", "also"))
        zone = site.Zone(
            region.slug, slug, block.text("name", slug, most=100), kind.value,
            len(self.site.zones), name.line,
        )  # fmt: skip
        if zone.key in self.site.zones:
            first = self.site.zones[zone.key].line
            self.problems.add(name.line, f"{slug} is a zone twice, first on line {first}.")
            return
        self.site.zones[zone.key] = zone
        offers = self.offers.of_zone(zone, block)
        filled = {"region": region.slug, "zone": slug, "type": block.text("type", slug)}
        for resource, (templates, line) in offers.items():
            feeds = self._filled_feeds(zone, region, templates, endpoints, filled)
            offering = site.Offering(region.slug, slug, resource, feeds, line)
            self.site.offerings[offering.slug] = offering

    def _filled_feeds(
        self, zone: site.Zone, region: site.Region, templates: tuple[FeedTemplate, ...],
        endpoints: dict[str, str], filled: dict[str, str],
    ) -> tuple[site.Feed, ...]:  # fmt: skip
        feeds = []
        for template in templates:
            endpoint = endpoints.get(template.service)
            if endpoint is None:
                self.problems.add(
                    zone.line,
                    f"{zone.slug} needs {template.service}, which is not among the services of "
                    f"{region.slug}.",
                )
                continue
            limit = self.services[template.service].limits[template.key]
            key = self._add_limit(endpoint, limit, filled, region.name, zone.name)
            feeds.append(site.Feed(endpoint, key, template.factor, template.line))
        return tuple(feeds)

    def _entries(self, block: Block, key: str) -> list[tuple[Text, Value]]:
        value = block.get(key)
        return list(value.block().entries()) if value else []
