"""Reading what a file says in amounts: capacities on a day, and presets."""

from datetime import date

from . import site, words
from .document import Block, Text, Value, day, nearest
from .problems import Problems


class AmountsReader:
    """Reads into a Site whose offerings are known already."""

    def __init__(self, into: site.Site, problems: Problems) -> None:
        self.site = into
        self.problems = problems

    def read(self, top: Block) -> None:
        for name, read in (("capacities", self._capacities), ("presets", self._preset)):
            section = top.get(name)
            for key, value in section.block().entries() if section else ():
                read(key, value)

    def _capacities(self, key: Text, value: Value) -> None:
        as_of = day(key, self.problems)
        for zone, amounts in value.block().entries():
            if not self._is_zone(zone):
                continue
            for resource, written in amounts.block().entries():
                offering, text = self._offering(zone.value, resource), written.text()
                if offering is not None and text is not None and as_of is not None:
                    self._capacity(offering, text, as_of)

    def _capacity(self, offering: site.Offering, text: Text, as_of: date) -> None:
        """From "1600 x 2": what stands there, and how often it may be promised."""
        stands, __, times = (part.strip() for part in text.value.partition(" x "))
        unit = self.site.resources[offering.resource].unit
        amount = words.read_amount(
            Text(stands, text.line), unit=unit, step=1, problems=self.problems
        )
        overcommit = words.factor(Text(times or "1", text.line), self.problems)
        if amount is not None and overcommit is not None:
            self.site.capacities.append(
                site.Capacity(offering.slug, amount, overcommit, as_of, text.line)
            )

    def _is_zone(self, text: Text) -> bool:
        if text.value not in self.site.zones:
            self.problems.add(
                text.line, f"{text.value} is no zone{nearest(text.value, self.site.zones)}"
            )
        return text.value in self.site.zones

    def _offering(self, zone: str, resource: Text) -> site.Offering | None:
        found = self.site.offerings.get(f"{zone}.{resource.value}")
        if found is None:
            here = [
                slug.rpartition(".")[2]
                for slug in self.site.offerings
                if slug.startswith(f"{zone}.")
            ]
            self.problems.add(
                resource.line, f"{zone} offers no {resource.value}{nearest(resource.value, here)}"
            )
        return found

    def _preset(self, key: Text, value: Value) -> None:
        block = value.block()
        block.known(("name", "region", "adds"))
        slug = words.slug(key, 40, self.problems)
        region_value, adds = block.require("region"), block.require("adds")
        region = region_value.text() if region_value else None
        if region is None or adds is None or slug is None:
            return
        if region.value not in self.site.regions:
            self.problems.add(
                region.line, f"{region} is no region{nearest(region.value, self.site.regions)}"
            )
            return
        self.site.presets[slug] = site.Preset(
            slug,
            block.text("name", slug, most=100),
            region.value,
            len(self.site.presets),
            self._increases(slug, region.value, adds),
            key.line,
        )

    def _increases(self, preset: str, region: str, adds: Value) -> dict[str, int]:
        """{offering slug: base units}."""
        found = {}
        for zone, amounts in adds.block().entries():
            full = Text(f"{region}.{zone}", zone.line)
            if not self._is_zone(full):
                continue
            for resource, written in amounts.block().entries():
                offering = self._offering(full.value, resource)
                if offering is None:
                    continue
                known = self.site.resources[offering.resource]
                amount = words.amount(written, unit=known.unit, step=known.step)
                if amount == 0:
                    self.problems.add(written.line, f"{preset} adds nothing here; leave it out.")
                elif amount is not None:
                    found[offering.slug] = amount
        return found
