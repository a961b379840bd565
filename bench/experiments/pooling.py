"""What PgBouncer costs and saves: a round trip, a connection, the memory of those that are idle."""

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack

import psycopg

from bench.harness.memory import pss_mb

from .ground import made_site
from .pooler import pooler
from .results import Cell, Found

CLIENTS = 100
POOLED = 10
# Touches what a page touches, so that a backend remembers as many tables.
PAGE = """
    SELECT l.id FROM quotas_requestline l
    JOIN quotas_quotarequest r ON r.id = l.request_id
    JOIN projects_project p ON p.id = l.project_id JOIN projects_unit u ON u.id = p.unit_id
    JOIN quotas_offering o ON o.id = l.offering_id JOIN quotas_resource s ON s.id = o.resource_id
    JOIN quotas_zone z ON z.id = o.zone_id JOIN quotas_region g ON g.id = z.region_id
    LEFT JOIN quotas_account a ON a.project_id = p.id AND a.offering_id = o.id
    LEFT JOIN projects_membership m ON m.project_id = p.id
    LEFT JOIN projects_delegation d ON d.unit_id = u.id
    LEFT JOIN quotas_delegationbound b ON b.delegation_id = d.id
    ORDER BY l.id DESC LIMIT 50
"""


def run(scale: str) -> Found:
    with ExitStack() as stack:
        direct = stack.enter_context(made_site(scale)).url
        pooled = stack.enter_context(pooler(direct, size=POOLED))
        with psycopg.connect(direct, autocommit=True) as beside:
            rows: list[tuple[Cell, ...]] = [
                ("a statement there and back, ms", *_both(_round_trip, direct, pooled)),
                ("a transaction of one statement, ms", *_both(_transaction, direct, pooled)),
                ("a new connection with its first statement, ms", *_both(_new, direct, pooled)),
            ]
            counts, sizes = zip(
                *(_idle(url, beside) for url in (direct, pooled)), strict=True
            )  # fmt: skip
            rows += [
                (f"processes of PostgreSQL for {CLIENTS} clients that are idle", *counts),
                ("their memory, MB (PSS)", *sizes),
            ]
            rows += [(name, *_both_ways(act, direct, pooled)) for name, act in RESTS.items()]
    facts = {str(name): [one, other] for name, one, other in rows}
    return Found(["", "directly", "through PgBouncer"], rows, facts)


def _options(url: str) -> str:
    with psycopg.connect(url, options="-c lock_timeout=5000") as link:
        return _shown(link)


def _role(url: str) -> str:
    with psycopg.connect(url) as link:
        return _shown(link)


def _shown(link: psycopg.Connection) -> str:
    found = link.execute("SHOW lock_timeout").fetchone()
    return f"lock_timeout {found[0]}" if found else ""


def _session_lock(url: str) -> str:
    return _had_by(url, "SELECT pg_try_advisory_lock(1)")


def _transaction_lock(url: str) -> str:
    return _had_by(url, "SELECT pg_try_advisory_xact_lock(1)", is_autocommit=False)


def _had_by(url: str, sql: str, *, is_autocommit: bool = True) -> str:
    with (
        psycopg.connect(url, autocommit=is_autocommit) as one,
        psycopg.connect(url, autocommit=is_autocommit) as other,
    ):
        had = [link.execute(sql).fetchone() == (True,) for link in (one, other)]
        return "by both" if all(had) else "by one"


def _cursor(url: str) -> str:
    """As Django reads slices of many rows outside of a transaction."""
    with (
        psycopg.connect(url, autocommit=True) as link,
        psycopg.connect(url) as beside,
        link.cursor("rows", withhold=True) as cursor,
    ):
        cursor.execute("SELECT * FROM generate_series(1, 3000)")
        beside.execute("SELECT 1")
        return f"{len(cursor.fetchall()):,} rows"


def _prepared(url: str) -> str:
    with (
        psycopg.connect(url, autocommit=True, prepare_threshold=0) as one,
        psycopg.connect(url, autocommit=True, prepare_threshold=0) as other,
    ):
        for link in (one, other, one, other):
            link.execute("SELECT 1 + %s", [1])
        return "works"


# What a session is trusted with, and what becomes of that.
RESTS: dict[str, Callable[[str], str]] = {
    "a timeout said at the start of a session": _options,
    "a timeout that nobody said for the role": _role,
    "a session's advisory lock is had": _session_lock,
    "a transaction's advisory lock is had": _transaction_lock,
    "a cursor that outlives its transaction": _cursor,
    "prepared statements of psycopg": _prepared,
}


def _both_ways(act: Callable[[str], str], direct: str, pooled: str) -> tuple[str, str]:
    found = []
    for url in (direct, pooled):
        try:
            found.append(act(url))
        except psycopg.Error as error:
            found.append(f"refused: {str(error).strip().splitlines()[0].rpartition(': ')[2]}")
    return found[0], found[1]


def _both(measure: Callable[[str], float], direct: str, pooled: str) -> tuple[float, float]:
    """Medians of five turns each, one after the other, so that both meet the same machine."""
    turns = [(measure(direct), measure(pooled)) for _turn in range(5)]
    one, other = (statistics.median(each) for each in zip(*turns, strict=True))
    return round(one, 4), round(other, 4)


def _round_trip(url: str) -> float:
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as link:
        return _median(lambda: link.execute("SELECT 1"), 400)


def _transaction(url: str) -> float:
    with psycopg.connect(url, prepare_threshold=None) as link:

        def act() -> None:
            link.execute("SELECT 1")
            link.commit()

        return _median(act, 300)


def _new(url: str) -> float:
    def act() -> None:
        with psycopg.connect(url, autocommit=True) as link:
            link.execute("SELECT 1")

    return _median(act, 30)


def _median(act: Callable[[], object], count: int) -> float:
    times = []
    for _turn in range(count):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def _idle(url: str, beside: psycopg.Connection) -> tuple[int, float]:
    """(processes, MB) of the database's clients, each of which has read a page."""
    own = beside.info.backend_pid
    with ExitStack() as stack:
        for _client in range(CLIENTS):
            link = stack.enter_context(psycopg.connect(url, autocommit=True))
            link.execute(PAGE)
        found = beside.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND pid <> %s",
            [own],
        ).fetchall()
        return len(found), round(sum(pss_mb(pid) for (pid,) in found), 1)
