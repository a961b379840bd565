"""What `audit_ledger` takes: CPU of the command, from its start, and of its database process.

With no parallel workers, which would be processes of their own.
"""

import time
from pathlib import Path

from bench.harness.report import Report, Site
from bench.harness.rows import Figure

TIMES = 3
_TICKS_PER_SECOND = 100


def run(site: Site, report: Report) -> list[Figure]:
    """The median of some runs, each with what starting the command took."""
    from django.core.management import call_command
    from django.db import connection

    from quotas.models import Transfer

    # Interpreter, Django and all that is imported: what one run of the command pays once.
    start = time.process_time()
    with connection.cursor() as cursor:
        cursor.execute("SET max_parallel_workers_per_gather = 0")
        cursor.execute("SELECT pg_backend_pid()")
        backend = int(cursor.fetchone()[0])
    found, walls = [], []
    for _ in range(TIMES):
        began = (time.process_time(), backend_seconds(backend), time.monotonic())
        call_command("audit_ledger", quiet=True)
        own, database = time.process_time() - began[0], backend_seconds(backend) - began[1]
        walls.append(time.monotonic() - began[2])
        found.append((start + own + database, own, database))
    found.sort()
    total, own, database = found[len(found) // 2]
    count = Transfer.objects.count()
    report.keep("audit", {"transfers": count, "start": start, "command": own, "database": database})
    figures = [
        Figure("audit_ledger", site.scale, value=total, unit="CPU s", cpu_ms=1000 * total),
        Figure("audit_ledger, by the clock", site.scale, value=min(walls), unit="s"),
    ]
    for each in figures:
        report.tell(each)
    return figures


def backend_seconds(pid: int) -> float:
    """CPU seconds that a process of this machine has used, in user and system mode."""
    return seconds_of(Path(f"/proc/{pid}/stat").read_text())


def seconds_of(stat: str) -> float:
    """Of the text of /proc/PID/stat; the name of the program may hold anything."""
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND
