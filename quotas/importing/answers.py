"""What the operators' file says: which projects to take, and an answer to each contradiction."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from projects.models import Unit

KEEP: Final = "keep"
NOBODY: Final = "-"


@dataclass(frozen=True)
class Rule:
    """Whose name, tag or parent fits: into the unit, or left out. Patterns know * and ?."""

    name: str = ""
    tag: str = ""
    parent: str = ""
    unit: str = ""
    leave_out: bool = False

    def fits(self, name: str, tags: frozenset[str], parent: str) -> bool:
        return (
            (not self.name or fnmatchcase(name.casefold(), self.name.casefold()))
            and (not self.tag or any(fnmatchcase(tag, self.tag) for tag in tags))
            and (not self.parent or self.parent == parent)
        )


@dataclass(frozen=True)
class ProjectAnswer:
    """What is said of one project, known by its id in an identity service.

    quota: {offering's slug: base units}, written: as the file says it; like: the identity
    endpoint whose word counts; owners: subjects of people.
    """

    unit: str = ""
    leave_out: bool = False
    name: str = ""
    like: str = ""
    quota: Mapping[str, int] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, ...] = ()


@dataclass(frozen=True)
class PerLimit:
    """An answer for every limit that a pattern like "nova-*.cores" fits, as it was written."""

    pattern: str
    value: str | Mapping[str, str]


@dataclass
class Answers:
    """The file as it was said, and `numbers`, `shares`, `follows` and `zeroes` by limits' ids.

    numbers: base units, None to keep it unlimited; shares: {offering id: share}; follows and
    zeroes: whether, None where nothing is said.
    """

    rules: list[Rule] = field(default_factory=list)
    projects: dict[str, ProjectAnswer] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    unknown_people: str = ""
    issuer: str = ""
    people: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    unlimited: list[PerLimit] = field(default_factory=list)
    split: list[PerLimit] = field(default_factory=list)
    totals: list[PerLimit] = field(default_factory=list)
    unfed: list[PerLimit] = field(default_factory=list)
    differing: str = ""
    off_step: str = ""
    disabled: str = ""
    room: dict[str, str] = field(default_factory=dict)
    accept: list[str] = field(default_factory=list)
    numbers: dict[int, int | None] = field(default_factory=dict)
    shares: dict[int, dict[int, int]] = field(default_factory=dict)
    follows: dict[int, bool] = field(default_factory=dict)
    zeroes: dict[int, bool] = field(default_factory=dict)
    # Living units by slug, as all that is said of units was checked with.
    units: dict[str, Unit] = field(default_factory=dict)

    def of_project(self, external_ids: Mapping[str, str]) -> ProjectAnswer:
        """What is said of a project under any of its ids, {identity's slug: id}."""
        for external_id in external_ids.values():
            if external_id in self.projects:
                return self.projects[external_id]
        return ProjectAnswer()

    def room_of(self, holder: str) -> str:
        """issue | fund | keep for an envelope by its unit's slug, or "pool"; "" unsaid."""
        return self.room.get(holder) or self.room.get("*", "")
