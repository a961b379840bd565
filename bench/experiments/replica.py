"""How far behind is a streaming replica, what works on one, and what would it take off the primary?

Two servers of the embedded kind, the second a `pg_basebackup` of the first.
"""

import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

from bench.harness.places import CACHE, ROOT, database_url, production
from portal.lib.servers import Addresses
from portal.lib.servers.postgres import ROLE, Postgres

from .ground import HOME, made_site, say, site_of
from .results import Cell, Found

# The second of what was decided lately, as it would run beside a nightly whole one.
COMMANDS = (["audit_ledger"], ["verify_decisions", "--since", "{day}"])
BEATS = 150
POLL_SECONDS = 0.0002
_ROWS = "CREATE TABLE IF NOT EXISTS beats (n bigint, what text)"


def run(scale: str) -> Found:
    with made_site(scale) as addresses, _replica(addresses) as replica:
        name = site_of(scale)
        primary_url, replica_url = database_url(addresses, name), _named(replica, name)
        rows: list[tuple[Cell, ...]] = []
        with psycopg.connect(primary_url, autocommit=True) as link:
            link.execute(_ROWS)
        _settled(primary_url, replica_url)
        for load_words, load in (
            ("nobody else at work", None),
            ("approvals one after the other", _approving),
            ("half a million rows in one statement, over and over", _filling),
        ):
            rows.append((f"lag, {load_words}: ms", *_lag(primary_url, replica_url, load)))
            say(f"{rows[-1]}")
        with psycopg.connect(primary_url, autocommit=True) as link:
            link.execute("DROP TABLE beats")
        _settled(primary_url, replica_url)
        day = _last_day(replica_url)
        for words in COMMANDS:
            command = [each.format(day=day) for each in words]
            named = f"`{' '.join(words[:2])}` on the replica"
            rows.append((named, *_on(replica_url, addresses, command)))
        reads, write = _share(scale)
        rows += [(f"a page, {page}: ms in the database", ms, None) for page, ms in reads.items()]
        rows.append(("an approval: ms in the database", write, None))
    facts: dict[str, object] = {str(row[0]): list(row[1:]) for row in rows}
    return Found(["", "median", "1 in 100"], rows, facts)


@contextmanager
def _replica(addresses: Addresses) -> Iterator[str]:
    """The folder of the socket of a replica of these servers, as a URL without a database."""
    folder = HOME / "replica"
    _forget(folder)
    primary_data = (HOME / "postgres").resolve() / "data"
    _allow(primary_data, addresses)
    CACHE.mkdir(parents=True, exist_ok=True)
    log = HOME / "logs" / "replica.log"
    log.touch()
    from portal.lib.servers.account import servers_account

    replica = Postgres(folder, log=log, account=servers_account(), durable=True)
    account = replica.account
    socket = parse_qs(urlsplit(addresses.database_url).query)["host"][0]
    subprocess.run(
        [str(replica.programs / "pg_basebackup"), "--pgdata", str(replica.data), "--host", socket,
         "--username", ROLE, "--write-recovery-conf", "--checkpoint", "fast"],
        cwd="/", check=True, capture_output=True,
        user=account.uid if account else None, group=account.gid if account else None,
        extra_groups=[] if account else None,
    )  # fmt: skip
    try:
        replica.start()
        yield replica.url
    finally:
        replica.close()
        _forget(folder)


def _forget(folder: Path) -> None:
    if folder.is_symlink():
        shutil.rmtree(folder.resolve(), ignore_errors=True)
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def _allow(data: Path, addresses: Addresses) -> None:
    """Let the role replicate, by the same socket and the same user."""
    rule = f"local replication {ROLE} peer map=remit\n"
    rules = data / "pg_hba.conf"
    if rule not in rules.read_text():
        with rules.open("a") as file:
            file.write(rule)
    with psycopg.connect(addresses.database_url, autocommit=True) as link:
        link.execute("SELECT pg_reload_conf()")


