"""Waking never blocks and never raises, whatever state the broker is in."""

import json
import socket
import time
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.db import transaction

from portal.celery import app
from portal.lib.servers.valkey import Valkey
from portal.lib.wake import forget_connection, forget_failure, wake, wake_after_commit

TASK = "quotas.tasks.apply_target"
# Well below the seconds that kombu or redis-py would wait between two attempts.
PROMPT = 1.0


def waiting(broker: Valkey, queue: str = "apply") -> list[dict[str, object]]:
    """The arguments of each hint in the queue."""
    raw = redis.Redis.from_url(broker.url).lrange(queue, 0, -1)
    return [json.loads(item)["headers"] for item in raw]


def seconds_of_a_refusal() -> float:
    started = time.monotonic()
    assert wake(TASK, target_id=1) is False
    return time.monotonic() - started


def test_wake_puts_one_hint_into_the_tasks_queue(broker: Valkey) -> None:
    assert wake(TASK, target_id=1) is True
    assert wake("quotas.tasks.observe_target", target_id=2) is True
    assert [(hint["task"], hint["kwargsrepr"]) for hint in waiting(broker)] == [
        (TASK, "{'target_id': 1}")
    ]
    assert len(waiting(broker, "observe")) == 1


@pytest.mark.parametrize("connected", [True, False], ids=["connected before", "not connected"])
def test_wake_with_a_hanging_broker_gives_up_at_once(broker: Valkey, connected: bool) -> None:
    if connected:
        assert wake(TASK, target_id=0) is True
    broker.suspend()
    assert seconds_of_a_refusal() < PROMPT
    broker.resume()


@pytest.mark.parametrize("connected", [True, False], ids=["connected before", "not connected"])
def test_wake_with_a_stopped_broker_gives_up_at_once(broker: Valkey, connected: bool) -> None:
    if connected:
        assert wake(TASK, target_id=0) is True
    broker.kill()
    assert seconds_of_a_refusal() < PROMPT


def test_wake_that_failed_leaves_the_broker_alone_for_a_while(
    broker: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "BROKER_PAUSE_SECONDS", 300)
    broker.kill()
    assert wake(TASK, target_id=1) is False
    broker.start()
    assert wake(TASK, target_id=1) is False
    assert waiting(broker) == []

    monkeypatch.setattr(settings, "BROKER_PAUSE_SECONDS", 0)
    assert wake(TASK, target_id=1) is True
    assert len(waiting(broker)) == 1


def test_wake_comes_back_after_a_restart(broker: Valkey) -> None:
    assert wake(TASK, target_id=1) is True
    broker.kill()
    assert wake(TASK, target_id=2) is False
    broker.start()
    forget_failure()
    assert wake(TASK, target_id=3) is True


def test_fault_of_ours_is_told_apart_from_a_broker_that_is_away(
    broker: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    assert wake(TASK, target_id=object()) is False
    (record,) = [record for record in caplog.records if record.name == "portal.lib.wake"]
    assert record.levelname == "ERROR"
    assert wake(TASK, target_id=1) is True


@pytest.fixture
def mute_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A host whose queue of connections is full: even connecting hangs."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen(0)
        clients = [socket.socket() for _ in range(4)]
        for client in clients:
            client.setblocking(False)
            client.connect_ex(mute.getsockname())
        monkeypatch.setattr(app.conf, "broker_url", f"redis://127.0.0.1:{mute.getsockname()[1]}/0")
        forget_connection()
        forget_failure()
        yield
        for client in clients:
            client.close()
        forget_connection()
        forget_failure()


def test_wake_of_a_host_that_does_not_even_connect_gives_up_at_once(mute_broker: None) -> None:
    assert seconds_of_a_refusal() < PROMPT


def test_wake_after_commit_waits_for_the_commit(broker: Valkey, database_copy: object) -> None:
    with transaction.atomic():
        wake_after_commit(TASK, target_id=1)
        assert waiting(broker) == []
    assert len(waiting(broker)) == 1


def test_wake_after_a_rollback_is_not_sent(broker: Valkey, database_copy: object) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        wake_after_commit(TASK, target_id=1)
        raise ZeroDivisionError
    assert waiting(broker) == []


def test_commit_is_prompt_while_the_broker_hangs(broker: Valkey, database_copy: object) -> None:
    broker.suspend()
    seen: list[str] = []
    started = time.monotonic()
    with transaction.atomic():
        for number in range(20):
            wake_after_commit(TASK, target_id=number)
        transaction.on_commit(lambda: seen.append("the next callback"))
    assert time.monotonic() - started < PROMPT
    assert seen == ["the next callback"]
    broker.resume()


def test_default_timeout_is_well_under_a_second() -> None:
    assert settings.BROKER_SOCKET_TIMEOUT == 0.3
