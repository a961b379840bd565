"""How much memory a process holds, as the kernel divides it: PSS."""

import re
from collections.abc import Sequence
from pathlib import Path

_PSS = re.compile(r"^Pss:\s+(\d+) kB$", re.MULTILINE)
MB = 1_000_000


def pss_mb(pid: int) -> float:
    """Its own pages, and of those that it shares with n processes an n-th each; 10⁶ bytes.

    Raises ProcessLookupError or FileNotFoundError when it has ended.
    """
    found = _PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    if found is None:
        raise ProcessLookupError(pid)
    return int(found[1]) * 1024 / MB


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """By how much y grows with each step of x, by least squares; None of fewer than two points."""
    count = len(points)
    if count < 2:
        return None
    middle_x = sum(x for x, _ in points) / count
    middle_y = sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    together = sum((x - middle_x) * (y - middle_y) for x, y in points)
    return together / spread if spread else None
