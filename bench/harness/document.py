"""docs/performance.md: what is made of the results stands between markers, the rest is by hand.

`<!-- made: name -->` begins what is made, `<!-- end: name -->` ends it. Plots lie beside it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from .explained import EXPLAINED
from .limits import LIMITS
from .places import ROOT
from .plots import write_plots
from .report import LATEST, parts, write_latest
from .rows import Row, faults_of

PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "performance"
SIZES = ("small", "tenth", "large", "large, 100,000 open")
_MADE = re.compile(r"(<!-- made: (\S+) -->\n).*?(<!-- end: \2 -->)", re.DOTALL)


def document() -> list[str]:
    """Write the page and its plots anew; what the results lack, a sentence each."""
    rows = write_latest()
    found = parts()
    tables = {
        "limits": limits_table(rows),
        "works": works_table(rows),
        "growth": growth_table(rows),
        "machine": machine_table(found),
    }
    text = PAGE.read_text()
    text = _MADE.sub(lambda made: f"{made[1]}{tables[made[2]]}\n{made[3]}", text)
    PAGE.write_text(text)
    PICTURES.mkdir(exist_ok=True)
    write_plots(PICTURES, rows, found)
    return faults()


def faults() -> list[str]:
    """What the committed results lack of all that is asked for."""
    rows: list[Row] = json.loads(LATEST.read_text())
    missed = {row["explained"] for row in rows if "explained" in row}
    stale = [
        f"{name}: it is explained, and missed no more."
        for name, place in EXPLAINED.items()
        if place not in missed
    ]
    return faults_of(rows, anchors(PAGE.read_text())) + stale


def anchors(text: str) -> set[str]:
    """Of the headings of a page, as a browser of the repository makes them."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in heads}


def limits_table(rows: Sequence[Row]) -> str:
    """One line for each limit and size, in the order of the limits."""
    lines = ["| work | on | at most | found | holds |", "|---|---|---|---|---|"]
    order = {(each.work, each.words): number for number, each in enumerate(LIMITS)}
    limited = [each for each in rows if each["limit"] is not None]
    for row in sorted(limited, key=lambda each: (order.get((each["work"], each["limit"]), 999),
                                                 each["size"])):  # fmt: skip
        said = "yes" if row["holds"] else "**no**"
        if not row["holds"] and "explained" in row:
            said += f": [why]({row['explained'].removeprefix('docs/performance.md')})"
        lines.append(f"| {row['work']} | {row['size']} | {row['limit']} | {_found(row)} | {said} |")
    return "\n".join(lines)


def _found(row: Row) -> str:
    measure = row["limit"].partition(" ")[0]
    number = _number(row[measure])
    return f"{number} {row['unit']}" if measure == "value" and row["unit"] else number


def works_table(rows: Sequence[Row]) -> str:
    """Each work on the largest site that it was measured on."""
    lines = [
        "| work | on | × floor | best | CPU × floor | ms | CPU ms | queries | bytes | as sent |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for work, of_work in _by_work(rows):
        row = max(of_work, key=lambda each: _rank(each["size"]))
        if row["ratio"] is None and row["value"] is not None:
            continue
        figures = ("ratio", "best_ratio", "cpu_ratio", "median_ms", "cpu_ms", "queries", "bytes",
                   "compressed")  # fmt: skip
        lines.append(
            f"| {work} | {row['size']} | " + " | ".join(_number(row[each]) for each in figures)
            + " |"
        )  # fmt: skip
    return "\n".join(lines)


def growth_table(rows: Sequence[Row]) -> str:
    """× floor and CPU ms of each work, site by site."""
    lines = [
        "| work | " + " | ".join(SIZES) + " |",
        "|---|" + "--:|" * len(SIZES),
    ]
    for work, of_work in _by_work(rows):
        by_size = {each["size"]: each for each in of_work}
        if len(by_size.keys() & set(SIZES)) > 1:
            cells = [_grown(by_size.get(size)) for size in SIZES]
            lines.append(f"| {work} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _grown(row: Row | None) -> str:
    if row is None or row["ratio"] is None:
        return "" if row is None else _number(row["value"])
    cpu = f"; {_number(row['cpu_ms'])} ms" if row["cpu_ms"] is not None else ""
    return f"{_number(row['ratio'])} ×{cpu}"


def machine_table(found: Sequence[dict[str, Any]]) -> str:
    """On what each part was measured, and when."""
    lines = [
        "| part | on | CPU | cores | GiB | PostgreSQL | Python | Django | commit | UTC | load |",
        "|---|---|---|--:|--:|---|---|---|---|---|---|",
    ]
    for each in found:
        on = each["machine"]
        figures = (
            each["part"], each["scale"] or "its own", on["cpu"], on["cores"], on["memory_gib"],
            on["postgresql"], on["python"], on["django"], on["commit"],
            on["at"].removesuffix("+00:00").replace("T", " "),
            " ".join(str(load) for load in on["load_at_start"]),
        )  # fmt: skip
        lines.append("| " + " | ".join(str(figure) for figure in figures) + " |")
    return "\n".join(lines)


def _by_work(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    works = dict.fromkeys(each["work"] for each in rows)
    for work in works:
        yield work, [each for each in rows if each["work"] == work]


def _rank(size: str) -> int:
    return SIZES.index(size) if size in SIZES else -1


def _number(found: float | None) -> str:
    if found is None:
        return ""
    return f"{found:,.0f}" if abs(found) >= 100 else f"{found:.3g}"
