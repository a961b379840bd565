"""A small discrete-event simulator: those who act, what they wait for, and when they give up.

Somebody who acts is a generator that yields seconds to pass, or a `Take`; a `Take` is answered by
whether it was had in time. Whoever took a resource gives it back by its `free`.
"""

import heapq
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

Actor = Generator["float | Take", bool, None]


@dataclass
class Resource:
    """So many at once; who waits is served in the order in which they came."""

    simulator: "Simulator"
    capacity: int = 1
    held: int = 0
    waiting: deque["_Waiting"] = field(default_factory=deque)

    def free(self) -> None:
        while self.waiting:
            following = self.waiting.popleft()
            if not following.is_over:
                following.is_over = True
                self.simulator.soon(following.actor, answer=True)
                return
        self.held -= 1


@dataclass(frozen=True)
class Take:
    """Wait for a resource, at most for so many seconds."""

    resource: Resource
    patience: float = float("inf")


@dataclass
class _Waiting:
    actor: Actor
    is_over: bool = False


class Simulator:
    """Time, and what happens at which moment of it."""

    def __init__(self) -> None:
        self.now = 0.0
        self._count = 0
        self._coming: list[tuple[float, int, Callable[[], None]]] = []

    def start(self, actor: Actor, at: float) -> None:
        self._at(at, lambda: self._step(actor, None))

    def soon(self, actor: Actor, *, answer: bool) -> None:
        self._at(self.now, lambda: self._step(actor, answer))

    def run(self, until: float = float("inf")) -> None:
        """Until nothing is left to happen, or that moment."""
        while self._coming and self._coming[0][0] <= until:
            self.now, _order, act = heapq.heappop(self._coming)
            act()

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._coming, (moment, self._count, act))

    def _step(self, actor: Actor, answer: bool | None) -> None:
        try:
            wish = next(actor) if answer is None else actor.send(answer)
        except StopIteration:
            return
        if isinstance(wish, Take):
            self._take(actor, wish)
        else:
            self._at(self.now + wish, lambda: self._step(actor, True))

    def _take(self, actor: Actor, wish: Take) -> None:
        resource = wish.resource
        if resource.held < resource.capacity:
            resource.held += 1
            self.soon(actor, answer=True)
            return
        waiting = _Waiting(actor)
        resource.waiting.append(waiting)
        if wish.patience != float("inf"):
            self._at(self.now + wish.patience, lambda: self._give_up(waiting))

    def _give_up(self, waiting: _Waiting) -> None:
        if not waiting.is_over:
            waiting.is_over = True
            self.soon(waiting.actor, answer=False)
