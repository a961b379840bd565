"""Who decides what at once, and what came of it; told between processes as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """person: by id; requests: decided one after the other, as asked."""

    person: int
    requests: Sequence[int]


@dataclass(frozen=True)
class Decided:
    """seconds: from the first decision's beginning to the last one's end; refused: in words."""

    seconds: float
    granted: int
    refused: Sequence[str]
