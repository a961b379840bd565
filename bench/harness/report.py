"""What a part is given, and what is kept of what it found: bench/results."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .machine import machine
from .rows import Row

RESULTS = Path(__file__).resolve().parents[1] / "results"
LATEST = RESULTS / "latest.json"


@dataclass(frozen=True)
class Site:
    """What a part measures.

    scale: a made site's, "" of a part that brings its own; environment: of processes of Remit on
    it, as in production (`places.production`); minutes: how long a long part may take.
    """

    scale: str
    environment: Mapping[str, str]
    minutes: float = 60.0


@dataclass
class Report:
    """Takes what is to be kept beside the figures, for tables and plots.

    kept: {name: what JSON can hold}.
    """

    kept: dict[str, Any] = field(default_factory=dict)

    def say(self, words: str) -> None:
        """To who waits for it."""
        print(words, flush=True)

    def keep(self, name: str, found: Any) -> None:
        self.kept[name] = found


def write_part(part: str, scale: str, rows: list[Row], kept: Mapping[str, Any]) -> None:
    """What a part found on a site, with the machine that it was found on; and all of it anew."""
    path = RESULTS / f"{part}-{scale}.json" if scale else RESULTS / f"{part}.json"
    found = {"part": part, "scale": scale, "machine": machine(), "rows": rows, "kept": dict(kept)}
    path.write_text(json.dumps(found, indent=1) + "\n")
    write_latest()


def parts() -> list[dict[str, Any]]:
    """Of all parts what they found last, in a steady order."""
    paths = sorted(each for each in RESULTS.glob("*.json") if each != LATEST)
    return [json.loads(each.read_text()) for each in paths]


def write_latest() -> list[Row]:
    """The rows of all parts as one list."""
    rows = [row for part in parts() for row in part["rows"]]
    LATEST.write_text(
        "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n" if rows else "[]\n"
    )
    return rows
