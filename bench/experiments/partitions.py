"""What would partitions of the record cost and save? Events as they are, beside events by id.

Rows alike those of the made site are made in a database of their own, in both shapes, of ever more
rows; what is measured is what Remit does with them, in seconds that a core works on it.
"""

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from bench.harness.places import servers

from .ground import say, scratch
from .results import Cell, Found, load

# Rows to begin with, and in how many partitions of equal size they lie.
STEPS = ((1_000_000, 10), (5_000_000, 50), (20_000_000, 200))
PROJECTS = 10_000
ADDED = 50_000
COLUMNS = """
    id bigint NOT NULL, xid xid8 NOT NULL, at timestamptz NOT NULL, actor_id bigint,
    token_id bigint, verb varchar(40) NOT NULL, project_id bigint, unit_id bigint,
    subject_kind varchar(30) NOT NULL, subject_id bigint, data jsonb NOT NULL
"""
# As migrations of Remit have them.
INDEXES = (
    "(project_id, id DESC)", "(unit_id, id DESC)", "(actor_id, id DESC)",
    "(subject_kind, subject_id, id)", "(xid, id)", "(at)", "(project_id)", "(unit_id)",
    "(actor_id)",
)  # fmt: skip
ROWS = """
    SELECT n, n::text::xid8, now() - (%(last)s - n) * interval '20 seconds', hash %% 20000, NULL,
           (ARRAY['submitted','approved','applied','granted','commented'])[1 + n %% 5],
           hash %% %(projects)s, hash %% 500, 'request', n / 5, '{"decision": 1, "lines": [1]}'
    FROM (SELECT n, abs(hashint8(n))::bigint AS hash
          FROM generate_series(%(first)s::bigint, %(last)s::bigint) n) each
"""
# What is asked most: a timeline's first page, the feed, and a sweep by date.
QUESTIONS = {
    "a project's newest 50, ms": (
        "SELECT id FROM {t} WHERE project_id = %(n)s ORDER BY id DESC LIMIT 50"),
    "of a project with little, ms": (
        "SELECT id FROM {t} WHERE project_id = 10000000 + %(n)s ORDER BY id DESC LIMIT 50"),
    "the feed's next 100, ms": (
        "SELECT id FROM {t} WHERE (xid, id) > (%(xid)s::text::xid8, 0) ORDER BY xid, id LIMIT 100"),
    "of one request, ms": (
        "SELECT id FROM {t} WHERE subject_kind = 'request' AND subject_id = %(n)s ORDER BY id"),
}  # fmt: skip


def run(scale: str) -> Found:
    """small: up to 1,000,000 rows; tenth: 5,000,000; large: 20,000,000, half an hour and 12 GB."""
    steps = STEPS[: ("small", "tenth", "large").index(scale) + 1]
    facts: dict[str, Any] = dict(load().get("partitions", {}).get("facts", {}))
    with servers() as addresses, scratch(addresses, "partitions") as url:
        for count, parts in steps:
            if str(count) in facts and count != steps[-1][0]:
                continue
            facts[str(count)] = {
                shape: _measured(url, count, number)
                for shape, number in (("one table", 0), ("by id", parts))
            }
    sizes = sorted(map(int, (each for each in facts if each.isdigit())))
    parts_of = dict(STEPS)
    columns = ["events"]
    for size in sizes:
        columns += [f"{size // 1_000_000} M in one table", f"in {parts_of[size]} parts"]
    rows: list[Sequence[Cell]] = []
    for name in facts[str(sizes[-1])]["one table"]:
        cells: list[Cell] = [name]
        for size in sizes:
            cells += [facts[str(size)][shape].get(name) for shape in ("one table", "by id")]
        rows.append(cells)
    return Found(columns, rows, facts)


def _measured(url: str, count: int, parts: int) -> dict[str, float]:
    say(f"{count:,} events, {parts or 'no'} parts …")
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("SET synchronous_commit = off")
        # Whoever works for another process is not counted.
        link.execute("SET max_parallel_workers_per_gather = 0")
        link.execute("SET max_parallel_maintenance_workers = 0")
        link.execute("SET maintenance_work_mem = '512MB'")
        link.execute("SET random_page_cost = 1.1")
        link.execute("DROP TABLE IF EXISTS notices, events CASCADE")
        _make(link, count, parts)
        figures = dict(_figures(link, count))
        link.execute("DROP TABLE notices, events CASCADE")
        return figures


