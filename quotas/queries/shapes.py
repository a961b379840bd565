"""How the limits of a site hang together: which offerings feed which, and which belongs to which.

A limit fed by several offerings is drawn once, with its offerings as parts; a limit that
one offering alone feeds beside such a limit (a volume type beside the total) is that
part's own reading. Known from the catalogue only; no figure of any project is read here.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from portal.lib.compiled import compiled
from portal.lib.together import Part as TogetherPart
from portal.lib.together import Rows
from quotas.models import Contribution, Limit, Offering, ZoneKind

# Of contributions, by their offerings: the order in which pages show them.
CATALOGUE_ORDER = (
    "offering__zone__order", "offering__zone__slug",
    "offering__resource__order", "offering__resource__slug",
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """An offering's share of a limit, and the limit that counts this share alone, if any."""

    offering: Offering
    factor: int
    own_limit: Limit | None = None


@dataclass(frozen=True)
class Shape:
    """One limit as a page draws it."""

    limit: Limit
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The resource's name, or the limit's own where it counts several, or something beside."""
        names = {part.offering.resource.name for part in self.parts}
        is_itself = len(names) == 1 and all(part.factor == 1 for part in self.parts)
        return names.pop() if is_itself else self.limit.name

    @property
    def is_shared(self) -> bool:
        """Whether the service counts several zones together."""
        return len(self.parts) > 1

    @property
    def has_own_limits(self) -> bool:
        """Whether the service also counts each part by itself."""
        return any(part.own_limit is not None for part in self.parts)


def contributions(offering_ids: Collection[int] | None = None) -> list[Contribution]:
    """What feeds what, in the catalogue's order; of these offerings, or all."""
    (rows,) = _contributions()
    return [each for each in rows if offering_ids is None or each.offering_id in offering_ids]


@compiled
def _contributions() -> list[TogetherPart]:
    around = (
        "limit", "limit__endpoint", "limit__endpoint__region", "offering", "offering__resource",
        "offering__zone", "offering__zone__region",
    )  # fmt: skip
    return [Rows(Contribution.objects.order_by(*CATALOGUE_ORDER), around)]


def shapes_of(rows: Iterable[Contribution]) -> list[Shape]:
    """The limits to draw, each once, in the order of their resources."""
    by_endpoint: dict[int, dict[int, list[Contribution]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_endpoint[row.limit.endpoint_id][row.limit_id].append(row)
    shapes = [shape for limits in by_endpoint.values() for shape in _shapes_at(limits)]
    return sorted(shapes, key=_order)


def _shapes_at(limits: dict[int, list[Contribution]]) -> list[Shape]:
    """Widest limits first; what feeds a drawn one alone becomes a part's own limit."""
    widest = sorted(
        limits.values(),
        key=lambda rows: (-len(rows), rows[0].limit.order, len(rows[0].limit.key)),
    )
    taken: set[int] = set()
    shapes = []
    for rows in widest:
        if rows[0].limit_id in taken:
            continue
        taken.add(rows[0].limit_id)
        parts = []
        for row in rows:
            own = _own_limit(row, widest, taken, is_shared=len(rows) > 1)
            if own is not None:
                taken.add(own.pk)
            parts.append(Part(row.offering, row.factor, own))
        shapes.append(Shape(rows[0].limit, tuple(parts)))
    return shapes


def _own_limit(
    row: Contribution,
    limits: Iterable[list[Contribution]],
    taken: Collection[int],
    *,
    is_shared: bool,
) -> Limit | None:
    """The limit that counts this share alone. Beside a limit that the offering feeds alone it must
    be of its family, as `gigabytes_ssd` of `gigabytes`: what comes along is counted by itself."""
    for rows in limits:
        alone = len(rows) == 1 and rows[0].offering_id == row.offering_id
        if not alone or rows[0].limit_id in taken or rows[0].factor != row.factor:
            continue
        if is_shared or rows[0].limit.key.startswith(f"{row.limit.key}_"):
            return rows[0].limit
    return None


def _order(shape: Shape) -> tuple[int, int, int, str]:
    """What comes along with something stands behind it."""
    part, first = shape.parts[0], shape.parts[0].offering
    kind = ZoneKind.values.index(first.zone.kind)
    return (kind, first.resource.order, part.factor, shape.limit.key)
