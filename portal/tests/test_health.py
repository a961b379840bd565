"""The three probes: what makes each of them say no, and what does not."""

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client
from prometheus_client.metrics_core import Metric

from portal.lib import metrics
from portal.lib.servers import Servers
from portal.lib.servers.valkey import Valkey


def test_livez_needs_nobody_and_nothing(client: Client) -> None:
    answer = client.get("/livez")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_readyz_with_database_and_migrations(client: Client) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


@pytest.mark.django_db
def test_readyz_names_missing_migrations(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'sessions'")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.content) == (503, b"migrations\n")


@pytest.mark.usefixtures("database_copy")
def test_readyz_names_the_database_and_comes_back(client: Client, servers: Servers) -> None:
    servers.postgres.stop()
    try:
        down = client.get("/readyz")
        alive = client.get("/livez")
        numbers = client.get("/metrics").content.decode()
    finally:
        servers.postgres.start()
    assert (down.status_code, down.content) == (503, b"database\n")
    assert alive.status_code == 200
    assert "remit_database_up 0.0" in numbers
    connections.close_all()
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
def test_broker_that_hangs_is_degraded_and_takes_nothing_away(
    client: Client, broker: Valkey
) -> None:
    assert "remit_broker_up 1.0" in client.get("/metrics").content.decode()
    broker.suspend()
    assert "remit_broker_up 0.0" in client.get("/metrics").content.decode()
    assert client.get("/readyz").status_code == 200
    broker.resume()


@pytest.mark.django_db
def test_metrics_tell_which_source_failed_and_show_the_others(client: Client) -> None:
    def broken() -> list[Metric]:
        raise RuntimeError("no")

    metrics.register("broken", broken)
    try:
        text = client.get("/metrics").content.decode()
    finally:
        metrics._collectors.pop("broken")
    assert 'remit_metrics_failed{source="broken"} 1.0' in text
    assert 'remit_metrics_failed{source="database"} 0.0' in text
    assert "remit_database_up 1.0" in text


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_probes_are_not_redirected_to_https(
    client: Client, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SECURE_SSL_REDIRECT", True)
    assert client.get(path).status_code == 200


def test_probe_is_read_only(client: Client) -> None:
    assert client.post("/livez").status_code == 405
