"""The fault bench: what goes wrong on purpose, what is held, and what was called.

Faults and pauses match calls by service, region, method and a pattern for the path;
what is not given matches all. Faults are used up by `count`; without one they stay.
"""

import itertools
import re
import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "hang": "keeps the connection and never answers",
    "slow": "waits `seconds`, then acts as usual",
    "drip": "acts, then sends the answer a byte every `seconds`",
    "drop": "closes the connection, nothing was done",
    "drop_after": "acts, then closes the connection without an answer",
    "half_body": "acts, then breaks off in the middle of the answer's body",
    "status": "answers `status` with `message` in the service's envelope; nothing was done",
    "not_json": "answers 200 with a web page; nothing was done",
    "wrong_json": "answers 200 with JSON of another shape; nothing was done",
    "ignore": "answers a write with 200 and changes nothing",
}
MEMORY = 10_000


@dataclass
class Match:
    service: str | None = None  # identity, compute, volume
    region: str | None = None
    method: str | None = None
    path: str = ""  # a regular expression, searched in the path with its query

    def fits(self, service: str, region: str | None, method: str, path: str) -> bool:
        return (
            self.service in (None, service)
            and self.region in (None, region)
            and self.method in (None, method)
            and re.search(self.path, path) is not None
        )


@dataclass
class Fault(Match):
    kind: str = "status"
    count: int | None = None
    status: int = 503
    message: str = "The sandbox was told to fail."
    retry_after: int | None = None
    seconds: float = 1.0


@dataclass
class Pause(Match):
    when: str = "before"  # or "after": it is done, and the answer is held
    held: int = 0
    is_open: bool = False


@dataclass
class Seen:
    number: int
    service: str
    region: str | None
    method: str
    path: str
    body: Any
    status: int | None = None  # None: no answer was given, or not yet


@dataclass
class Bench:
    faults: dict[int, Fault] = field(default_factory=dict)
    pauses: dict[int, Pause] = field(default_factory=dict)
    latency: dict[tuple[str, str | None], float] = field(default_factory=dict)
    calls: deque[Seen] = field(default_factory=lambda: deque(maxlen=MEMORY))

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._is_closing = False

    def add_fault(self, fault: Fault) -> int:
        if fault.kind not in KINDS:
            raise ValueError(f"no kind of fault is called {fault.kind!r}: {', '.join(KINDS)}")
        with self._changed:
            number = next(self._numbers)
            self.faults[number] = fault
            return number

    def add_pause(self, pause: Pause) -> int:
        if pause.when not in ("before", "after"):
            raise ValueError("a pause is before or after")
        with self._changed:
            number = next(self._numbers)
            self.pauses[number] = pause
            return number

    def remove(self, number: int) -> None:
        """End a fault or a pause; what hangs or is held goes on."""
        with self._changed:
            self.faults.pop(number, None)
            pause = self.pauses.pop(number, None)
            if pause is not None:
                pause.is_open = True
            self._changed.notify_all()

    def clear(self) -> None:
        """No faults, no pauses, no latency, no memory of calls."""
        with self._changed:
            for number in [*self.faults, *self.pauses]:
                self.remove(number)
            self.latency.clear()
            self.calls.clear()

    def close(self) -> None:
        """Let everything go: the server ends."""
        with self._changed:
            self._is_closing = True
            self.clear()

    def note(self, service: str, region: str | None, method: str, path: str, body: Any) -> Seen:
        with self._changed:
            seen = Seen(next(self._numbers), service, region, method, path, body)
            self.calls.append(seen)
            return seen

    def calls_seen(self) -> list[dict[str, Any]]:
        with self._changed:
            return [asdict(call) for call in self.calls]

    def take_fault(self, seen: Seen) -> tuple[int, Fault] | None:
        """The first fault that fits, counted."""
        with self._changed:
            for number, fault in self.faults.items():
                if fault.count == 0 or not fault.fits(*_of(seen)):
                    continue
                if fault.count is not None:
                    fault.count -= 1
                return number, fault
            return None

    def hang(self, number: int) -> None:
        """Until the fault is removed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing or number not in self.faults)

    def wait(self, seconds: float) -> None:
        """Latency, cut short when the server ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closing, timeout=seconds)

    def delay(self, seen: Seen) -> None:
        with self._changed:
            keys = ((seen.service, seen.region), (seen.service, None))
            seconds = next((self.latency[key] for key in keys if key in self.latency), 0.0)
        if seconds:
            self.wait(seconds)

    def hold(self, seen: Seen, when: str) -> None:
        """Stop here while a pause fits."""
        with self._changed:
            for pause in list(self.pauses.values()):
                if pause.when == when and pause.fits(*_of(seen)):
                    pause.held += 1
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._is_closing or pause.is_open)  # noqa: B023 -- waited for at once

    def wait_until_held(self, number: int, count: int, seconds: float) -> bool:
        """True once the pause has held so many calls."""
        with self._changed:
            pause = self.pauses[number]
            self._changed.wait_for(
                lambda: self._is_closing or pause.is_open or pause.held >= count, timeout=seconds
            )
            return pause.held >= count


def _of(seen: Seen) -> tuple[str, str | None, str, str]:
    return seen.service, seen.region, seen.method, seen.path
