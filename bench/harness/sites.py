"""The made sites as databases of the bench: kept as they were made, copied for what writes.

Each has a stamp in a schema of its own: what it was made by, and how many of everything there are.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from portal.lib.servers import Addresses

from .places import CACHE, ROOT, database_url

SEED = 1
Facts = dict[str, int]
# What a site's size is told by.
COUNTED = {
    "units": "projects_unit", "projects": "projects_project", "people": "projects_user",
    "delegations": "projects_delegation", "offerings": "quotas_offering",
    "requests": "quotas_quotarequest", "transfers": "quotas_transfer", "events": "projects_event",
}  # fmt: skip
# Who acts on a site, which is read from it and changes no row.
WRITE_NOTHING = ("cast.py",)
OPEN = "SELECT count(DISTINCT request_id) FROM quotas_requestline WHERE state = 'open'"


@dataclass(frozen=True)
class Order:
    """What `make_site` is told. open: None is the scale's own number."""

    scale: str
    open: int | None = None
    seed: int = SEED

    @property
    def arguments(self) -> list[str]:
        more = [] if self.open is None else ["--open", str(self.open)]
        return ["--scale", self.scale, "--seed", str(self.seed), *more]


SITES = {
    "small": Order("small"),
    "tenth": Order("tenth"),
    "tenth_many": Order("tenth", open=30_000),
    "large": Order("large"),
    "large_many": Order("large", open=100_000),
}


def ensure_site(addresses: Addresses, name: str) -> Facts:
    """Have the database as it would be made now; how many there are of everything, and the seed.

    One that was made by other code, another seed or before a migration is made anew.
    """
    made_by = {**asdict(SITES[name]), "source": source_of(ROOT), **newest_migrations(ROOT)}
    with _maintenance(addresses) as link:
        is_there = name in _databases(link)
        stamp = stamp_of(database_url(addresses, name)) if is_there else None
        if stamp is not None and stamp["made_by"] == made_by:
            return facts_of(stamp)
        print(f"Making the site {name} …", flush=True)
        link.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        _create(link, name)
    url = database_url(addresses, name)
    # The command that fills it is no part of a site in production.
    environment = os.environ | {
        "REMIT_ENV": "development",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": url,
        "BROKER_URL": addresses.broker_url,
        "DATA_DIR": str(CACHE),
    }
    _manage(environment, "migrate", "--verbosity=0")
    _manage(environment, "make_site", *SITES[name].arguments)
    return facts_of(write_stamp(url, made_by))


@contextmanager
def copied(addresses: Addresses, name: str) -> Iterator[str]:
    """The name of a copy of that site which may be written to, for the block alone."""
    copy = f"{name}_run_{os.getpid()}"
    with _maintenance(addresses) as link:
        for left in _databases(link):
            if not _is_used(left):
                _drop(link, left)
        _create(link, copy, template=name)
    try:
        yield copy
    finally:
        with _maintenance(addresses) as link:
            _drop(link, copy)


def stamp_of(url: str) -> dict[str, Any] | None:
    """What a database says of itself; None: it is no whole site of ours."""
    with psycopg.connect(url) as link:
        if link.execute("SELECT to_regclass('bench.stamp')").fetchone() == (None,):
            return None
        row = link.execute("SELECT told FROM bench.stamp").fetchone()
    return None if row is None else dict(row[0])


def write_stamp(url: str, made_by: dict[str, Any]) -> dict[str, Any]:
    """Count what is there and write it down, with what it was made by; the stamp."""
    with psycopg.connect(url) as link:
        counts = {
            each: _count(link, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
            for each, table in COUNTED.items()
        }
        stamp = {"made_by": made_by, "counts": counts | {"open": _count(link, sql.SQL(OPEN))}}
        link.execute("CREATE SCHEMA bench")
        link.execute("CREATE TABLE bench.stamp (told jsonb NOT NULL)")
        link.execute("INSERT INTO bench.stamp VALUES (%s)", [json.dumps(stamp)])
    return stamp


def facts_of(stamp: dict[str, Any]) -> Facts:
    """The counts of a stamp, and the seed: what rows tell of their site."""
    return {**stamp["counts"], "seed": stamp["made_by"]["seed"]}


def source_of(root: Path) -> str:
    """A short hash of the code that makes sites: other code may write other rows."""
    found = hashlib.sha256()
    files = (root / "bench" / "site").glob("*.py")
    for each in sorted(each for each in files if each.name not in WRITE_NOTHING):
        found.update(each.name.encode() + b"\0" + each.read_bytes() + b"\0")
    return found.hexdigest()[:16]


def newest_migrations(root: Path) -> dict[str, str]:
    """{app: the name of its newest migration} of the apps whose tables a site fills."""
    return {
        app: max(each.stem for each in (root / app / "migrations").glob("[0-9]*.py"))
        for app in ("projects", "quotas")
    }


def _count(link: "psycopg.Connection[tuple[Any, ...]]", query: sql.SQL | sql.Composed) -> int:
    row = link.execute(query).fetchone()
    assert row is not None  # noqa: S101 - a count is one row
    return int(row[0])


@contextmanager
def _maintenance(addresses: Addresses) -> Iterator["psycopg.Connection[tuple[Any, ...]]"]:
    with psycopg.connect(database_url(addresses, "postgres"), autocommit=True) as link:
        yield link


def _databases(link: "psycopg.Connection[tuple[Any, ...]]") -> list[str]:
    return [str(name) for (name,) in link.execute("SELECT datname FROM pg_database")]


def _create(
    link: "psycopg.Connection[tuple[Any, ...]]", name: str, template: str | None = None
) -> None:
    create = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        # Files are copied as they are; the other strategy would write each block to the log.
        create += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
    link.execute(create)
    # CPU is counted of the backend: parallel workers are processes of their own.
    link.execute(
        sql.SQL("ALTER DATABASE {} SET max_parallel_workers_per_gather = 0").format(
            sql.Identifier(name)
        )
    )


def _drop(link: "psycopg.Connection[tuple[Any, ...]]", copy: str) -> None:
    """Also where a process that was killed has left its connection."""
    link.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(copy)))


def _is_used(name: str) -> bool:
    """Whether it is no copy, or one whose maker still runs."""
    _site, is_copy, maker = name.partition("_run_")
    return not is_copy or Path(f"/proc/{maker}").exists()


def _manage(environment: dict[str, str], *command: str) -> None:
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)
