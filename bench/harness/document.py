"""docs/performance.md: what is made of the results stands between markers, the rest is by hand.

What is called `why:anchor` are the rows that are explained under that heading. Plots lie beside it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from . import faults as lacks
from .commits import differ
from .explained import EXPLAINED
from .limits import LIMITS
from .made import filled
from .places import ROOT
from .plots import write_plots
from .report import LATEST, parts, write_latest
from .rows import Row

PAGE = ROOT / "docs" / "performance.md"
PICTURES = ROOT / "docs" / "performance"
SIZES = ("small", "tenth", "large", "large, 100,000 open")
WHY = "why:"
_WHY = re.compile(r"<!-- made: why:(\S+) -->\n.*?<!-- end: why:\1 -->", re.DOTALL)


def document() -> list[str]:
    """Write the page and its plots anew; what the results lack, a sentence each."""
    rows = write_latest()
    found = parts()
    tables = {
        "limits": limits_table(rows),
        "works": works_table(rows),
        "growth": growth_table(rows),
        "machine": machine_table(found),
        "settings": settings_table(found),
        "sites": sites_table(found),
    }
    for place in set(EXPLAINED.values()):
        leading = [row for row in rows if row.get("explained") == place]
        tables[WHY + place.removeprefix(f"{lacks.PAGE}#")] = why_table(leading)
    PAGE.write_text(filled(PAGE.read_text(), tables))
    lacking = faults()
    said = "\n".join(f"- {each}" for each in lacking) or "Nothing."
    PAGE.write_text(filled(PAGE.read_text(), {"lacks": said}))
    PICTURES.mkdir(exist_ok=True)
    write_plots(PICTURES, rows, found)
    return lacking


def faults() -> list[str]:
    """What the committed results lack of all that is asked for."""
    rows: list[Row] = json.loads(LATEST.read_text())
    found = parts()
    return [
        *lacks.missing(rows), *explanation_faults(rows), *lacks.mixed(found, differ),
        *lacks.busy(found),
    ]  # fmt: skip


def explanation_faults(rows: Sequence[Row]) -> list[str]:
    """Misses that nothing explains, and explanations of what holds."""
    told = sections(PAGE.read_text())
    return [*lacks.unexplained(rows, told, why_line), *lacks.stale(rows, EXPLAINED)]


def sections(text: str) -> dict[str, str]:
    """{anchor of a heading: what is made under it of what is explained there}."""
    found = {}
    for each in re.split(r"^(?=#)", text, flags=re.MULTILINE):
        for anchor in anchors(each):
            found[anchor] = "".join(m[0] for m in _WHY.finditer(each) if m[1] == anchor)
    return found


def anchors(text: str) -> set[str]:
    """Of the headings of a page, as a browser of the repository makes them."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in heads}


def limits_table(rows: Sequence[Row]) -> str:
    """One line for each limit and size, in the order of the limits."""
    lines = ["| work | on | at most | found | holds | measured at |", "|---|---|---|---|---|---|"]
    order = {(each.work, each.words): number for number, each in enumerate(LIMITS)}
    limited = [each for each in rows if each["limit"] is not None]
    for row in sorted(limited, key=lambda each: (order.get((each["work"], each["limit"]), 999),
                                                 each["size"])):  # fmt: skip
        said = {True: "yes", False: "**no**", None: ""}[row["holds"]]
        if "explained" in row:
            said += f": [why]({row['explained'].removeprefix(lacks.PAGE)})"
        cells = (row["work"], row["size"], row["limit"], _found(row), said, _commit(row))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def why_table(rows: Sequence[Row]) -> str:
    """Rows that miss their limit, by figures and commit."""
    if not rows:
        return "Nothing of this is missed now."
    lines = ["| work | on | at most | found | measured at |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *map(why_line, rows)])


def why_line(row: Row) -> str:
    """One of them."""
    cells = (row["work"], row["size"], row["limit"], _found(row), _commit(row))
    return "| " + " | ".join(cells) + " |"


def _found(row: Row) -> str:
    if row["holds"] is None:
        return f"not measured: {row['reason']}"
    measure = row["limit"].partition(" ")[0]
    number = _number(row[measure])
    return f"{number} {row['unit']}" if measure == "value" and row["unit"] else number


def _commit(row: Row) -> str:
    """And the load of a machine that was busy with other things."""
    load = row.get("busy")
    return f"{row.get('commit')}" + (f", load {load:g}" if load else "")


def works_table(rows: Sequence[Row]) -> str:
    """Each work on the largest site that it was measured on."""
    lines = [
        "| work | on | rows | × floor | best | all CPU × floor | ms | worker CPU ms"
        " | database CPU ms | queries | bytes | packed by the proxy |",
        "|---|---|" + "--:|" * 10,
    ]
    for work, of_work in _by_work(rows):
        row = max(of_work, key=lambda each: _rank(each["size"]))
        if row["ratio"] is None and row["value"] is not None:
            continue
        figures = ("rows", "ratio", "best_ratio", "cpu_ratio", "median_ms", "cpu_ms", "backend_ms",
                   "queries", "bytes", "compressed")  # fmt: skip
        lines.append(
            f"| {work} | {row['size']} | " + " | ".join(_number(row.get(each)) for each in figures)
            + " |"
        )  # fmt: skip
    return "\n".join(lines)


def growth_table(rows: Sequence[Row]) -> str:
    """× floor, and CPU ms of worker and database, of each work, site by site."""
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
    cpu = f"; {_number(row['cpu_ms'])}" if row["cpu_ms"] is not None else ""
    if row.get("backend_ms") is not None:
        cpu += f" + {_number(row['backend_ms'])}"
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


def settings_table(found: Sequence[dict[str, Any]]) -> str:
    """PostgreSQL's, as each part had them."""
    kept = {
        json.dumps(settings, sort_keys=True): settings
        for each in found
        if (settings := each["machine"].get("settings"))
    }
    names = dict.fromkeys(name for settings in kept.values() for name in settings)
    lines = ["| setting of PostgreSQL | |", "|---|---|"]
    for name in names:
        values = dict.fromkeys(settings.get(name, "") for settings in kept.values())
        lines.append(f"| `{name}` | {' or '.join(values)} |")
    return "\n".join(lines) if names else "Not told by any part yet."


def sites_table(found: Sequence[dict[str, Any]]) -> str:
    """How many there are of what on each made site, as counted in its database."""
    sites = {each["scale"]: each["site"] for each in found if each.get("site")}
    if not sites:
        return "Not told by any part yet."
    names = dict.fromkeys(name for site in sites.values() for name in site)
    lines = ["| site | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
    for name, site in sites.items():
        cells = [f"{site[each]:,}" if each in site else "" for each in names]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
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
