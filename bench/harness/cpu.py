"""Seconds on a core, of processes of this machine: what others at work on it hardly move.

One reader for all that is measured: the kernel's own count in nanoseconds (/proc/PID/schedstat).
"""

import os
import time
from pathlib import Path


def seconds(pid: int) -> float:
    """Of a process of one thread, since it began. Raises FileNotFoundError when it has ended."""
    return seconds_of(Path(f"/proc/{pid}/schedstat").read_text())


def seconds_of(schedstat: str) -> float:
    """Of what the kernel says: time on a core, time waiting for one, how often it was on one."""
    return int(schedstat.split()[0]) / 1e9


def ticks(pid: int) -> float:
    """Seconds of a process of any number of threads, to a hundredth; 0 of one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def backend() -> tuple[int, float] | None:
    """The PostgreSQL process of this thread's open connection, and its seconds; None: not open."""
    from django.db import connection

    link = connection.connection
    if link is None or link.closed:
        return None
    pid: int = link.info.backend_pid
    return pid, seconds(pid)


class Cpu:
    """A clock that stands while neither we nor PostgreSQL work. Of the connection open now."""

    def __init__(self) -> None:
        from django.db import connection

        connection.ensure_connection()
        self._backend: int = connection.connection.info.backend_pid

    def now(self) -> float:
        """In seconds."""
        return time.process_time() + seconds(self._backend)
