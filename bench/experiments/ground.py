"""Servers and made sites of the experiments: their own, kept in .cache between two of them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from bench.harness.places import CACHE, ROOT, become, database_url, production
from portal.lib.servers import Addresses, embedded_servers, read_addresses
from portal.lib.servers.supervisor import make_data_dir

HOME = CACHE / "experiments"
SCALES = ("small", "tenth", "large")
# Its table is all that an experiment says.
QUIET = {"LOG_LEVEL": "ERROR"}


@contextmanager
def ground(folder: Path = HOME) -> Iterator[Addresses]:
    """PostgreSQL and Valkey of this run, as durable as in production."""
    running = read_addresses(folder)
    if running is not None:
        yield running
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    make_data_dir(folder)
    with embedded_servers(folder):
        found = read_addresses(folder)
        assert found is not None  # noqa: S101 - the line above wrote it
        yield found


def site_of(scale: str) -> str:
    """What the database with the made site of this scale is called."""
    return f"site_{scale}"


@contextmanager
def made_site(scale: str, *, is_shared: bool = False) -> Iterator[Addresses]:
    """This process is one of the made site's; the site is made where it is not there yet.

    is_shared: where we have none, that of `make bench` will do, as nothing is changed for good.
    """
    others = read_addresses(CACHE) if is_shared else None
    with ground() as addresses:
        name = site_of(scale)
        if others is not None and not _is_there(addresses, name) and _is_there(others, scale):
            become(production(others, scale) | QUIET)
            yield others
            return
        if not _is_there(addresses, name):
            _make(addresses, name, scale)
        become(production(addresses, name) | QUIET)
        yield addresses


@contextmanager
def scratch(addresses: Addresses, name: str, template: str = "template1") -> Iterator[str]:
    """The URL of a database for this block alone, a copy of `template`."""
    drop(addresses, name)
    _maintain(addresses, "CREATE DATABASE {} TEMPLATE {}", name, template)
    try:
        yield database_url(addresses, name)
    finally:
        drop(addresses, name)


def drop(addresses: Addresses, name: str) -> None:
    _maintain(addresses, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def say(words: str) -> None:
    """Progress, for whoever waits."""
    print(words, file=sys.stderr, flush=True)


def _is_there(addresses: Addresses, name: str) -> bool:
    with psycopg.connect(database_url(addresses, "postgres"), autocommit=True) as link:
        found = link.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return found.fetchone() is not None


def _make(addresses: Addresses, name: str, scale: str) -> None:
    """Under another name first: what was killed half-way is no site."""
    unfinished = f"{name}_unfinished"
    drop(addresses, unfinished)
    _maintain(addresses, "CREATE DATABASE {}", unfinished)
    # `make_site` is no command of production.
    environment = os.environ | production(addresses, unfinished) | {"REMIT_ENV": "development"}
    for command in (["migrate"], ["make_site", "--scale", scale]):
        say(f"{scale} site: {command[0]} …")
        subprocess.run(
            [sys.executable, "manage.py", *command, "--verbosity=0"],
            cwd=ROOT, env=environment, check=True,
        )  # fmt: skip
    _maintain(addresses, "ALTER DATABASE {} RENAME TO {}", unfinished, name)


def _maintain(addresses: Addresses, statement: str, *names: str) -> None:
    with psycopg.connect(database_url(addresses, "postgres"), autocommit=True) as link:
        link.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
