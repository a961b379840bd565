"""pytest plugin: the broker of tests is RabbitMQ.

`pytest -p bench.experiments.through_rabbit FILES`. Calls of the API are counted where they were,
in the Valkey of the embedded servers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bench.experiments.rabbit import rabbit
from portal.lib.servers import Servers
from portal.testing import servers as found


@dataclass(frozen=True)
class _Servers(Servers):
    """The embedded ones, with another broker for whoever asks for its address."""

    rabbit_url: str = ""

    @property
    def broker_url(self) -> str:
        return self.rabbit_url


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # What is put in place of its function, it does not offer to others.
    fixtures: Any = found
    embedded = fixtures.embedded_servers

    @contextmanager
    def embedded_servers(folder: Path, *, durable: bool) -> Iterator[Servers]:
        with embedded(folder, durable=durable) as servers, rabbit() as broker:
            yield _Servers(servers.postgres, servers.broker, rabbit_url=broker.url)

    fixtures.embedded_servers = embedded_servers
