"""PgBouncer in front of an embedded PostgreSQL, for as long as a block lasts."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
from psycopg import sql

from portal.lib.servers.account import servers_account
from portal.lib.servers.postgres import ROLE
from portal.lib.servers.process import Child, tail
from portal.lib.servers.valkey import free_port

START_SECONDS = 10


class NoPooler(LookupError):
    """One sentence for whoever wanted to measure it."""


@contextmanager
def pooler(database_url: str, *, size: int = 10) -> Iterator[str]:
    """The same database's address through a pooler that hands out connections by transaction.

    size: connections to PostgreSQL at most, for each database. Raises NoPooler.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        raise NoPooler("pgbouncer is not installed: `apt-get install pgbouncer`.")
    folder = Path(tempfile.mkdtemp(prefix="remit-pool-", dir="/tmp"))
    port = free_port()
    url = urlsplit(database_url)
    socket = parse_qs(url.query)["host"][0]
    account = servers_account()
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(_configuration(folder, socket, port, size))
    if account is not None:
        for path in (folder, configuration):
            os.chown(path, account.uid, account.gid)
    child = Child(
        [program, "--quiet", str(configuration)],
        log=folder / "log", stop_signal=signal.SIGINT, account=account, cwd=folder,
    )  # fmt: skip
    pooled = f"postgresql://{ROLE}@{quote(str(folder), safe='')}:{port}{url.path}"
    try:
        _wait_until_it_answers(child, pooled)
        yield pooled
    finally:
        child.kill()
        shutil.rmtree(folder, ignore_errors=True)


def set_for_role(database_url: str, session: Mapping[str, object]) -> None:
    """What Remit sets for each session where no pooler is, said once for the role."""
    with psycopg.connect(database_url, autocommit=True) as link:
        for name, value in session.items():
            link.execute(
                sql.SQL("ALTER ROLE {} SET {} = {}").format(
                    sql.Identifier(ROLE), sql.Identifier(name), sql.Literal(str(value))
                )
            )


def _configuration(folder: Path, socket: str, port: int, size: int) -> str:
    lines = [
        "[databases]",
        f"* = host={socket} user={ROLE}",
        "[pgbouncer]",
        # A socket in a closed folder, as the embedded PostgreSQL has.
        "listen_addr =",
        f"unix_socket_dir = {folder}",
        f"listen_port = {port}",
        "auth_type = any",
        "pool_mode = transaction",
        f"default_pool_size = {size}",
        "max_client_conn = 2000",
        "max_db_connections = 0",
        "server_idle_timeout = 5",
        "log_connections = 0",
        "log_disconnections = 0",
    ]
    return "\n".join([*lines, ""])


def _wait_until_it_answers(child: Child, url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with psycopg.connect(url):
                return
        except psycopg.OperationalError as error:
            if not child.is_running or time.monotonic() > deadline:
                raise NoPooler(f"PgBouncer does not answer: {error} {tail(child.log)}") from None
            time.sleep(0.05)
