"""What is killed and which faults are set, and when: drawn from the seed alone.

Cards are dealt in shuffled rounds, so that one minute holds every kind at least once.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

Card = TypeVar("Card")

# A "child" is one process below the one that is started; "postmaster" leaves the other
# processes of the database to find out by themselves.
KILLS = (
    "worker",
    "worker child",
    "web",
    "web child",
    "beat",
    "broker",
    "database",
    "postmaster",
    "cloud",
)
# By the names of the sandbox's bench; a number is an HTTP status.
FAULTS = (
    "hang",
    "slow",
    "drip",
    "drop",
    "drop_after",
    "half_body",
    "not_json",
    "wrong_json",
    "ignore",
    "expired",
    "401",
    "403",
    "404",
    "409",
    "429",
    "500",
    "503",
)
SERVICES = ("identity", "compute", "volume")
# Shortest and longest pause between two of a kind: a round of all fits into a minute.
BETWEEN_KILLS = (3.0, 6.0)
BETWEEN_FAULTS = (1.2, 3.2)
BETWEEN_PROJECTS = (15.0, 30.0)
BETWEEN_USES = (5.0, 12.0)


@dataclass(frozen=True)
class Kill:
    """SIGKILL to `what`, which is started again after `pause` seconds.

    `pick`, from 0 to 1, says which one where there are several.
    """

    at: float
    what: str
    pause: float
    pick: float


@dataclass(frozen=True)
class Fault:
    """A fault at a service: for so many calls, and for so many seconds at most.

    `region` is a number in the cloud's list; `slowness` is what slow and drip take.
    """

    at: float
    kind: str
    service: str
    region: int
    count: int
    seconds: float
    slowness: float


@dataclass(frozen=True)
class NewProject:
    """One more project for the site: it must be made in the cloud, once."""

    at: float


@dataclass(frozen=True)
class Use:
    """A project's use changes, so that some decreases must be refused.

    `pick`, from 0 to 1, says which project; `share` how much is used.
    """

    at: float
    service: str
    region: int
    pick: float
    share: float


Act = Kill | Fault | NewProject | Use


def schedule(seed: int, seconds: float, *, regions: int) -> list[Act]:
    """Everything that happens in so many seconds, in the order of time."""
    rng = random.Random(f"schedule {seed}")  # noqa: S311 it is repeatable, which is the point
    acts: list[Act] = []
    for at, what in zip(
        _times(rng, 2.0, BETWEEN_KILLS, seconds), _rounds(rng, KILLS), strict=False
    ):
        acts.append(Kill(at, what, pause=rng.uniform(0.1, 2.0), pick=rng.random()))
    for at, kind in zip(
        _times(rng, 1.0, BETWEEN_FAULTS, seconds), _rounds(rng, FAULTS), strict=False
    ):
        acts.append(
            Fault(
                at,
                kind,
                service=rng.choice(SERVICES),
                region=rng.randrange(regions),
                count=rng.randint(1, 4),
                seconds=rng.uniform(1.0, 6.0),
                slowness=rng.choice((0.05, 0.5, 3.0)),
            )
        )
    acts += [NewProject(at) for at in _times(rng, 8.0, BETWEEN_PROJECTS, seconds)]
    acts += [
        Use(at, rng.choice(SERVICES[1:]), rng.randrange(regions), rng.random(), rng.random())
        for at in _times(rng, 5.0, BETWEEN_USES, seconds)
    ]
    return sorted(acts, key=lambda act: act.at)


def _times(
    rng: random.Random, first: float, between: tuple[float, float], seconds: float
) -> Iterator[float]:
    at = first
    while at < seconds:
        yield at
        at += rng.uniform(*between)


def _rounds(rng: random.Random, cards: Sequence[Card]) -> Iterator[Card]:
    """All cards in a random order, again and again."""
    while True:
        yield from rng.sample(cards, len(cards))
