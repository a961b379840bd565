"""What each request asks for, and what became of it: by its number and what the project has."""

from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

from .balances import Balances
from .numbers import (
    BASES,
    COMPUTE,
    STEPS,
    ZONES_OF_A_REGION,
    Numbers,
    class_of,
    mixed,
    offerings_of,
    resource_of,
)
from .sizes import ZONES
from .times import DAY, Times

# Of five rounds so many ask for compute and storage at once, the others for one zone alone.
BOTH, ROUNDS = 3, 5
DECLINED, WITHDRAWN, IN_PART = 5, 7, 12  # per cent, each with those before
DECREASE_EVERY = 4
LENT_LATELY = 40 * DAY  # before the last decision; nobody lent anything earlier
# Nobody gives back what may be lent; and so little is asked for that bounds of thirty days leave
# room for what is open.
LITTLE_LATELY = 50 * DAY
LENT_EVERY = 10
# Bases that an open request asks for on top: for the group, the head, somebody above.
OPEN_CLASSES = ((1, 6), (12, 20), (80, 60))  # (at least, up to so many more)


class Outcome(Enum):
    GRANTED = "granted"
    IN_PART = "in part"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    OPEN = "open"


class Wish(NamedTuple):
    """A line: what it wants of an offering, and what the project had; base units."""

    pk: int
    offering: int
    account: int
    before: int
    wanted: int


class Asked(NamedTuple):
    """A request on its way. lines: ids rise with requests."""

    pk: int
    project: int
    unit: int
    requester: int
    second: int
    at: str
    outcome: Outcome
    lines: tuple[Wish, ...]
    is_lent: bool


class Asking:
    """The requests of a site in their order."""

    def __init__(self, numbers: Numbers, times: Times, balances: Balances, seed: int) -> None:
        self.numbers, self.times, self.balances = numbers, times, balances
        self.scale, self.seed, self.line_count = numbers.scale, seed * 1_000_003, 0
        self.decided = numbers.scale.decided
        last = times.second(self.decided)
        self.lent_since, self.little_since = last - LENT_LATELY, last - LITTLE_LATELY

    def outcome(self, request: int) -> Outcome:
        if request > self.decided:
            return Outcome.OPEN
        percent = mixed(request + self.seed) % 100
        if percent >= IN_PART or self.numbers.is_wide(self.numbers.project_of(request)):
            return Outcome.GRANTED
        if percent < DECLINED:
            return Outcome.DECLINED
        return Outcome.WITHDRAWN if percent < WITHDRAWN else Outcome.IN_PART

    def zones(self, request: int) -> tuple[int, ...]:
        """Which zones it asks in, from 0. No two open ones of a project ask in one zone."""
        project = self.numbers.project_of(request)
        compute, storage = self.numbers.home(project)
        if request > self.decided:
            return (self.numbers.open_zone(request),)
        round_ = (request - 1) // self.scale.projects
        place = round_ % ROUNDS
        if place < BOTH:
            return compute, storage
        number = round_ // ROUNDS * (ROUNDS - BOTH) + place - BOTH
        if self.numbers.is_wide(project):
            return ((compute + number) % ZONES,)
        region = compute - compute % ZONES_OF_A_REGION
        return (region + (compute + 1) % COMPUTE if number % 2 else storage,)

    def zones_granted(self) -> int:
        """In how many zones something is granted, by all decisions; as `ask` says, unasked."""
        gives = (Outcome.GRANTED, Outcome.IN_PART)
        return sum(
            len(self.zones(each))
            for each in range(1, self.decided + 1)
            if self.outcome(each) in gives
        )

    def ask(self, request: int, at: str) -> Asked:
        numbers, second = self.numbers, self.times.second(request)
        project = numbers.project_of(request)
        lines = tuple(
            self._line(request, project, offering, second)
            for zone in self.zones(request)
            for offering in offerings_of(zone)
        )
        return Asked(
            request, project, numbers.unit_of(project), self._requester(request, project), second,
            at, self.outcome(request), lines,
            second > self.lent_since and request % LENT_EVERY == 3,
        )  # fmt: skip

    def _requester(self, request: int, project: int) -> int:
        """The owner, at times the manager."""
        return self.numbers.owner(project) if request % 3 else self.numbers.manager(project)

    def _line(self, request: int, project: int, offering: int, second: int) -> Wish:
        self.line_count += 1
        account = self.numbers.quota_account(project, offering)
        before = self.balances.of.get(account, 0)
        resource = resource_of(offering)
        chance = mixed(self.line_count + self.seed)
        if request > self.decided:
            least, more = OPEN_CLASSES[class_of(request)]
            steps = (least - 1) * BASES[resource] + 1 + chance % (more * BASES[resource])
        else:
            is_early = second < self.little_since
            steps = self._steps(chance, BASES[resource], is_early)
            give_back = before // STEPS[resource] // 3
            if is_early and chance // 997 % DECREASE_EVERY == 0 and give_back:
                steps = -give_back
        wanted = before + steps * STEPS[resource]
        return Wish(self.line_count, offering, account, before, wanted)

    @staticmethod
    def _steps(chance: int, base: int, is_early: bool) -> int:
        """Mostly little, sometimes what a head or somebody above them must grant."""
        percent = chance % 100
        if not is_early:
            return 1 + chance // 100 % (2 * base)
        if percent < 80:
            return 1 + chance // 100 % (8 * base)
        if percent < 96:
            return 10 * base + chance // 100 % (20 * base)
        return 60 * base + chance // 100 % (60 * base)


def spread(total: int, parts: int) -> Iterator[int]:
    """How many of `total` fall on each of so many parts, evenly."""
    given = 0
    for part in range(1, parts + 1):
        now = total * part // parts
        yield now - given
        given = now
