"""How far behind is a streaming replica, what works on one, and what would it take off the primary?

Two servers of the embedded kind, the second a `pg_basebackup` of the first.
"""

import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from textwrap import shorten
from urllib.parse import parse_qs, urlsplit

import psycopg

from bench.harness import cpu
from bench.harness.places import ROOT, production
from bench.site.cast import cast
from bench.site.sizes import SCALES
from portal.lib.servers import Addresses
from portal.lib.servers.postgres import ROLE, Postgres

from .ground import ALONE, made_site, quiet, say
from .results import Cell, Found

# The second of what was decided lately, as it would run beside a nightly whole one.
COMMANDS = (["audit_ledger"], ["verify_decisions", "--since", "{day}"])
BEATS, LEAST = 150, 50
POLL_SECONDS = 0.0002
_ROWS = "CREATE TABLE IF NOT EXISTS beats (n bigint, what text)"


def run(scale: str) -> Found:
    with made_site(scale, ALONE) as made, _replica(made.addresses) as replica:
        primary_url = made.url
        replica_url = _named(replica, urlsplit(primary_url).path.lstrip("/"))
        rows: list[tuple[Cell, ...]] = []
        with psycopg.connect(primary_url, autocommit=True) as link:
            link.execute(_ROWS)
        _settled(primary_url, replica_url)
        for load_words, load in (
            ("nobody else at work", None),
            ("approvals one after the other", partial(_approving, scale)),
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
            rows.append((named, *_on(replica_url, made.addresses, command)))
        reads = _share(scale)
        rows += [
            (f"a page, {page}: ms of a core of the database", ms, None)
            for page, ms in reads.items()
        ]
    facts: dict[str, object] = {str(row[0]): list(row[1:]) for row in rows}
    return Found(["", "median", "1 in 100"], rows, facts)


@contextmanager
def _replica(addresses: Addresses) -> Iterator[str]:
    """The folder of the socket of a replica of these servers, as a URL without a database."""
    folder = ALONE / "replica"
    _forget(folder)
    primary_data = (ALONE / "postgres").resolve() / "data"
    _allow(primary_data, addresses)
    log = ALONE / "logs" / "replica.log"
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
                if thread and not thread.is_alive():
                    break
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
    if len(lags) < LEAST:
        raise LookupError(f"The load ended after {len(lags)} looks: take a larger site.")
    lags.sort()
    return round(1000 * statistics.median(lags), 2), round(1000 * lags[int(0.99 * len(lags))], 1)


def _approving(scale: str, _primary: str, ends: threading.Event) -> None:
    """Until it is told to end, or nothing is left to approve."""
    from django.db import connection

    from .holding import approvals

    for _times in approvals(scale):
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
    environment = quiet(production(addresses, "postgres") | {"DATABASE_URL": replica})
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "manage.py", *command], cwd=ROOT, env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    seconds = time.monotonic() - began
    words = (done.stdout.strip() or done.stderr.strip() or f"exit {done.returncode}").splitlines()
    return f"{seconds:.0f} s", shorten(words[-1], 90, placeholder=" …")


def _share(scale: str) -> dict[str, float]:
    """Milliseconds that a core of the database works for pages that are looked at most."""
    from django.db import connection
    from django.test import Client

    from projects.models import Membership, User

    person = User.objects.get(pk=cast(SCALES[scale]).decider)
    member = (
        Membership.objects.select_related("project").order_by("pk").filter(user__isnull=False)[0]
    )
    client = Client(headers={"x-forwarded-proto": "https"})
    connection.ensure_connection()
    backend, found = connection.connection.info.backend_pid, {}
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
                began = cpu.seconds(backend)
                try:
                    return execute(*args)
                finally:
                    into[0] += cpu.seconds(backend) - began

            with connection.execute_wrapper(look):
                answer = client.get(path, headers={"host": "127.0.0.1"})
            times.append(spent[0])
        found[f"{name} ({answer.status_code})"] = round(1000 * min(times), 2)
    return found
