"""Plots of the results as SVG files that read in light and in dark: geometry and a few words."""

from collections.abc import Mapping, Sequence
from math import log10
from pathlib import Path
from typing import Any

from .rows import Row

WIDTH, HEIGHT = 720, 300
LEFT, RIGHT, TOP, FOOT = 56, 170, 28, 40
# Told apart also by who sees no colours, as each line is named at its end.
COLOURS = ("#2563eb", "#c2410c", "#15803d", "#7c3aed", "#b91c1c", "#0e7490", "#a16207", "#475569")
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#374151}"
    ".grid{stroke:#9ca3af;stroke-opacity:.35;fill:none}"
    "@media (prefers-color-scheme:dark){text{fill:#d1d5db}}"
)
# So many of the large site each is; what a plot's foot counts.
REQUESTS = {"small": 10_000, "tenth": 100_000, "large": 1_000_000}

Points = Sequence[tuple[float, float]]


def write_plots(folder: Path, rows: Sequence[Row], found: Sequence[Mapping[str, Any]]) -> None:
    """growth.svg and cpu.svg of all works by scale; memory.svg, where an hour was watched."""
    # What has a floor has a worker's CPU: a bulk is told by one approval, and would flatten all.
    growth = lines_by_work([row for row in rows if row["cpu_ms"] is not None], "ratio")
    if growth:
        ticks = {log10(count): f"{count:,}" for count in REQUESTS.values()}
        (folder / "growth.svg").write_text(
            plot("× floor, by requests of the site (log)", growth, ticks)
        )
        (folder / "cpu.svg").write_text(
            plot("CPU ms of the worker, by requests of the site (log)",
                 lines_by_work(rows, "cpu_ms"), ticks)
        )  # fmt: skip
    for part in found:
        samples = part["kept"].get("samples")
        if samples:
            (folder / "memory.svg").write_text(plot("PSS in MB, by minutes of load", samples))


def lines_by_work(rows: Sequence[Row], measure: str) -> dict[str, Points]:
    """{work: [(log of the site's requests, figure)]} of works measured on several scales."""
    lines: dict[str, dict[float, float]] = {}
    for row in rows:
        if row["size"] in REQUESTS and row[measure] is not None:
            lines.setdefault(row["work"], {})[log10(REQUESTS[row["size"]])] = row[measure]
    return {work: sorted(points.items()) for work, points in lines.items() if len(points) > 1}


def plot(title: str, lines: Mapping[str, Points], ticks: Mapping[float, str] | None = None) -> str:
    """lines: {name: points}; ticks: {x: words} along the foot, none: the ends. y begins at 0."""
    points = [each for line in lines.values() for each in line]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    top = _round_up(max(y for _, y in points))
    across, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - FOOT

    def at(x: float, y: float) -> tuple[float, float]:
        share = (x - first) / (last - first) if last > first else 0.5
        return round(LEFT + across * share, 1), round(TOP + high * (1 - y / top), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{title}"><title>{title}</title><style>{STYLE}</style>',
        f'<text x="{LEFT}" y="16">{title}</text>',
    ]
    for share in (0, 0.5, 1):
        x, y = at(first, top * share)
        parts.append(f'<path class="grid" d="M{LEFT} {y}h{across}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">{top * share:g}</text>')
    for x_at, words in (ticks or {first: f"{first:g}", last: f"{last:g}"}).items():
        x, _ = at(x_at, 0)
        anchor = "start" if x_at == first else "end" if x_at == last else "middle"
        foot = HEIGHT - FOOT + 18
        parts.append(f'<text x="{x}" y="{foot}" text-anchor="{anchor}">{words}</text>')
    names = _spread({name: at(*line[-1])[1] for name, line in lines.items()})
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = "M" + "L".join(f"{x} {y}" for x, y in (at(*each) for each in line))
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<text x="{WIDTH - RIGHT + 6}" y="{names[name] + 4:.1f}" '
            f'style="fill:{colour};font-size:10px">{name}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


def _round_up(amount: float) -> float:
    """The next figure of one digit, so that the grid has round words."""
    if amount <= 0:
        return 1.0
    unit = 10.0 ** int(log10(amount)) if amount >= 1 else 0.1
    return float(unit * (int(amount / unit) + 1))


def _spread(heights: Mapping[str, float], least: float = 11.0) -> dict[str, float]:
    """Names beside the ends of their lines, none over another nor below the plot."""
    placed: dict[str, float] = {}
    before = TOP - least
    for name, height in sorted(heights.items(), key=lambda each: each[1]):
        before = max(height, before + least)
        placed[name] = before
    lowest = HEIGHT - FOOT + 4.0
    for name in reversed(placed):
        placed[name] = min(placed[name], lowest)
        lowest = placed[name] - least
    return placed
