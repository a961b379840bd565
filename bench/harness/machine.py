"""On what it was measured: enough to compare two results, nothing that says whose machine it is."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django

from portal.lib.servers.postgres import MAJOR

from .places import ROOT

_load_at_start = os.getloadavg()


def machine() -> dict[str, Any]:
    """CPU, cores, memory, versions, commit, and how busy it was when this process began."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "django": django.get_version(),
        "postgresql": MAJOR,
        "commit": _commit(),
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "load_at_start": [round(each, 2) for each in _load_at_start],
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return found.stdout.strip()
