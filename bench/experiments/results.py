"""What experiments found: kept as data, and written into docs/scale.md as tables.

Text stays between the markers of tables; a table is replaced as a whole.
"""

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from bench.harness.places import ROOT

FILE = ROOT / "bench" / "results" / "experiments.json"
PAGE = ROOT / "docs" / "scale.md"

Cell = str | int | float | None


@dataclass(frozen=True)
class Found:
    """The outcome of an experiment: a table, and figures by name for whoever calculates on.

    columns: what stands above each cell, with its unit; facts: numbers and short texts.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    facts: Mapping[str, Any] = field(default_factory=dict)


def keep(name: str, found: Found) -> None:
    """Put the outcome in place of the one before, and its table into the page."""
    everything = load()
    everything[name] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        **asdict(found),
    }
    FILE.parent.mkdir(exist_ok=True)
    text = json.dumps(dict(sorted(everything.items())), indent=1, ensure_ascii=False)
    # A row is a line.
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda row: f"[{_one_line(row[1])}]", text)
    FILE.write_text(f"{text}\n")
    write_page()


def load() -> dict[str, Any]:
    """{name: outcome} of all experiments so far."""
    return dict(json.loads(FILE.read_text())) if FILE.exists() else {}


def facts_of(name: str) -> Mapping[str, Any]:
    """The figures of an experiment that was run; raises LookupError with a sentence."""
    try:
        return dict(load()[name]["facts"])
    except KeyError:
        raise LookupError(f"Run `python -m bench.experiments {name}` first.") from None


def write_page() -> None:
    """Bring every table of the page up to date; one that nobody ran keeps what it has."""
    page = PAGE.read_text()
    for name, each in load().items():
        found = Found(each["columns"], each["rows"])
        table = f"<!-- {name} -->\n{table_of(found)}\n<!-- end -->"
        before, found_it, behind = page.partition(f"<!-- {name} -->\n")
        if found_it:
            page = before + table + behind[behind.index("<!-- end -->") + len("<!-- end -->") :]
    PAGE.write_text(page)


def table_of(found: Found) -> str:
    """As Markdown."""
    rows = [[shown(cell) for cell in row] for row in found.rows]
    lines = [list(found.columns), ["---"] * len(found.columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(cell: Cell) -> str:
    """A figure as people read it: three digits that count, thousands with commas."""
    if cell is None:
        return "–"
    if isinstance(cell, float):
        if cell >= 100 or cell == 0:
            return f"{cell:,.0f}"
        return f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _one_line(text: str) -> str:
    return re.sub(r",\s+", ", ", text)
