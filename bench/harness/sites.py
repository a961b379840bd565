"""The made sites as databases of the bench: small, tenth, large, and large with many open."""

import os
import subprocess
import sys

import psycopg
from psycopg import sql

from portal.lib.servers import Addresses

from .places import CACHE, ROOT, database_url

# {database: what `make_site` is told}
SITES = {
    "small": ("--scale", "small"),
    "tenth": ("--scale", "tenth"),
    "large": ("--scale", "large"),
    "large_many": ("--scale", "large", "--open", "100000"),
}


def ensure_site(addresses: Addresses, name: str) -> None:
    """Make the database and fill it, unless it is there and filled."""
    url = database_url(addresses, name)
    with psycopg.connect(database_url(addresses, "postgres"), autocommit=True) as link:
        known = link.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if known is None:
            link.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    # The command that fills it is no part of a site in production.
    environment = os.environ | {
        "REMIT_ENV": "development",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": url,
        "BROKER_URL": addresses.broker_url,
        "DATA_DIR": str(CACHE),
    }
    _manage(environment, "migrate", "--verbosity=0")
    with psycopg.connect(url) as link:
        is_filled = link.execute("SELECT 1 FROM projects_project LIMIT 1").fetchone() is not None
    if not is_filled:
        print(f"Making the site {name} …", flush=True)
        _manage(environment, "make_site", *SITES[name])


def _manage(environment: dict[str, str], *command: str) -> None:
    subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=environment, check=True)
