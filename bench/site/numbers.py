"""Which number is whose: every id of the site follows from what it is about, by arithmetic."""

from dataclasses import dataclass
from functools import cached_property

from .sizes import DELEGATIONS_OF_A_UNIT, ENDPOINTS, OFFERINGS, REGIONS, ZONES, Scale

GIB = 2**30
# Resources by id: vCPUs, RAM, volume space, volumes. What one of them is counted in, and about
# how many of these somebody asks for who asks for little.
STEPS = {1: 1, 2: GIB, 3: GIB, 4: 1}
BASES = {1: 2, 2: 8, 3: 100, 4: 1}
ZONES_OF_A_REGION = ZONES // REGIONS
COMPUTE = 3
# Delegations of a unit in their order.
HEAD, GROUP, DEPUTY, SPECIALIST, PROJECTS, MEMBERS, ENVELOPES, HANDED, LAST, FORMER = range(10)
# What somebody may grant of one thing in thirty days, in bases: heads by level, and their groups.
HEADS: tuple[int | None, ...] = (None, None, 400, 150, 60)
LITTLE = 10
MEMBERS_OF_A_GROUP = 5
CLASS_OF_DIGIT = (0, 0, 0, 0, 0, 0, 1, 1, 1, 2)
LOWEST_LEVELS = 3  # projects are in units of these
ENVELOPE_LEVEL = 1
BUSY_GROUP = 1  # decides for every fifth unit of a level
BUSY_EVERY = 5


def resource_of(offering: int) -> int:
    """1 and 2 in a compute zone, 3 and 4 in a storage zone."""
    zone, second = divmod(offering - 1, 2)
    return (1 if zone % ZONES_OF_A_REGION < COMPUTE else 3) + second


def offerings_of(zone: int) -> tuple[int, int]:
    """zone: from 0."""
    return 2 * zone + 1, 2 * zone + 2


def endpoint_of(offering: int) -> int:
    """Nova or Cinder of the region; 1 is the identity endpoint."""
    zone = (offering - 1) // 2
    region, place = divmod(zone, ZONES_OF_A_REGION)
    return 2 + 2 * region + (place >= COMPUTE)


def target_of(project: int, endpoint: int) -> int:
    return ENDPOINTS * (project - 1) + endpoint


def pool_of(offering: int) -> int:
    """Its account; the site's own has the offering's number."""
    return OFFERINGS + offering


def bound_of(delegation: int, resource: int = 0) -> int:
    """Of one resource, or of any."""
    return 10 * delegation + resource


def class_of(request: int) -> int:
    """Of an open request: 0 asks for little, 1 for what heads may grant, 2 for more."""
    return CLASS_OF_DIGIT[(request * 7 + request // 10) % 10]


def mixed(number: int) -> int:
    """44 bits that look like chance, the same for the same number."""
    return (number * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF) >> 20


@dataclass(frozen=True)
class Numbers:
    """Who is who on a site of a size."""

    scale: Scale

    @cached_property
    def first(self) -> tuple[int, ...]:
        """How many units come before those of each level."""
        return tuple(sum(self.scale.levels[:level]) for level in range(len(self.scale.levels)))

    def level(self, unit: int) -> int:
        """From 0, the top."""
        return max(level for level, before in enumerate(self.first) if unit > before)

    def parent(self, unit: int) -> int | None:
        level = self.level(unit)
        if level == 0:
            return None
        place = unit - self.first[level] - 1
        return self.first[level - 1] + 1 + place % self.scale.levels[level - 1]

    def lineage(self, unit: int) -> list[int]:
        """The units from the top to this one."""
        found = [unit]
        while (above := self.parent(found[0])) is not None:
            found.insert(0, above)
        return found

    def is_busy(self, unit: int) -> bool:
        return (unit - self.first[self.level(unit)] - 1) % BUSY_EVERY == 0

    @cached_property
    def units_with_projects(self) -> range:
        return range(self.first[-LOWEST_LEVELS] + 1, self.scale.units + 1)

    def unit_of(self, project: int) -> int:
        return self.units_with_projects[(project - 1) % len(self.units_with_projects)]

    def paying(self, unit: int) -> int:
        """The unit whose envelopes pay for what lies in this one, which has projects."""
        return self._paying[unit]

    @cached_property
    def _paying(self) -> dict[int, int]:
        return {each: self.lineage(each)[ENVELOPE_LEVEL] for each in self.units_with_projects}

    def envelope(self, unit: int, offering: int) -> int:
        """Its account; unit: one of those that have envelopes."""
        place = unit - self.first[ENVELOPE_LEVEL] - 1
        return 2 * OFFERINGS + OFFERINGS * place + offering

    @cached_property
    def units_with_envelopes(self) -> range:
        start = self.first[ENVELOPE_LEVEL] + 1
        return range(start, start + self.scale.levels[ENVELOPE_LEVEL])

    @cached_property
    def _first_quota(self) -> int:
        return 2 * OFFERINGS + OFFERINGS * self.scale.levels[ENVELOPE_LEVEL]

    def quota_account(self, project: int, offering: int) -> int:
        return self._first_quota + OFFERINGS * (project - 1) + offering

    def delegation(self, unit: int, place: int) -> int:
        """place: HEAD, GROUP and so on."""
        return DELEGATIONS_OF_A_UNIT * (unit - 1) + 1 + place

    def holder(self, unit: int, place: int) -> int:
        """The person who holds it; of no group's."""
        return self.scale.units * (place - (place > GROUP)) + unit

    def group_of(self, unit: int) -> int:
        """The group that decides little in the unit."""
        if self.is_busy(unit):
            return BUSY_GROUP
        return 2 + unit % (self.scale.deciding_groups - 1)

    def member(self, group: int, place: int) -> int:
        """A person of a group that decides; place: from 0, below MEMBERS_OF_A_GROUP."""
        people = self.scale.units * (DELEGATIONS_OF_A_UNIT - 1)
        return people + MEMBERS_OF_A_GROUP * (group - 1) + place + 1

    @cached_property
    def operator(self) -> int:
        return self.member(self.scale.deciding_groups + 1, 0)

    @cached_property
    def worker_count(self) -> int:
        return self.scale.people - self.operator

    def worker(self, place: int) -> int:
        """Somebody who works in projects; any place from 0, they come again."""
        return self.operator + 1 + place % self.worker_count

    def owner(self, project: int) -> int:
        return self.worker(project - 1)

    def manager(self, project: int) -> int:
        return self.worker(project)

    def is_wide(self, project: int) -> bool:
        """Whether it comes to have every offering."""
        return project % self.scale.wide_every == 1

    def project_of(self, request: int) -> int:
        """Every project asks once a round."""
        return 1 + (request - 1) % self.scale.projects

    def home(self, project: int) -> tuple[int, int]:
        """Its compute and its storage zone, from 0, of one region."""
        region = ZONES_OF_A_REGION * (project % REGIONS)
        place = project // REGIONS % COMPUTE
        return region + place, region + COMPUTE + place

    def open_zone(self, request: int) -> int:
        """Where an open request asks for something, from 0: its home, or the next that is free."""
        round_ = (request - self.scale.decided - 1) // self.scale.projects
        return (self.home(self.project_of(request))[0] + round_) % ZONES

    @property
    def hot_unit(self) -> int:
        """Whose head has a total of vCPUs, consumed by every decision there."""
        return self.first[-1] + 1
