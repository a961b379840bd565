"""What docs/performance.md is told of results, and its plots."""

from xml.etree import ElementTree

from bench.harness.document import (
    anchors,
    growth_table,
    limits_table,
    sections,
    why_line,
    works_table,
)
from bench.harness.limits import Limit
from bench.harness.plots import lines_by_work, plot
from bench.harness.rows import Figure, Row, explained, rows_of

LIMITS = (Limit("queue", "ratio", 2, ("large",)), Limit("web worker", "value", 110, unit="MB"))
WHY = {"queue: ratio": "docs/performance.md#why"}


def results() -> list[Row]:
    figures = [
        Figure("queue", "small", ratio=1.5, queries=6, cpu_ms=20),
        Figure("queue", "large", ratio=2.5, queries=6, cpu_ms=25),
        Figure("web worker", "large", value=85.1, unit="MB"),
        Figure("home", "large", ratio=3.25, queries=12, cpu_ms=30, bytes=13000, compressed=3000),
    ]
    return [
        {**row, "commit": "abc123", "busy": 3.5 if row["work"] == "queue" else None}
        for row in explained(rows_of(figures, LIMITS), WHY, LIMITS)
    ]


def test_the_table_of_limits_says_what_was_found_and_why_it_misses() -> None:
    assert limits_table(results()).splitlines()[2:] == [
        "| queue | large | ratio <= 2 | 2.5 | **no**: [why](#why) | abc123, load 3.5 |",
        "| web worker | large | value <= 110 MB | 85.1 MB | yes | abc123 |",
    ]


def test_an_explanation_is_listed_with_the_rows_that_it_explains() -> None:
    (missed,) = [each for each in results() if each["holds"] is False]
    made = f"<!-- made: why:why -->\n{why_line(missed)}\n<!-- end: why:why -->\n"

    assert why_line(missed) == "| queue | large | ratio <= 2 | 2.5 | abc123, load 3.5 |"
    assert why_line(missed) in sections(f"# A page\n\n### Why\n\nIt is so.\n\n{made}")["why"]
    assert sections(f"### Other\n\n{made}") == {"other": ""}


def test_works_are_told_of_the_largest_site_and_site_by_site() -> None:
    rows = results()

    assert works_table(rows).splitlines()[2:] == [
        "| queue | large |  | 2.5 |  |  |  | 25 |  | 6 |  |  |",
        "| home | large |  | 3.25 |  |  |  | 30 |  | 12 | 13,000 | 3,000 |",
    ]
    assert growth_table(rows).splitlines()[2:] == ["| queue | 1.5 ×; 20 |  | 2.5 ×; 25 |  |"]


def test_a_plot_has_a_line_for_each_work_of_several_sizes() -> None:
    lines = lines_by_work(results(), "cpu_ms")
    assert lines == {"queue": [(4.0, 20.0), (6.0, 25.0)]}

    drawn = ElementTree.fromstring(plot("CPU ms", lines, {4.0: "10,000", 6.0: "1,000,000"}))

    words = [each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert words == ["CPU ms", "0", "15", "30", "10,000", "1,000,000", "queue"]


def test_anchors_are_those_of_headings() -> None:
    assert anchors("# A: one\n\ntext\n\n### The queue, 2 × floor\n") == {
        "a-one",
        "the-queue-2--floor",
    }
