"""How many decisions a day can one PostgreSQL write?

From what `holding` measured of a decision: its WAL, and the time of its statements; and from this
disk: how many transactions a second it makes durable, alone and many at once.
"""

import threading
import time

import psycopg

from bench.harness.places import database_url, servers

from .ground import scratch
from .results import Found, source

SECONDS = 4.0
DAY = 86_400
WORKING_DAY = 8 * 3600


def run() -> Found:
    measured, sources = source("holding")
    wal = int(measured["wal_bytes"])
    rates = {}
    with servers() as addresses, scratch(addresses, "writes") as url:
        with psycopg.connect(url, autocommit=True) as link:
            link.execute("CREATE TABLE acts (id bigint GENERATED ALWAYS AS IDENTITY, what text)")
        for clients in (1, 8, 32):
            rates[clients] = _commits(url, clients, wal)
        settings = _settings(database_url(addresses, "postgres"))
    busy = float(measured["database_ms"]) / 1000
    most = max(rates.values())
    rows = [
        *(
            (f"durable commits of {wal:,} bytes a second, {clients} at once", round(rate), None)
            for clients, rate in rates.items()
        ),
        ("decisions a second by time in the database, for each core of it", 1 / busy,
         WORKING_DAY / busy),
        ("decisions a second by commits", most, most * WORKING_DAY),
        ("WAL of 100,000 decisions, GB", wal * 1e5 / 1e9, None),
    ]  # fmt: skip
    facts = {
        "commits": rates, "wal_bytes": wal, "database_ms": measured["database_ms"],
        "settings": settings,
    }  # fmt: skip
    return Found(["", "", "in eight hours"], rows, facts, sources)


def _commits(url: str, clients: int, size: int) -> float:
    """Transactions a second, each with as much WAL as a decision."""
    ends = time.monotonic() + SECONDS
    counts = [0] * clients
    # What is random is compressed by nothing on its way.
    statement = "INSERT INTO acts (what) SELECT string_agg(md5(random()::text), '') FROM "
    statement += f"generate_series(1, {max(1, size // 32)})"

    def write(number: int) -> None:
        with psycopg.connect(url) as link:
            while time.monotonic() < ends:
                link.execute(statement)
                link.commit()
                counts[number] += 1

    threads = [threading.Thread(target=write, args=[number]) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def _settings(url: str) -> dict[str, str]:
    with psycopg.connect(url) as link:
        names = ["fsync", "synchronous_commit", "wal_sync_method", "full_page_writes"]
        found = link.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [names])
        return {str(name): str(setting) for name, setting in found}
