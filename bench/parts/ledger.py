"""What `audit_ledger` takes: CPU of the command, from its start, and of its database process.

With no parallel workers, which would be processes of their own.
"""

import time

from bench.harness import cpu
from bench.harness.report import Report, Site
from bench.harness.rows import Figure

TIMES = 3


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
        began = (time.process_time(), cpu.seconds(backend), time.monotonic())
        call_command("audit_ledger", quiet=True)
        own, database = time.process_time() - began[0], cpu.seconds(backend) - began[1]
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
