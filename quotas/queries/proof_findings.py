"""What a check of a decision finds: what it is about, what must be, and what is."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from quotas.models import Decision


@dataclass(frozen=True)
class Finding:
    """Something that is not as it must be; decision: None where it belongs to no single one."""

    decision: int | None
    what: str
    expected: Any
    found: Any

    @property
    def sentence(self) -> str:
        """Say "Decision 12: line 3 granted: expected 100, found 50."."""
        where = f"Decision {self.decision}: " if self.decision is not None else ""
        return f"{where}{self.what}: expected {self.expected}, found {self.found}."


def compare(decision: Decision, pairs: Iterable[tuple[str, Any, Any]]) -> Iterator[Finding]:
    """One finding for each (what, expected, found) that differs."""
    for what, expected, found in pairs:
        if expected != found:
            yield Finding(decision.pk, what, expected, found)