def _make(link: psycopg.Connection, count: int, parts: int) -> None:
    shape = " PARTITION BY RANGE (id)" if parts else ""
    link.execute(f"CREATE TABLE events ({COLUMNS}){shape}")
    if parts:
        each = count // parts
        # One more than is full, for what is added.
        for number in range(parts + 1):
            first, behind = number * each, (number + 1) * each
            link.execute(
                f"CREATE TABLE events_{number} PARTITION OF events "
                f"FOR VALUES FROM ({first + 1}) TO ({behind + 1})"
            )
    values = {"first": 1, "last": count, "projects": PROJECTS}
    link.execute(f"INSERT INTO events {ROWS}", values)
    link.execute("ALTER TABLE events ADD PRIMARY KEY (id)")
    for index in INDEXES:
        link.execute(f"CREATE INDEX ON events {index}")
    link.execute(
        "CREATE TABLE notices (id bigint PRIMARY KEY, event_id bigint REFERENCES events, "
        "person_id bigint)"
    )
    link.execute("ANALYZE events")
    link.execute("CHECKPOINT")


def _figures(link: psycopg.Connection, count: int) -> Iterator[tuple[str, float]]:
    def one(sql: str) -> float:
        found = link.execute(sql).fetchone()
        return float(found[0]) if found else 0.0

    heap = "SELECT sum({f}(oid)) FROM pg_class WHERE relkind = 'r' AND relname ~ '^events'"
    yield "table, GB", round(one(heap.format(f="pg_relation_size")) / 1e9, 2)
    yield "its indexes, GB", round(one(heap.format(f="pg_indexes_size")) / 1e9, 2)
    values = {"first": count + 1, "last": count + ADDED, "projects": PROJECTS}
    seconds = _seconds(link, f"INSERT INTO events {ROWS}", values)
    yield "events added a second, in one statement", round(ADDED / seconds)
    yield "events added one by one, ms", _one_by_one(link, count)
    yield "a notice that points at one, ms", _notices(link, count)
    for name, sql in QUESTIONS.items():
        yield name, _asked(link, sql.format(t="events"), count)
    yield "planning that of a project, ms", _planning(link)
    yield "VACUUM (FREEZE) of what was added, s", round(_seconds(link, "VACUUM (FREEZE) events"), 2)
    yield "and once more, s", round(_seconds(link, "VACUUM (FREEZE) events"), 2)
    yield "the oldest tenth taken away, s", round(_taken_away(link, count), 2)


def _seconds(link: psycopg.Connection, sql: str, values: Any = None) -> float:
    began = _worked(link)
    link.execute(sql, values)
    return _worked(link) - began


def _worked(link: psycopg.Connection) -> float:
    """Seconds that the server's process has worked."""
    found = Path(f"/proc/{link.info.backend_pid}/schedstat").read_text()
    return int(found.split()[0]) / 1e9


def _one_by_one(link: psycopg.Connection, count: int) -> float:
    first = count + ADDED + 1
    values = ({"first": n, "last": n, "projects": PROJECTS} for n in range(first, first + 300))
    return _median(_seconds(link, f"INSERT INTO events {ROWS}", each) for each in values)


def _notices(link: psycopg.Connection, count: int) -> float:
    sql = "INSERT INTO notices VALUES (%s, %s, 1)"
    return _median(_seconds(link, sql, [n, 1 + n * 7919 % count]) for n in range(300))


def _asked(link: psycopg.Connection, sql: str, count: int) -> float:
    numbers = (1 + n * 7919 % PROJECTS for n in range(100))
    values = ({"n": n, "xid": str(count - 2 * n)} for n in numbers)
    return _median(_seconds(link, sql, each) for each in values)


def _planning(link: psycopg.Connection) -> float:
    sql = next(iter(QUESTIONS.values())).format(t="events")
    times = []
    for _turn in range(20):
        found = link.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", {"n": 77}).fetchone()
        times.append(float(found[0][0]["Planning Time"]) if found else 0.0)
    return round(statistics.median(times), 3)


def _taken_away(link: psycopg.Connection, count: int) -> float:
    """What is kept elsewhere and leaves: parts are detached and dropped, rows are deleted."""
    link.execute("TRUNCATE notices")
    link.execute("ALTER TABLE notices DROP CONSTRAINT notices_event_id_fkey")
    limit = count // 10
    sql = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^events_'"
    parts = [str(name) for (name,) in link.execute(sql)]
    began = _worked(link)
    if not parts:
        link.execute("DELETE FROM events WHERE id <= %s", [limit])
        link.execute("VACUUM events")
        return _worked(link) - began
    each = count // (len(parts) - 1)
    for name in parts:
        if (int(name.rpartition("_")[2]) + 1) * each <= limit:
            link.execute(f"ALTER TABLE events DETACH PARTITION {name}")
            link.execute(f"DROP TABLE {name}")
    return _worked(link) - began


def _median(seconds: Iterator[float]) -> float:
    return round(1000 * statistics.median(seconds), 3)
