"""Made sites and empty databases for experiments, on the servers of the bench."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from bench.harness.places import CACHE, become, database_url, production, servers
from bench.harness.sites import copied, ensure_site
from portal.lib.servers import Addresses

# Servers of their own, for what is about a whole server: it is to hold no site but one.
ALONE = CACHE / "experiments"
SCALES = ("small", "tenth", "large")
# Its table is all that an experiment says.
QUIET = {"LOG_LEVEL": "ERROR"}


@dataclass(frozen=True)
class Made:
    """A made site for an experiment. url: of its database."""

    addresses: Addresses
    url: str


@contextmanager
def made_site(scale: str, folder: Path = CACHE) -> Iterator[Made]:
    """This process is one of a copy of the made site's, which goes with the block."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with servers(folder) as addresses:
        ensure_site(addresses, scale)
        with copied(addresses, scale) as name:
            become(production(addresses, name) | QUIET)
            yield Made(addresses, database_url(addresses, name))


@contextmanager
def read_site(scale: str) -> Iterator[None]:
    """This process is one of the made site's, and changes nothing there for good."""
    with servers() as addresses:
        ensure_site(addresses, scale)
        become(production(addresses, scale) | QUIET)
        yield


@contextmanager
def scratch(addresses: Addresses, name: str) -> Iterator[str]:
    """The URL of an empty database for this block alone."""
    _maintain(addresses, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
    _maintain(addresses, "CREATE DATABASE {}", name)
    try:
        yield database_url(addresses, name)
    finally:
        _maintain(addresses, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def say(words: str) -> None:
    """Progress, for whoever waits."""
    print(words, file=sys.stderr, flush=True)


def quiet(environment: dict[str, str]) -> dict[str, str]:
    """The environment of a command of ours that an experiment runs."""
    return os.environ | environment | QUIET


def _maintain(addresses: Addresses, statement: str, *names: str) -> None:
    with psycopg.connect(database_url(addresses, "postgres"), autocommit=True) as link:
        link.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
