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
    head: decides for one unit of the last level but one. `head_requests` are open requests of it
    that ask for no more than he may grant, also with what thirty days have used of his bounds: his
    approve is an ordinary one, of requests that wait for his group or for himself.
    root: holds everything in the first tree of units; bounds do not bind her. `bulk_requests`: up
    to a hundred open requests there; `alone_requests`: some that follow them, of the same sort.
    hot_envelope: the account of vCPUs that pays for `hot_requests`: open requests of one zone
    below the first unit of the second level; the root may approve each of them.
    hot_bound: a total of vCPUs that every decision of `hot_unit` consumes. `total_requests` are
    open requests for vCPUs there that `hot_head` may grant.
    spread_requests: open requests, of each envelope's unit one: (request, who is root there).
    approvals: (request, the head of its unit) of open requests that the head may grant.
    requesters: (project, who owns it) of all projects but the wide one.
    """

    owner: int
    wide_project: int
    decider: int
    head: int
    head_requests: tuple[int, ...]
    root: int
    bulk_requests: tuple[int, ...]
    alone_requests: tuple[int, ...]
    hot_envelope: int
    hot_requests: tuple[int, ...]
    hot_unit: int
    hot_head: int
    hot_bound: int
    total_requests: tuple[int, ...]
    spread_requests: tuple[tuple[int, int], ...]
    operator: int
    approvals: tuple[tuple[int, int], ...]
    requesters: tuple[tuple[int, int], ...]


def cast(scale: Scale) -> Cast:
    """Of a site as `make_site` makes it, with as many open requests as the scale says."""
    numbers = Numbers(scale)
    opened = range(scale.decided + 1, scale.requests + 1)
    unit_of = {each: numbers.unit_of(numbers.project_of(each)) for each in opened}
    head_unit, paying = numbers.first[-2] + 1, numbers.first[1] + 1
    hot_zone = numbers.home(_first_paid(numbers, paying))[0]
    spread: dict[int, int] = {}
    for each, unit in unit_of.items():
        spread.setdefault(numbers.paying(unit), each)
    of_root = tuple(
        islice((each for each in opened if numbers.lineage(unit_of[each])[0] == 1), BULK + ALONE)
    )
    return Cast(
        owner=numbers.owner(1),
        wide_project=1,
        decider=numbers.member(BUSY_GROUP, 0),
        head=numbers.holder(head_unit, HEAD),
        head_requests=_of_head(numbers, unit_of, head_unit),
        root=numbers.holder(1, HEAD),
        bulk_requests=of_root[:BULK],
        alone_requests=of_root[BULK:],
        hot_envelope=numbers.envelope(paying, offerings_of(hot_zone)[0]),
        hot_requests=tuple(
            each for each in opened
            if numbers.paying(unit_of[each]) == paying and numbers.open_zone(each) == hot_zone
        ),
        hot_unit=numbers.hot_unit,
        hot_head=numbers.holder(numbers.hot_unit, HEAD),
        hot_bound=bound_of(numbers.delegation(numbers.hot_unit, HEAD), VCPU),
        total_requests=tuple(
            each for each in _of_head(numbers, unit_of, numbers.hot_unit)
            if resource_of(offerings_of(numbers.open_zone(each))[0]) == VCPU
        ),
        spread_requests=tuple(
            (each, root_of(numbers, each)) for _unit, each in sorted(spread.items())
        ),
        operator=numbers.operator,
        approvals=tuple(
            (each, numbers.holder(unit, HEAD))
            for each, unit in unit_of.items()
            if class_of(each) < LARGE_CLASS
        ),
        requesters=tuple(
            (project, numbers.owner(project)) for project in range(2, scale.projects + 1)
        ),
    )  # fmt: skip


def root_of(numbers: Numbers, request: int) -> int:
    """Who may decide a request whatever it asks for."""
    unit = numbers.unit_of(numbers.project_of(request))
    return numbers.holder(numbers.lineage(unit)[0], HEAD)


def _of_head(numbers: Numbers, unit_of: dict[int, int], unit: int) -> tuple[int, ...]:
    return tuple(
        each for each, own in unit_of.items() if own == unit and class_of(each) < LARGE_CLASS
    )


def _first_paid(numbers: Numbers, paying: int) -> int:
    """The first project that draws from a unit's envelopes."""
    found = range(1, numbers.scale.projects + 1)
    return next(each for each in found if numbers.paying(numbers.unit_of(each)) == paying)
