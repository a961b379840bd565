"""What a file says once of services and offerings, before a region and a zone fill it."""

from dataclasses import dataclass

from . import words
from .document import Block


@dataclass(frozen=True)
class LimitTemplate:
    key: str
    name: str
    unit: str
    step: int
    order: int
    line: int


@dataclass(frozen=True)
class Service:
    slug: str
    block: Block
    limits: dict[str, LimitTemplate]


@dataclass(frozen=True)
class FeedTemplate:
    service: str
    key: str
    factor: int
    line: int


Offers = dict[str, tuple[tuple[FeedTemplate, ...], int]]


def placeholders_of_zones(key: str) -> set[str]:
    """The placeholders that only a zone can fill."""
    return words.placeholders(key) & {"zone", "type"}
