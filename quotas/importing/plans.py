"""What becomes of a project of a cloud: left out, blocked by a question, or taken over as what."""

from dataclasses import dataclass, field
from enum import StrEnum

from projects.models import Project, Unit
from projects.states import Role
from quotas.backends.base import HolderKind, IdentityProject
from quotas.models import KeptLimit

from .answers import ProjectAnswer
from .contradictions import Contradiction, shown
from .people import Person


class Verdict(StrEnum):
    """What an import does with a project."""

    LEFT_OUT = "left out"
    BLOCKED = "waiting for an answer"
    NEW = "to be taken over"
    # Remit's since an earlier run: perhaps something is still to be answered, or to be tagged.
    OURS = "Remit's already"


@dataclass
class Candidate:
    """A project of one name in one or more identity services. parts: by identities' ids, those
    that are to be taken over; known: those that are ours already; project: whose they are."""

    name: str
    parts: dict[int, IdentityProject] = field(default_factory=dict)
    known: dict[int, IdentityProject] = field(default_factory=dict)
    project: Project | None = None

    @property
    def everywhere(self) -> dict[int, IdentityProject]:
        return self.parts | self.known


@dataclass
class Plan:
    """What becomes of a candidate, and what is in doubt. roles: who is to hold which role."""

    candidate: Candidate
    verdict: Verdict
    answer: ProjectAnswer
    name: str = ""
    description: str = ""
    unit: Unit | None = None
    is_suspended: bool = False
    roles: dict[Person, Role] = field(default_factory=dict)
    # Keys of people whom the answers have accounts made of, with their roles.
    to_make: dict[tuple[int, HolderKind, str], Role] = field(default_factory=dict)
    contradictions: list[Contradiction] = field(default_factory=list)
    # Identities whose project of ours lacks our tag.
    untagged: list[int] = field(default_factory=list)
    # Limits that were kept and that answers may explain now, by id.
    kept: dict[int, KeptLimit] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Name and id, as the report shows them."""
        first = next(iter(self.candidate.everywhere.values()))
        return f"{shown(self.candidate.name)} ({shown(first.external_id)})"

    @property
    def is_to_be_read(self) -> bool:
        return self.verdict in (Verdict.NEW, Verdict.BLOCKED) or bool(self.kept)
