"""On what it was measured: enough to compare two results, nothing that says whose machine it is."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django
import psycopg

from portal.lib.servers.postgres import MAJOR

from .commits import commit

# `--busy`: a figure of a machine that does other things is better than none.
BUSY = "BENCH_BUSY"
# What a figure depends on most.
SETTINGS = (
    "shared_buffers", "work_mem", "effective_cache_size", "fsync", "synchronous_commit",
    "max_parallel_workers_per_gather", "jit",
)  # fmt: skip
_load_at_start = os.getloadavg()
_commit_at_start = commit()


def machine(database_url: str = "") -> dict[str, Any]:
    """CPU, cores, memory, versions, commit, and how busy it was when this process began.

    database_url: of what was measured on, whose settings are told; "": it is gone by now.
    """
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "django": django.get_version(),
        "postgresql": MAJOR,
        "settings": _settings(database_url) if database_url else None,
        "commit": _commit_at_start,
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "load_at_start": [round(each, 2) for each in _load_at_start],
        "may_be_busy": BUSY in os.environ,
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _settings(url: str) -> dict[str, str]:
    with psycopg.connect(url) as link:
        rows = link.execute("SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name",
                            [list(SETTINGS)])  # fmt: skip
        return {str(name): str(value) for name, value in rows}
