"""pytest plugin: embedded servers for the session, and a database of its own for a test.

Tests inside one transaction use pytest-django's `db`. Tests that commit (threads, other
processes) use `database_copy`: a copy of the migrated database, in about 50 ms.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql
from pytest_django import DjangoDbBlocker

from portal.lib.database_url import parse_database_url
from portal.lib.servers import Servers, embedded_servers

TEMPLATE = "remit_template"


@dataclass(frozen=True)
class DatabaseCopy:
    """One test's own database; Django's connections already lead there."""

    name: str
    url: str
    broker_url: str
    data_dir: Path

    @property
    def environment(self) -> dict[str, str]:
        """For other processes of Remit (manage.py, gunicorn, a worker) on this database."""
        own = {
            "DATABASE_URL": self.url,
            "BROKER_URL": self.broker_url,
            "DATA_DIR": str(self.data_dir),
            "REMIT_ENV": "development",
            "SECRET_KEY": settings.SECRET_KEY,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            # Tests call faster than anybody should; those about the limits say so.
            "API_RATE_PER_MINUTE": "0",
        }
        return os.environ | own


@pytest.fixture(scope="session")
def servers_data_dir() -> Iterator[Path]:
    """Not pytest's own folder: that one is closed to the servers' user when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="remit-test-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def servers(servers_data_dir: Path) -> Iterator[Servers]:
    """PostgreSQL and Valkey of this session; whoever stops one starts it again."""
    with embedded_servers(servers_data_dir, durable=False) as running:
        yield running


@pytest.fixture(scope="session")
def django_db_modify_db_settings(servers: Servers, django_db_blocker: DjangoDbBlocker) -> None:
    """pytest-django asks this before it makes the test database, as a copy of the template."""
    found = parse_database_url(servers.database_url)
    # In place: the connections of all threads, also later ones, are made from this dict.
    configured = settings.DATABASES["default"]
    configured.update({key: found[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")})
    # A connection that a test kept would hold the database that it wants to drop.
    configured["CONN_MAX_AGE"] = 0
    connections["default"].settings_dict.update(configured)
    with django_db_blocker.unblock():
        _make_template(servers)
    connections["default"].settings_dict["TEST"]["TEMPLATE"] = TEMPLATE


def _make_template(servers: Servers) -> None:
    """A migrated, empty database that nobody is connected to: migrations run once."""
    _maintain(servers, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
    before = _point_django_at(TEMPLATE)
    try:
        call_command("migrate", verbosity=0)
    finally:
        _point_django_at(before)


@pytest.fixture(scope="session")
def migrated_template(django_db_modify_db_settings: None) -> str:
    """The name of the database that every other one is a copy of."""
    return TEMPLATE


@pytest.fixture
def database_copy(
    request: pytest.FixtureRequest,
    migrated_template: str,
    servers: Servers,
    servers_data_dir: Path,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[DatabaseCopy]:
    """A migrated database for this test alone, which may commit and be read by others.

    Instead of pytest-django's `db` and `django_db`, which would wrap the test into a
    transaction of another database.
    """
    if request.node.get_closest_marker("django_db") or "db" in request.fixturenames:
        pytest.fail("database_copy and django_db exclude each other: keep one of them")
    with _copied(migrated_template, servers, servers_data_dir, django_db_blocker) as copy:
        yield copy


@pytest.fixture(scope="module")
def module_database(
    migrated_template: str,
    servers: Servers,
    servers_data_dir: Path,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[DatabaseCopy]:
    """As `database_copy`, one for all tests of a module, none of which may ask for `db`."""
    with _copied(migrated_template, servers, servers_data_dir, django_db_blocker) as copy:
        yield copy


@contextmanager
def _copied(
    template: str, servers: Servers, data_dir: Path, blocker: DjangoDbBlocker
) -> Iterator[DatabaseCopy]:
    name = f"copy_{uuid.uuid4().hex[:12]}"
    _maintain(
        servers,
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        ),
    )
    with blocker.unblock():
        before = _point_django_at(name)
        try:
            yield DatabaseCopy(
                name=name,
                url=_with_database(servers.database_url, name),
                broker_url=servers.broker_url,
                data_dir=data_dir,
            )
        finally:
            _point_django_at(before)
            _maintain(
                servers, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            )


@pytest.fixture
def broker(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """The session's broker, empty, and Django's and Celery's settings lead to it.

    Has stop, kill, suspend, resume, start; it is running again after the test.
    """
    from portal.celery import app
    from portal.lib import wake

    monkeypatch.setattr(settings, "CELERY_BROKER_URL", servers.broker_url)
    monkeypatch.setattr(app.conf, "broker_url", servers.broker_url)
    wake.forget_connection()
    wake.forget_failure()
    # Processes that tests start leave hints behind, also of tests that do not ask for this one.
    with redis.Redis.from_url(servers.broker_url) as client:
        client.flushall()
    yield servers.broker
    servers.broker.kill()
    servers.broker.start()  # it keeps nothing, so a new one is an empty one
    wake.forget_connection()
    wake.forget_failure()


def _point_django_at(name: str) -> str:
    """The name before; threads of the test get the new one too."""
    connections.close_all()
    before = settings.DATABASES["default"]["NAME"]
    for configured in (settings.DATABASES["default"], connections["default"].settings_dict):
        configured["NAME"] = name
    return str(before)


def _with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _maintain(servers: Servers, statement: sql.Composed) -> None:
    with psycopg.connect(_with_database(servers.database_url, "postgres"), autocommit=True) as link:
        link.execute(statement)
