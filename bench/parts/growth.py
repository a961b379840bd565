"""The same figures side by side: what of them follows the size of the site."""

from typing import Any

from bench.harness.limits import LARGE, MANY_OPEN
from bench.harness.report import Report, Site, parts
from bench.harness.rows import Figure

QUEUE = "queue"


def run(site: Site, report: Report) -> list[Figure]:
    """By the results of the other parts: how the queue's share of its floor grew.

    Two ratios to the same floor are compared, each of one run, as two runs of one machine are not.
    """
    rows = [row for part in parts() for row in part["rows"]]
    few, many = _of(rows, LARGE), _of(rows, MANY_OPEN)
    if few is None or many is None:
        report.say("The queue was not measured with 10,000 and with 100,000 open yet.")
        return []
    found = Figure(
        "queue, flat in the number of requests", MANY_OPEN, value=many / few, unit="times"
    )
    report.tell(found)
    return [found]


def _of(rows: list[dict[str, Any]], size: str) -> float | None:
    """The queue's CPU by its floor's."""
    found = [row["cpu_ratio"] for row in rows if (row["work"], row["size"]) == (QUEUE, size)]
    return found[0] if found else None