def _named(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


Load = Callable[[str, threading.Event], None]


def _lag(primary: str, replica: str, load: Load | None) -> tuple[float, float]:
    """Milliseconds from the commit on the one to its being read on the other."""
    ends = threading.Event()
    thread = threading.Thread(target=load, args=(primary, ends)) if load else None
    if thread:
        thread.start()
    lags = []
    try:
        with (
            psycopg.connect(primary, autocommit=True) as here,
            psycopg.connect(replica, autocommit=True) as there,
        ):
            here.execute("DELETE FROM beats")
            for number in range(BEATS):
                here.execute("INSERT INTO beats VALUES (%s)", [-1 - number])
                committed = time.perf_counter()
                while not there.execute(
                    "SELECT 1 FROM beats WHERE n = %s", [-1 - number]
                ).fetchone():
                    time.sleep(POLL_SECONDS)
                lags.append(time.perf_counter() - committed)
                time.sleep(0.01)
    finally:
        ends.set()
        if thread:
            thread.join()
    lags.sort()
    return round(1000 * statistics.median(lags), 2), round(1000 * lags[int(0.99 * len(lags))], 1)


def _approving(_primary: str, ends: threading.Event) -> None:
    from django.db import connection

    from .holding import approvals

    for _times in approvals():
        if ends.is_set():
            break
    connection.close()


def _filling(primary: str, ends: threading.Event) -> None:
    with psycopg.connect(primary, autocommit=True) as link:
        link.execute("CREATE TABLE filled (n bigint PRIMARY KEY, what text)")
        while not ends.is_set():
            link.execute(
                "INSERT INTO filled SELECT n, md5(n::text) FROM generate_series(1, 500000) n"
            )
            link.execute("TRUNCATE filled")
        link.execute("DROP TABLE filled")


def _settled(primary: str, replica: str) -> None:
    with psycopg.connect(primary) as link:
        found = link.execute("SELECT pg_current_wal_lsn()::text").fetchone()
    assert found is not None  # noqa: S101 - a function has a row
    with psycopg.connect(replica, autocommit=True) as link:
        while link.execute("SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", found).fetchone() == (
            True,
        ):
            time.sleep(0.05)


def _last_day(url: str) -> str:
    with psycopg.connect(url, autocommit=True) as link:
        found = link.execute("SELECT max(at)::date - 1 FROM quotas_decision").fetchone()
    return str(found[0]) if found else ""


def _on(replica: str, addresses: Addresses, command: list[str]) -> tuple[Cell, Cell]:
    """(s, what it answered): a command that only reads, led to the replica by DATABASE_URL."""
    environment = os.environ | production(addresses, "postgres") | {"DATABASE_URL": replica}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - began
    words = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return f"{seconds:.0f} s", words[-1][:80] if words else f"exit {done.returncode}"


def _share(scale: str) -> tuple[dict[str, float], float]:
    """Milliseconds in the database of pages that are looked at most, and of an approval."""
    from django.db import connection
    from django.test import Client

    from projects.models import Membership, User

    from .holding import waiting
    from .results import facts_of

    person = User.objects.get(pk=waiting()[0][1])
    member = (
        Membership.objects.select_related("project").order_by("pk").filter(user__isnull=False)[0]
    )
    client = Client(headers={"x-forwarded-proto": "https"})
    found = {}
    for name, who, path in (
        ("home", person, "/"),
        ("the queue", person, "/decide/"),
        ("a project", User.objects.get(memberships=member), f"/projects/{member.project.slug}/"),
    ):
        client.force_login(who, backend="projects.auth.ProviderBackend")
        times = []
        for _turn in range(7):
            spent = [0.0]

            def look(
                execute: Callable[..., object], *args: object, into: list[float] = spent
            ) -> object:
                began = time.perf_counter()
                try:
                    return execute(*args)
                finally:
                    into[0] += time.perf_counter() - began

            with connection.execute_wrapper(look):
                answer = client.get(path, headers={"host": "127.0.0.1"})
            times.append(spent[0])
        found[f"{name} ({answer.status_code})"] = round(1000 * min(times), 2)
    return found, float(facts_of("holding")["database_ms"])
