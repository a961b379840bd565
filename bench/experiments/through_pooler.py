"""pytest plugin: tests that commit meet their database through PgBouncer, by transaction.

`DATABASE_POOLED=on pytest -p bench.experiments.through_pooler FILES`. Databases are still made and
dropped directly, and those of tests inside one transaction are met directly, too.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connections

from bench.experiments.pooler import pooler, set_for_role
from portal.lib.servers import Servers
from portal.testing import servers

COPIES = "copy_"
# What is put in place of its functions, it does not offer to others.
fixtures: Any = servers


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if not settings.DATABASE_POOLED:
        raise pytest.UsageError("say DATABASE_POOLED=on")
    own = _Own()
    patched: dict[str, Any] = {
        "embedded_servers": own.embedded_servers,
        "_with_database": own.with_database,
        "_point_django_at": own.point_django_at,
    }
    for name, value in patched.items():
        setattr(fixtures, name, value)


class _Own:
    """What the fixtures call, with a pooler in front of what tests meet."""

    def __init__(self) -> None:
        self._with_database = fixtures._with_database
        self._point = fixtures._point_django_at
        self._embedded = fixtures.embedded_servers
        self._pooled = ""

    @contextmanager
    def embedded_servers(self, folder: Path, *, durable: bool) -> Iterator[Servers]:
        with ExitStack() as stack:
            servers = stack.enter_context(self._embedded(folder, durable=durable))
            set_for_role(servers.database_url, settings.DATABASE_SESSION)
            self._pooled = stack.enter_context(pooler(servers.database_url, size=20))
            yield servers

    def with_database(self, url: str, name: str) -> str:
        if name.startswith(COPIES):
            return urlunsplit(urlsplit(self._pooled)._replace(path=f"/{name}"))
        return self._with_database(url, name)

    def point_django_at(self, name: str) -> str:
        before = self._point(name)
        url = urlsplit(self._pooled)
        configured = settings.DATABASES["default"]
        direct = configured.setdefault("DIRECT", (configured["HOST"], configured["PORT"]))
        pooled = (unquote(url.hostname or ""), str(url.port))
        host, port = pooled if name.startswith(COPIES) else direct
        for each in (configured, connections["default"].settings_dict):
            each.update(HOST=host, PORT=port)
        return before
