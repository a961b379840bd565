"""Who acts in a bench: people and rows by arithmetic, so that nobody has to look for them."""

from dataclasses import dataclass
from itertools import islice

from .asking import class_of
from .numbers import BUSY_GROUP, HEAD, Numbers, bound_of, offerings_of
from .sizes import Scale

BULK = 100


@dataclass(frozen=True)
class Cast:
    """Ids of people and rows; what each may do follows from how the site is made.

    owner, wide_project: she owns the first project, which has quota of all 60 offerings.
    decider: a member of the group that decides little in every fifth unit of a level, and is asked
    to endorse the rest there: of small, of all that is open; of large, of a fifth.
    head: decides for one unit of the last level but one; `head_requests` are open requests of it
    that ask for no more than he may grant, also with what thirty days have used of his bounds: his
    approve is an ordinary one, of requests that wait for his group or for himself.
    root: holds everything in the first tree of units; bounds do not bind her. `bulk_requests`: up
    to a hundred open requests there.
    hot_envelope: the account of an offering that pays for `hot_requests`, all projects of one
    region below one unit of the second level. hot_bound: a total of vCPUs that every decision in
    `hot_unit` consumes; `total_requests` are open requests there for compute.
    spread_requests: open requests, no two of a unit with the same envelope.
    """

    owner: int
    wide_project: int
    decider: int
    head: int
    head_requests: tuple[int, ...]
    root: int
    bulk_requests: tuple[int, ...]
    hot_envelope: int
    hot_requests: tuple[int, ...]
    hot_unit: int
    hot_head: int
    hot_bound: int
    total_requests: tuple[int, ...]
    spread_requests: tuple[int, ...]
    operator: int
    requesters: tuple[tuple[int, int], ...]


def cast(scale: Scale) -> Cast:
    """Of a site as `make_site` makes it, with as many open requests as the scale says."""
    numbers = Numbers(scale)
    opened = range(scale.decided + 1, scale.requests + 1)
    unit_of = {each: numbers.unit_of(numbers.project_of(each)) for each in opened}
    head_unit = numbers.first[-2] + 1
    paying = numbers.first[1] + 1
    compute = offerings_of(numbers.home(1)[0])[0]
    spread: dict[int, int] = {}
    for each in opened:
        spread.setdefault(numbers.paying(unit_of[each]), each)
    return Cast(
        owner=numbers.owner(1),
        wide_project=1,
        decider=numbers.member(BUSY_GROUP, 0),
        head=numbers.holder(head_unit, HEAD),
        head_requests=tuple(
            each for each in opened if unit_of[each] == head_unit and class_of(each) < 2
        ),
        root=numbers.holder(1, HEAD),
        bulk_requests=tuple(
            islice((each for each in opened if numbers.lineage(unit_of[each])[0] == 1), BULK)
        ),
        hot_envelope=numbers.envelope(paying, compute),
        hot_requests=tuple(
            each for each in opened
            if numbers.paying(unit_of[each]) == paying
            and numbers.home(numbers.project_of(each))[0] == numbers.home(1)[0]
        ),
        hot_unit=numbers.hot_unit,
        hot_head=numbers.holder(numbers.hot_unit, HEAD),
        hot_bound=bound_of(numbers.delegation(numbers.hot_unit, HEAD), 1),
        total_requests=tuple(each for each in opened if unit_of[each] == numbers.hot_unit),
        spread_requests=tuple(spread.values()),
        operator=numbers.operator,
        requesters=tuple(
            (project, numbers.owner(project)) for project in range(2, scale.projects + 1)
        ),
    )  # fmt: skip
