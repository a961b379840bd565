"""Who acts in a bench: people and rows by arithmetic, so that nobody has to look for them."""

from dataclasses import dataclass
from itertools import islice

from .numbers import (
    BUSY_GROUP,
    HEAD,
    Numbers,
    bound_of,
    class_of,
    offerings_of,
    resource_of,
)
from .sizes import Scale

BULK = 100
ALONE = 24
VCPU = 1
LARGE_CLASS = 2  # beyond what heads may grant


@dataclass(frozen=True)
class Cast:
    """Ids of people and rows; what each may do follows from how the site is made.

    owner, wide_project: she owns the first project, which has quota of all 60 offerings.
    decider: a member of the group that decides little in every fifth unit of a level, and is asked
    to endorse the rest there: of small, of all that is open; of large, of a fifth.
    root: holds everything in the first tree of units; bounds do not bind her. `bulk_requests`: up
    to a hundred open requests there; `alone_requests`: some that follow them, of the same sort.
    hot_envelope: the account of vCPUs that pays for `hot_requests`: open requests of one zone
    below the first unit of the second level; the root may approve each of them.
    hot_bound: a total of vCPUs that every decision of one unit consumes. `total_requests` are
    open requests for vCPUs there that `hot_head`, who decides for it, may grant.
    spread_requests: of each unit with envelopes the open requests of one zone, which one of its
    envelopes pays for, and who is root there. The first is the hot one.
    approvals: (request, the head of its unit) of open requests that the head may grant, also with
    what thirty days have used of his bounds.
    """

    owner: int
    wide_project: int
    decider: int
    root: int
    bulk_requests: tuple[int, ...]
    alone_requests: tuple[int, ...]
    hot_envelope: int
    hot_requests: tuple[int, ...]
    hot_head: int
    hot_bound: int
    total_requests: tuple[int, ...]
    spread_requests: tuple[tuple[tuple[int, ...], int], ...]
    approvals: tuple[tuple[int, int], ...]


def cast(scale: Scale) -> Cast:
    """Of a site as `make_site` makes it, with as many open requests as the scale says."""
    numbers = Numbers(scale)
    opened = range(scale.decided + 1, scale.requests + 1)
    unit_of = {each: numbers.unit_of(numbers.project_of(each)) for each in opened}
    spread = [_paid(numbers, unit_of, paying) for paying in numbers.units_with_envelopes]
    first = numbers.units_with_envelopes[0]
    of_root = tuple(
        islice((each for each in opened if numbers.lineage(unit_of[each])[0] == 1), BULK + ALONE)
    )
    return Cast(
        owner=numbers.owner(1),
        wide_project=1,
        decider=numbers.member(BUSY_GROUP, 0),
        root=numbers.holder(1, HEAD),
        bulk_requests=of_root[:BULK],
        alone_requests=of_root[BULK:],
        hot_envelope=numbers.envelope(first, offerings_of(_zone_of(numbers, first))[0]),
        hot_requests=spread[0][0],
        hot_head=numbers.holder(numbers.hot_unit, HEAD),
        hot_bound=bound_of(numbers.delegation(numbers.hot_unit, HEAD), VCPU),
        total_requests=tuple(
            each for each in _of_head(numbers, unit_of, numbers.hot_unit)
            if resource_of(offerings_of(numbers.open_zone(each))[0]) == VCPU
        ),
        spread_requests=tuple(each for each in spread if each[0]),
        approvals=tuple(
            (each, numbers.holder(unit, HEAD))
            for each, unit in unit_of.items()
            if class_of(each) < LARGE_CLASS
        ),
    )  # fmt: skip


def _paid(numbers: Numbers, unit_of: dict[int, int], paying: int) -> tuple[tuple[int, ...], int]:
    """(open requests of one zone that the envelopes of a unit pay for, who is root there)."""
    zone = _zone_of(numbers, paying)
    own = (
        each for each, unit in unit_of.items()
        if numbers.paying(unit) == paying and numbers.open_zone(each) == zone
    )  # fmt: skip
    return tuple(own), numbers.holder(numbers.lineage(paying)[0], HEAD)


def _zone_of(numbers: Numbers, paying: int) -> int:
    """Where the first project that draws from these envelopes is at home, from 0."""
    projects = range(1, numbers.scale.projects + 1)
    drawing = (each for each in projects if numbers.paying(numbers.unit_of(each)) == paying)
    return numbers.home(next(drawing))[0]


def _of_head(numbers: Numbers, unit_of: dict[int, int], unit: int) -> tuple[int, ...]:
    return tuple(
        each for each, own in unit_of.items() if own == unit and class_of(each) < LARGE_CLASS
    )
