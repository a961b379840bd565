"""Where the bench keeps its servers and databases, and how a process of Remit finds them."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from portal.lib.servers import Addresses, embedded_servers, read_addresses
from portal.lib.servers.supervisor import make_data_dir

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "bench"
STATIC = CACHE / "static"
HOST = "127.0.0.1"
# A database that is no scale of ours: the large site of the tests of cost.
TESTS = "tests"
# Of a site of made-up people on this machine alone; two of its sessions are as good as one.
SECRET = "of-a-site-that-is-only-measured-0123456789-abcdefghijklmnopqrstuvwxyz"  # noqa: S105


@contextmanager
def servers(folder: Path = CACHE) -> Iterator[Addresses]:
    """PostgreSQL and Valkey of the bench: those of the folder that run, or ours for the block."""
    running = read_addresses(folder)
    if running is not None:
        yield running
        return
    make_data_dir(folder)
    with embedded_servers(folder):
        found = read_addresses(folder)
        assert found is not None  # noqa: S101 - the line above wrote it
        yield found


def database_url(addresses: Addresses, name: str) -> str:
    """Of the database of that name on these servers."""
    return urlunsplit(urlsplit(addresses.database_url)._replace(path=f"/{name}"))


def production(addresses: Addresses, database: str) -> dict[str, str]:
    """The environment of a process of Remit as in production, on one database of the bench.

    A proxy in front would speak TLS and say so, as the bench's client does. Nobody is refused
    for calling fast, but who calls is counted all the same.
    """
    return {
        "REMIT_ENV": "production",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": database_url(addresses, database),
        "BROKER_URL": addresses.broker_url,
        "DATA_DIR": str(CACHE),
        "SECRET_KEY": SECRET,
        "ALLOWED_HOSTS": HOST,
        "CSRF_TRUSTED_ORIGINS": f"https://{HOST}",
        "TRUST_X_FORWARDED_PROTO": "on",
        "STATIC_ROOT": str(STATIC),
        "API_RATE_PER_MINUTE": "1000000",
        "API_RATE_BURST": "100000",
    }


def become(environment: Mapping[str, str]) -> None:
    """Make this process one of that site; before Django's settings are read."""
    os.environ.update(environment)
    import django  # the settings are read as it is set up

    django.setup()


def collect_static(environment: Mapping[str, str]) -> None:
    """Files by their hashed names, as production has them: names are a part of each page."""
    subprocess.run(
        [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"],
        cwd=ROOT, env=os.environ | dict(environment), check=True,
    )  # fmt: skip
