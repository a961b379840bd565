"""The fault bench: what goes wrong on purpose, what is held, and what was called.

Faults and pauses match calls by service, region, method and patterns for path and body;
what is not given matches all. They let the first `skip` calls that match pass and are used
up by `count`; without one they stay. The sandbox and the proxy share this bench.
"""

import hashlib
import itertools
import json
import re
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

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
    "expired": "answers 401 to the token that it meets first; the next one is good again",
    "refuse": "the service's port refuses connections, once `skip` calls were answered",
}
MEMORY = 10_000


class Gate(Protocol):
    """The port of one service."""

    def close(self) -> None:
        """Refuse connections, and end those on which no call is under way."""

    def open(self) -> None:
        """Take connections again."""


@dataclass
class Match:
    service: str | None = None  # identity, compute, volume, network, share, balancer, storage
    region: str | None = None
    method: str | None = None
    path: str = ""  # a regular expression, searched in the path with its query
    body: str = ""  # the same for the body's JSON
    skip: int = 0
    count: int | None = None

    def fits(self, seen: "Seen") -> bool:
        return (
            self.service in (None, seen.service)
            and self.region in (None, seen.region)
            and self.method in (None, seen.method)
            and re.search(self.path, seen.path) is not None
            and (not self.body or re.search(self.body, json.dumps(seen.body)) is not None)
        )

    def take(self, seen: "Seen") -> bool:
        """Whether this call is meant, counted."""
        if self.count == 0 or not self.fits(seen):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.count is not None:
            self.count -= 1
        return True


@dataclass
class Fault(Match):
    kind: str = "status"
    status: int = 503
    message: str = "The sandbox was told to fail."
    retry_after: int | None = None
    seconds: float = 1.0
    # The token that has expired, as a digest.
    token: str = field(default="", init=False)

    def take(self, seen: "Seen") -> bool:
        if self.kind == "refuse":
            return False  # it is the port that refuses: see `Bench.answered`
        if self.kind != "expired":
            return super().take(seen)
        if not seen.token or self.token not in ("", seen.token) or not super().take(seen):
            return False
        self.token = seen.token
        return True


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
    fault: str = ""  # the kind that it met, of a status its number
    token: str = ""  # a digest of what the caller signed it with

    @property
    def place(self) -> "Place":
        return self.service, self.region


# A service, and its region where it has one.
Place = tuple[str, str | None]


@dataclass
class Bench:
    faults: dict[int, Fault] = field(default_factory=dict)
    pauses: dict[int, Pause] = field(default_factory=dict)
    latency: dict[Place, float] = field(default_factory=dict)
    calls: deque[Seen] = field(default_factory=lambda: deque(maxlen=MEMORY))
    # Calls under way, and the most that ever were.
    in_flight: Counter[Place] = field(default_factory=Counter)
    most_in_flight: Counter[Place] = field(default_factory=Counter)
    # Where each service has a port of its own.
    gates: dict[Place, Gate] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._is_closing = False

    def add_fault(self, fault: Fault) -> int:
        if fault.kind not in KINDS:
            raise ValueError(f"no kind of fault is called {fault.kind!r}: {', '.join(KINDS)}")
        gates = self._gates_of(fault) if fault.kind == "refuse" else []
        if fault.kind == "refuse" and not gates:
            raise ValueError("services on one port cannot refuse alone: put the proxy before them")
        with self._changed:
            number = next(self._numbers)
            self.faults[number] = fault
        if fault.skip == 0:
            for gate in gates:
                gate.close()
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
            fault = self.faults.pop(number, None)
            pause = self.pauses.pop(number, None)
            if pause is not None:
                pause.is_open = True
            self._changed.notify_all()
        if fault is not None and fault.kind == "refuse":
            for gate in self._gates_of(fault):
                gate.open()

    def clear(self) -> None:
        """No faults, no pauses, no latency, no memory of calls."""
        for number in [*self.faults, *self.pauses]:
            self.remove(number)
        with self._changed:
            self.latency.clear()
            self.forget_calls()

    def close(self) -> None:
        """Let everything go: the server ends."""
        with self._changed:
            self._is_closing = True
        self.clear()

    def note(
        self, service: str, region: str | None, method: str, path: str, body: Any, token: str = ""
    ) -> Seen:
        with self._changed:
            seen = Seen(next(self._numbers), service, region, method, path, body)
            seen.token = hashlib.sha256(token.encode()).hexdigest()[:12] if token else ""
            self.calls.append(seen)
            return seen

    @contextmanager
    def under_way(self, seen: Seen) -> Iterator[None]:
        """Count a call until its answer leaves."""
        # Signing in and asking for versions are part of the first call to any service.
        is_greeting = "/auth/" in seen.path or "/" not in seen.path.strip("/")
        place = ("greeting", None) if is_greeting else seen.place
        with self._changed:
            self.in_flight[place] += 1
            self.most_in_flight[place] = max(self.most_in_flight[place], self.in_flight[place])
        try:
            yield
        finally:
            with self._changed:
                self.in_flight[place] -= 1

    def forget_calls(self) -> None:
        """Those that were answered; those under way count on."""
        with self._changed:
            self.calls.clear()
            self.most_in_flight = Counter(+self.in_flight)

    def calls_seen(self) -> list[dict[str, Any]]:
        with self._changed:
            return [asdict(call) for call in self.calls]

    def take_calls(self) -> list[dict[str, Any]]:
        """The calls seen, which are forgotten: each is taken once."""
        with self._changed:
            calls = self.calls_seen()
            self.forget_calls()
            return calls

    def take_fault(self, seen: Seen) -> tuple[int, Fault] | None:
        """The first fault that is meant for the call, counted."""
        with self._changed:
            found = (item for item in self.faults.items() if item[1].take(seen))
            number, fault = next(found, (0, None))
            if fault is None:
                return None
            seen.fault = str(fault.status) if fault.kind == "status" else fault.kind
            return number, fault

    def answered(self, seen: Seen) -> bool:
        """Before an answer leaves: whether its port refuses everything after it."""
        closing: list[Gate] = []
        with self._changed:
            for fault in self.faults.values():
                if fault.kind == "refuse" and fault.skip and fault.fits(seen):
                    fault.skip -= 1
                    if fault.skip == 0:
                        closing += self._gates_of(fault)
        for gate in closing:
            gate.close()
        return bool(closing)

    def _gates_of(self, fault: Fault) -> list[Gate]:
        return [
            gate
            for (service, region), gate in self.gates.items()
            if fault.service in (None, service) and fault.region in (None, region)
        ]

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
            keys = (seen.place, (seen.service, None))
            seconds = next((self.latency[key] for key in keys if key in self.latency), 0.0)
        if seconds:
            self.wait(seconds)

    def hold(self, seen: Seen, when: str) -> None:
        """Stop here while a pause fits."""
        with self._changed:
            for pause in list(self.pauses.values()):
                if pause.when == when and pause.take(seen):
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
