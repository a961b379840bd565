"""What is managed: every limit of the catalogue with the offerings that count against it."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from quotas.models import Contribution, Endpoint, Limit, Offering


@dataclass(frozen=True)
class Feed:
    """An offering counts against a limit, so many times."""

    offering: Offering
    factor: int


@dataclass(frozen=True)
class Managed:
    """A limit and what counts against it; `feeds` empty: nothing does."""

    limit: Limit
    feeds: tuple[Feed, ...]

    @property
    def name(self) -> str:
        """As the answers' file calls it: "nova-geneva.cores"."""
        return f"{self.limit.endpoint.slug}.{self.limit.key}"

    @property
    def is_shared(self) -> bool:
        return len(self.feeds) > 1


class Shape:
    """The managed limits, {id: Managed}, of some service endpoints, {id: endpoint}."""

    def __init__(self, endpoints: Mapping[int, Endpoint], managed: Mapping[int, Managed]) -> None:
        self.endpoints = endpoints
        self.managed = managed

    @cached_property
    def offerings(self) -> dict[int, Offering]:
        """{id: offering} of all that count against something."""
        return {
            feed.offering.pk: feed.offering for each in self.managed.values() for feed in each.feeds
        }

    @cached_property
    def by_endpoint(self) -> dict[int, list[Managed]]:
        found: dict[int, list[Managed]] = defaultdict(list)
        for each in self.managed.values():
            found[each.limit.endpoint_id].append(each)
        return found


def is_of_now(shape: Shape) -> bool:
    """Whether the catalogue still manages just this in these clouds; one query."""
    identities = {each.identity_id for each in shape.endpoints.values()}
    rows = Limit.objects.filter(endpoint__identity__in=identities)
    now = set(rows.values_list("pk", "contributions__offering", "contributions__factor"))
    feeds = {
        (pk, each.offering.pk, each.factor)
        for pk, managed in shape.managed.items()
        for each in managed.feeds
    }
    unfed = {(pk, None, None) for pk, managed in shape.managed.items() if not managed.feeds}
    return now == feeds | unfed


def load_shape(endpoints: Collection[Endpoint]) -> Shape:
    """What the catalogue manages there, in its order; two queries."""
    ids = [each.pk for each in endpoints]
    feeds: dict[int, list[Feed]] = defaultdict(list)
    rows = Contribution.objects.filter(limit__endpoint__in=ids).select_related(
        "offering__resource", "offering__zone__region"
    )
    for row in rows.order_by("offering__zone__order", "offering__zone__slug", "pk"):
        feeds[row.limit_id].append(Feed(row.offering, row.factor))
    limits = Limit.objects.filter(endpoint__in=ids).select_related("endpoint")
    managed = {
        each.pk: Managed(each, tuple(feeds[each.pk]))
        for each in limits.order_by("endpoint__slug", "order", "key")
    }
    return Shape({each.pk: each for each in endpoints}, managed)
