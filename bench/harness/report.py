"""What a part is given, and what is kept of what it found: bench/results.

A file of each part on each site, and latest.json, which is the rows of all of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .explained import EXPLAINED
from .machine import machine
from .rows import Figure, Row, explained

RESULTS = Path(__file__).resolve().parents[1] / "results"
LATEST = RESULTS / "latest.json"
PARTS = RESULTS / "parts"


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

    def tell(self, found: Figure) -> None:
        """One line of a figure."""
        said = [f"{found.work}, {found.size}:"]
        if found.pairs is not None:
            pairs = found.pairs
            said += [f"{pairs.ratio:.2f} × floor (best {pairs.best_ratio:.2f});",
                     f"{pairs.median_ms:.1f} ms, best {pairs.best_ms:.1f};",
                     f"floor {pairs.floor_ms:.1f}; {len(pairs.ours)} pairs;"]  # fmt: skip
        if found.ratio is not None:
            said.append(f"{found.ratio:.2f} ×;")
        if found.value is not None:
            said.append(f"{found.value:.4g} {found.unit or ''};")
        if found.queries is not None:
            said.append(f"{found.queries} queries;")
        if found.bytes is not None:
            said.append(f"{found.bytes:,} B, {found.compressed or 0:,} B as sent;")
        if found.cpu_ms is not None:
            said.append(f"{found.cpu_ms:.1f} ms CPU;")
        if found.pairs is not None and found.pairs.cpu_ratio is not None:
            said.append(f"CPU {found.pairs.cpu_ratio:.2f} × floor")
        self.say(" ".join(said).rstrip(";"))

    def keep(self, name: str, found: Any) -> None:
        self.kept[name] = found


def write_part(part: str, scale: str, rows: list[Row], kept: Mapping[str, Any]) -> None:
    """What a part found on a site, with the machine that it was found on; and all of it anew."""
    path = PARTS / (f"{part}-{scale}.json" if scale else f"{part}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"part": part, "scale": scale, "machine": machine(), "rows": rows, "kept": dict(kept)}
    path.write_text(json.dumps(found, indent=1) + "\n")
    write_latest()


def parts() -> list[dict[str, Any]]:
    """Of all parts what they found last, in a steady order."""
    return [json.loads(each.read_text()) for each in sorted(PARTS.glob("*.json"))]


def write_latest() -> list[Row]:
    """The rows of all parts as one list, with what is said of those that miss their limit."""
    rows = explained((row for part in parts() for row in part["rows"]), EXPLAINED)
    LATEST.write_text(
        "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n" if rows else "[]\n"
    )
    return rows
