"""What people of the soak sent and what they were told: a file of its own, beside the database.

A line is written before a call leaves and another one when its answer is there. What has no
answer, or one that leaves it open, has an unknown fate: it may have happened once, or not.
"""

import json
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Fate(StrEnum):
    """What somebody who sent a call knows of it."""

    ACCEPTED = "accepted"  # 2xx
    REFUSED = "refused"  # 4xx: it has not happened
    UNSENT = "unsent"  # nobody took the connection
    UNKNOWN = "unknown"  # 5xx, or no answer


@dataclass
class Note:
    """One call that changes something; `marker` stands in the text that is sent along.

    granted: {line id: amount}; `is_stale`: sent with figures that cannot be true any more;
    `answer_id`: what the answer called the thing that was made.
    """

    marker: str
    verb: str
    by: str
    request: int | None = None
    granted: dict[int, int] = field(default_factory=dict)
    is_stale: bool = False
    fate: Fate = Fate.UNKNOWN
    status: int | None = None
    answer_id: int | None = None


class Notes:
    """Append-only; safe for threads."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._lock = threading.Lock()

    def sent(self, note: Note) -> None:
        sent = {"marker": note.marker, "verb": note.verb, "by": note.by}
        more = {"request": note.request, "granted": note.granted, "is_stale": note.is_stale}
        self._write(sent | more)

    def answered(self, note: Note) -> None:
        self._write(
            {
                "marker": note.marker,
                "fate": note.fate,
                "status": note.status,
                "answer_id": note.answer_id,
            }
        )

    def close(self) -> None:
        self._file.close()

    def _write(self, row: dict[str, Any]) -> None:
        with self._lock:
            self._file.write(json.dumps(row) + "\n")
            self._file.flush()


def read_notes(path: Path) -> dict[str, Note]:
    """{marker: its note}; one that has no answer stays unknown."""
    found: dict[str, Note] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if row["marker"] not in found:
            granted = {int(key): value for key, value in row["granted"].items()}
            found[row["marker"]] = Note(**row | {"granted": granted})
        else:
            note = found[row["marker"]]
            note.fate = Fate(row["fate"])
            note.status, note.answer_id = row["status"], row["answer_id"]
    return found
