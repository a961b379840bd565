"""What experiments found: kept as data, and written into docs/scale.md as tables.

Each carries the machine with its load, the commit and the versions, and of what it was calculated.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.harness.machine import machine
from bench.harness.made import filled
from bench.harness.places import ROOT

FILE = ROOT / "bench" / "results" / "experiments.json"
PAGE = ROOT / "docs" / "scale.md"

Cell = str | int | float | None


@dataclass(frozen=True)
class Found:
    """The outcome of an experiment: a table, and figures by name for whoever calculates on.

    columns: what stands above each cell, with its unit; facts: numbers and short texts;
    sources: {experiment that it was calculated from: when that was measured}.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)


def keep(name: str, found: Found) -> None:
    """Put the outcome in place of the one before, and its table into the page.

    Raises LookupError where the page has no place for it.
    """
    everything = load()
    on = machine()
    everything[name] = {"at": on.pop("at"), "machine": on, **asdict(found)}
    FILE.parent.mkdir(exist_ok=True)
    text = json.dumps(dict(sorted(everything.items())), indent=1, ensure_ascii=False)
    # A row is a line.
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda row: f"[{_one_line(row[1])}]", text)
    FILE.write_text(f"{text}\n")
    write_page()


def load() -> dict[str, Any]:
    """{name: outcome} of all experiments so far."""
    return dict(json.loads(FILE.read_text())) if FILE.exists() else {}


def source(name: str) -> tuple[Mapping[str, Any], Mapping[str, str]]:
    """(its figures, what `Found.sources` says of it) of an experiment that was run.

    Raises LookupError with a sentence.
    """
    try:
        found = load()[name]
    except KeyError:
        raise LookupError(f"Run `python -m bench.experiments {name}` first.") from None
    return dict(found["facts"]), {name: str(found["at"])}


def outdated() -> list[str]:
    """What was calculated from figures that have been measured anew since, a sentence each."""
    everything = load()
    return [
        f"`{name}` was calculated from `{of}` of {at}; that was measured anew: run it again."
        for name, each in everything.items()
        for of, at in each.get("sources", {}).items()
        if everything[of]["at"] != at
    ]


def write_page() -> None:
    """Bring every table of the page up to date; raises LookupError where one has no place."""
    tables = {name: table_of(Found(each["columns"], each["rows"])) for name, each in load().items()}
    PAGE.write_text(filled(PAGE.read_text(), tables | {"measured": _measured()}))


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


def _measured() -> str:
    """When each was measured, on what code, and how busy the machine was."""
    columns = ["", "measured (UTC)", "commit", "load", "cores", "PostgreSQL", "from"]
    rows: list[Sequence[Cell]] = []
    for name, each in load().items():
        on, of = each["machine"], each.get("sources", {})
        rows.append((
            name, each["at"].removesuffix("+00:00").replace("T", " "), on["commit"],
            " ".join(str(load) for load in on["load_at_start"]) or None, on["cores"],
            str(on["postgresql"]), ", ".join(of) or None,
        ))  # fmt: skip
    return table_of(Found(columns, rows))


def _one_line(text: str) -> str:
    return re.sub(r",\s+", ", ", text)
