"""What a part is given, and what is kept of what it found: bench/results.

A file of each part on each site, and latest.json, which is the rows of all of them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .explained import EXPLAINED
from .growth import flatness
from .machine import machine
from .rows import Figure, Row, explained, rows_of

RESULTS = Path(__file__).resolve().parents[1] / "results"
LATEST = RESULTS / "latest.json"
PARTS = RESULTS / "parts"
# The variable by which a part's process is told of its site.
FACTS = "BENCH_SITE"


@dataclass(frozen=True)
class Site:
    """What a part measures.

    scale: a made site's, "" of a part that brings its own; environment: of processes of Remit on
    it, as in production (`places.production`); minutes: how long a long part may take, seconds: how
    long the pairs of one page; facts: how many of everything it has, and its seed.
    """

    scale: str
    environment: Mapping[str, str]
    minutes: float = 60.0
    seconds: float = 20.0
    facts: Mapping[str, int] | None = None


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
        if found.reason is not None:
            said.append(f"not measured: {found.reason};")
        if found.queries is not None:
            said.append(f"{found.queries} queries;")
        if found.bytes is not None:
            said.append(f"{found.bytes:,} B;")
        if found.compressed is not None:
            said.append(f"{found.compressed:,} B packed;")
        if found.cpu_ms is not None:
            said.append(f"{found.cpu_ms:.1f} ms CPU in the worker;")
        if found.pairs is not None and found.pairs.backend_ms is not None:
            said.append(f"{found.pairs.backend_ms:.1f} ms in the database;")
        if found.pairs is not None and found.pairs.cpu_ratio is not None:
            said.append(f"all CPU {found.pairs.cpu_ratio:.2f} × floor")
        self.say(" ".join(said).rstrip(";"))

    def keep(self, name: str, found: Any) -> None:
        self.kept[name] = found


def write_part(part: str, site: Site, rows: list[Row], kept: Mapping[str, Any]) -> None:
    """What a part found on a site, with the machine that it was found on; and all of it anew."""
    path = PARTS / (f"{part}-{site.scale}.json" if site.scale else f"{part}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    url = site.environment["DATABASE_URL"] if site.scale else ""
    found = {
        "part": part, "scale": site.scale, "site": site.facts, "machine": machine(url),
        "rows": rows, "kept": dict(kept),
    }  # fmt: skip
    path.write_text(json.dumps(found, indent=1) + "\n")
    write_latest()


def parts() -> list[dict[str, Any]]:
    """Of all parts what they found last, in a steady order."""
    return [json.loads(each.read_text()) for each in sorted(PARTS.glob("*.json"))]


def write_latest() -> list[Row]:
    """The rows of all parts as one list, with what is said of those that miss their limit."""
    found = [row for part in parts() for row in told_rows(part)]
    found += [
        {**row, **{name: many[name] for name in TOLD}}
        for figure, many in flatness(found)
        for row in rows_of([figure])
    ]
    rows = explained(found, EXPLAINED)
    LATEST.write_text(
        "[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n" if rows else "[]\n"
    )
    return rows


TOLD = ("commit", "site", "busy")


def told_rows(part: Mapping[str, Any]) -> list[Row]:
    """A part's rows, each with the commit and the site that it was measured at.

    busy: the load on a machine that did other things, where that was allowed.
    """
    on = part["machine"]
    load = on["load_at_start"][0]
    told = {
        "commit": on["commit"],
        "site": part.get("site"),
        "busy": load if on.get("may_be_busy") and load > on["cores"] else None,
    }
    return [{**row, **told} for row in part["rows"]]
