"""What a check of a decision or of an act finds: what must be, and what is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from projects.models import ProjectAct
from quotas.models import Decision, EnvelopeAct

# What is judged: each has an id, a moment and a proof.
Judged = Decision | EnvelopeAct | ProjectAct


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be; of a decision, of an act on an envelope or a project,
    or (None) of neither."""

    decision: int | None
    what: str
    expected: Any
    found: Any
    act: int | None = None
    project_act: int | None = None

    @classmethod
    def of(cls, judged: Judged, what: str, expected: Any, found: Any) -> "Finding":
        if isinstance(judged, EnvelopeAct):
            return cls(None, what, expected, found, act=judged.pk)
        if isinstance(judged, ProjectAct):
            return cls(None, what, expected, found, project_act=judged.pk)
        return cls(judged.pk, what, expected, found)

    @property
    def sentence(self) -> str:
        """Say "Decision 12: line 3 granted: expected 100, found 50."."""
        where = f"Decision {self.decision}: " if self.decision is not None else ""
        if self.act is not None:
            where = f"Act {self.act} on an envelope: "
        if self.project_act is not None:
            where = f"Act {self.project_act} on a project: "
        return f"{where}{self.what}: expected {self.expected}, found {self.found}."


def compare(judged: Judged, pairs: Iterable[tuple[str, Any, Any]]) -> Iterator[Finding]:
    """One finding for each (what, expected, found) that differs."""
    for what, expected, found in pairs:
        if expected != found:
            yield Finding.of(judged, what, expected, found)
