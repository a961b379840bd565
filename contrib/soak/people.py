"""The people of the soak: each a thread that asks, or decides, by the REST API.

They behave as people do: look, then act on what was seen, which may be old by then. What
broke off they look at again and try anew; nothing is sent twice under one marker.
"""

import itertools
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from contrib.soak.door import Answer, Door
from contrib.soak.figures import Figures
from contrib.soak.notes import Fate, Note, Notes
from contrib.soak.site import MOST_STEPS, STEPS, offerings

# Shares of what a decider does with a request that can be decided.
DECLINED, TRIMMED, STALE = 0.08, 0.12, 0.10
# How often a decider takes what a colleague has just looked at: two people at one request.
SAME_PICTURE = 0.25
Row = dict[str, Any]


class Crowd:
    """What all people share: where Remit is, their notes, and when to stop."""

    def __init__(
        self, url: str, notes: Notes, figures: Figures, regions: Sequence[str], seed: int
    ) -> None:
        self.url = url
        self.notes = notes
        self.figures = figures
        self.regions = regions
        self.seed = seed
        self.stopping = threading.Event()
        # Grows while they work; a list's append is atomic.
        self.projects: list[str] = []
        self.last_picture: Row | None = None
        self.crashes: list[str] = []
        self._numbers = itertools.count(1)

    def marker(self) -> str:
        """A text that nobody else sends."""
        return f"soak-{self.seed}-{next(self._numbers)}"

    def send(self, door: Door, path: str, body: Row, note: Note) -> Answer:
        """Note it, send it, note what came back."""
        kind = "asks" if note.verb == "ask" else "decisions"
        self.figures.count(f"{kind} sent")
        self.notes.sent(note)
        answer = door.post(path, body)
        note.fate, note.status = answer.fate, answer.status
        if answer.fate is Fate.ACCEPTED:
            note.answer_id = answer.body["id"]
        self.notes.answered(note)
        self.figures.count(f"{kind} {answer.fate}")
        if answer.fate is Fate.REFUSED:
            self.figures.count(f"{kind} refused: {answer.code}")
        return answer


class Person(threading.Thread, ABC):
    """Does `act` again and again until the crowd stops."""

    def __init__(self, crowd: Crowd, name: str, pauses: tuple[float, float]) -> None:
        super().__init__(name=name, daemon=True)
        self.crowd = crowd
        self.door = Door(crowd.url)
        self.rng = random.Random(f"{name} {crowd.seed}")  # noqa: S311 it is repeatable
        self._pauses = pauses

    def run(self) -> None:
        try:
            while not self.crowd.stopping.wait(self.rng.uniform(*self._pauses)):
                self.act()
        except Exception as error:  # noqa: BLE001 told at the end, as a difference
            self.crowd.crashes.append(f"{self.name} ended: {error!r}")

    @abstractmethod
    def act(self) -> None:
        """One thing that such a person does. Whatever it raises ends them, and is told."""


class Asker(Person):
    """Asks for more or less of some offerings of a region."""

    def act(self) -> None:
        project = self.rng.choice(self.crowd.projects)
        region = self.rng.choice(self.crowd.regions)
        chosen = self.rng.sample(offerings(region), self.rng.randint(1, 3))
        marker = self.crowd.marker()
        body = {
            "project": project,
            "lines": {slug: self._amount(slug) for slug in chosen},
            "reason": marker,
        }
        self.crowd.send(self.door, "requests/", body, Note(marker, "ask", self.name))

    def _amount(self, slug: str) -> int:
        kind = slug.rpartition(".")[2]
        return self.rng.randrange(MOST_STEPS[kind]) * STEPS[kind]


class Decider(Person):
    """Takes a request from the queue and decides it, now and then with old figures."""

    def act(self) -> None:
        picture = self._look()
        if picture is None:
            return
        lines = [line for line in picture["lines"] if line["state"] == "open"]
        if not lines:
            return
        act = self._choose()
        act(picture, lines)

    def _look(self) -> Row | None:
        seen = self.crowd.last_picture
        if seen is not None and self.rng.random() < SAME_PICTURE:
            return seen
        rows = self.door.get("queue/")
        if rows.fate is not Fate.ACCEPTED or not rows.body["results"]:
            return None
        self.crowd.last_picture = self.rng.choice(rows.body["results"])
        return self.crowd.last_picture

    def _choose(self) -> Callable[[Row, list[Row]], None]:
        chance = self.rng.random()
        if chance < DECLINED:
            return self._decline
        if chance < DECLINED + STALE:
            return self._approve_with_old_figures
        return self._approve

    def _approve(self, picture: Row, lines: list[Row]) -> None:
        granted = {line["id"]: self._granted(line) for line in lines}
        seen = {line["id"]: line["balance"] for line in lines}
        self._send_approval(picture, granted, seen, picture["version"], is_stale=False)

    def _approve_with_old_figures(self, picture: Row, lines: list[Row]) -> None:
        """Either the version or a quota is one that was never there for this request."""
        granted = {line["id"]: line["wanted"] for line in lines}
        seen = {line["id"]: line["balance"] for line in lines}
        version = picture["version"]
        if self.rng.random() < 0.5:
            version -= 1
        else:
            seen[lines[0]["id"]] += 1
        self._send_approval(picture, granted, seen, version, is_stale=True)

    def _granted(self, line: Row) -> int:
        """As asked, or half-way from the quota now, in steps."""
        wanted, balance = line["wanted"], line["balance"]
        if self.rng.random() >= TRIMMED:
            return int(wanted)
        step = STEPS[line["offering"].rpartition(".")[2]]
        half = balance + (wanted - balance) // step // 2 * step
        return int(wanted if half == balance else half)

    def _send_approval(
        self, picture: Row, granted: dict[int, int], seen: dict[int, int], version: int,
        *, is_stale: bool,
    ) -> None:  # fmt: skip
        marker = self.crowd.marker()
        note = Note(
            marker, "approve", self.name, request=picture["id"], granted=granted, is_stale=is_stale
        )
        body = {
            "granted": {str(key): value for key, value in granted.items()},
            "seen": {str(key): value for key, value in seen.items()},
            "version": version,
            "reason": marker,
        }
        self.crowd.send(self.door, f"requests/{picture['id']}/approve/", body, note)

    def _decline(self, picture: Row, lines: list[Row]) -> None:
        marker = self.crowd.marker()
        body = {
            "lines": [line["id"] for line in lines],
            "reason": marker,
            "version": picture["version"],
        }
        note = Note(marker, "decline", self.name, request=picture["id"])
        self.crowd.send(self.door, f"requests/{picture['id']}/decline/", body, note)
