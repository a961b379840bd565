"""Reading what zones have, and which limits that counts against: `offers`, once for many zones.

A set of offers is called as a kind of zone, whose zones all have it, or as it likes: then the
zones have it that name it.
"""

from collections.abc import Mapping

from quotas.models import ZoneKind

from . import site, words
from .cloud_templates import FeedTemplate, Offers, Service
from .document import Block, Text, Value, nearest
from .problems import Problems


class OffersReader:
    """Knows the sets by name. services: filled by the time the first set is read."""

    def __init__(
        self, into: site.Site, services: Mapping[str, Service], problems: Problems
    ) -> None:
        self.site = into
        self.services = services
        self.problems = problems
        self._sets: dict[str, Offers] = {}
        self._unused: dict[str, int] = {}

    def read_set(self, key: Text, value: Value) -> None:
        """One set of offers of the file."""
        self._sets[key.value] = self._of(value.block())
        if key.value not in ZoneKind.values:
            self._unused[key.value] = key.line

    def done(self) -> None:
        """A problem for each set that no zone has: a kind of zone that was misspelt."""
        for name, line in self._unused.items():
            self.problems.add(
                line,
                f"{name} is no kind of zone, and no zone says offers: {name}"
                f"{nearest(name, ZoneKind.values)}",
            )

    def of_zone(self, zone: site.Zone, block: Block) -> Offers:
        """Its own, those of the set that it names, or those of its kind; and `also` some more."""
        offers = dict(self._base(zone, block))
        also = block.get("also")
        if also is not None:
            offers |= self._of(also.block())
        without = block.get("without")
        for item in without.items() if without else ():
            text = item.text()
            if text is not None and offers.pop(text.value, None) is None:
                self.problems.add(
                    text.line,
                    f"{zone.slug} has no {text.value} anyway{nearest(text.value, offers)}",
                )
        return offers

    def _base(self, zone: site.Zone, block: Block) -> Offers:
        own = block.get("offers")
        if own is not None and not own.is_text:
            return self._of(own.block())
        text = own.text() if own is not None else None
        name = text.value if text is not None else zone.kind
        self._unused.pop(name, None)
        if name not in self._sets:
            self.problems.add(
                zone.line if text is None else text.line,
                f"offers says nothing of {zone.kind} zones, so {zone.slug} has nothing."
                if text is None
                else f"there are no offers called {name}{nearest(name, self._sets)}",
            )
        return self._sets.get(name, {})

    def _of(self, block: Block) -> Offers:
        found: Offers = {}
        for resource, by_service in block.entries():
            if resource.value not in self.site.resources:
                self.problems.add(
                    resource.line,
                    f"{resource.value} is no resource"
                    f"{nearest(resource.value, self.site.resources)}",
                )
                continue
            services = list(by_service.block().entries())
            if not services:
                # It could be granted, and nothing would ever enforce it or read it back.
                self.problems.add(
                    resource.line,
                    f"{resource.value} counts against no limit: say which, as in "
                    "{nova: cores}, or leave it out.",
                )
            feeds = [feed for service, keys in services for feed in self._feeds(service, keys)]
            found[resource.value] = (tuple(feeds), resource.line)
        return found

    def _feeds(self, service: Text, value: Value) -> list[FeedTemplate]:
        known = self.services.get(service.value)
        if known is None:
            self.problems.add(
                service.line,
                f"{service.value} is no service{nearest(service.value, self.services)}",
            )
            return []
        written: list[tuple[Text, int | None]] = []
        if value.is_text or value.is_list:
            written = [(key, 1) for item in value.items() if (key := item.text()) is not None]
        else:
            for key, factor in value.block().entries():
                text = factor.text()
                written.append((key, words.count(text, self.problems) if text else None))
        feeds = []
        for key, times in written:
            if key.value not in known.limits:
                self.problems.add(
                    key.line,
                    f"{service.value} has no limit {key.value}{nearest(key.value, known.limits)}",
                )
            elif times is not None:
                feeds.append(FeedTemplate(service.value, key.value, times, key.line))
        return feeds
