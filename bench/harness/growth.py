"""What of a figure follows the number of requests: two rows of the queue side by side."""

from collections.abc import Sequence

from .limits import LARGE, MANY_OPEN
from .rows import Figure, Row

QUEUE = "queue"
FLATNESS = "queue, flat in the number of requests"


def flatness(rows: Sequence[Row]) -> list[tuple[Figure, Row]]:
    """By how much the queue costs more with ten times as many open, and the row of those; or none.

    All CPU counts, of worker and of database, in units of what the worker spends on its floor:
    that is the same fifty rows on both sites, and so the measure of the machine in each run. The
    floor's statement is no part of the measure, as it might grow with the site itself.
    """
    few, many = _of(rows, LARGE), _of(rows, MANY_OPEN)
    if few is None or many is None:
        return []
    value = _work(many) / _work(few)
    return [(Figure(FLATNESS, MANY_OPEN, value=value, unit="times"), many)]


def _work(row: Row) -> float:
    return float((row["cpu_ms"] + row["backend_ms"]) / row["floor_cpu_ms"])


def _of(rows: Sequence[Row], size: str) -> Row | None:
    """A row of the queue on that site, if both its CPU figures are known."""
    found = [each for each in rows if (each["work"], each["size"]) == (QUEUE, size)]
    known = [each for each in found if each.get("backend_ms") and each.get("floor_cpu_ms")]
    return known[0] if known else None
