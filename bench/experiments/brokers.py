"""Valkey or RabbitMQ: what a hint costs who sends it, how many go through, and their memory."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.harness.places import become, production

from .ground import ground
from .pooling import pss_of
from .rabbit import rabbit
from .results import Found

HINTS = 2_000
TASK = "quotas.tasks.apply_target"


def run() -> Found:
    with ground() as addresses:
        become(production(addresses, "postgres"))
        import redis

        memory = redis.Redis.from_url(addresses.broker_url).info("memory")
        with _broker(addresses.broker_url):
            valkey = _figures()
        with rabbit() as broker:
            with _broker(broker.url):
                amqp = _figures()
            family = [broker.process.pid, *broker.process.descendants()]
            rabbit_mb = sum(map(pss_of, family)) / 1024
    valkey["memory, MB"] = round(memory["used_memory_rss"] / 1e6, 1)
    amqp["memory, MB"] = round(rabbit_mb, 1)
    rows = [(name, valkey[name], amqp[name]) for name in valkey]
    return Found(["", "Valkey", "RabbitMQ"], rows, {str(row[0]): list(row[1:]) for row in rows})


@contextmanager
def _broker(url: str) -> Iterator[None]:
    """Hints of this process go there, for the block."""
    from portal.celery import app
    from portal.lib.wake import forget_connection, forget_failure

    before = app.conf.broker_url
    app.conf.update(broker_url=url)
    forget_connection()
    forget_failure()
    try:
        yield
    finally:
        forget_connection()
        app.conf.update(broker_url=before)


def _figures() -> dict[str, float]:
    from celery import current_app

    from portal.lib.wake import forget_connection, wake

    began = time.perf_counter()
    assert wake(TASK, target_id=0), "the broker takes no hint"  # noqa: S101 - else nothing is measured
    first = time.perf_counter() - began
    times = []
    for number in range(HINTS):
        began = time.perf_counter()
        wake(TASK, target_id=number)
        times.append(time.perf_counter() - began)
    got = 0
    with current_app.connection_for_read() as link, link.SimpleQueue("apply") as queue:
        began = time.perf_counter()
        while got < HINTS:
            queue.get(timeout=10).ack()
            got += 1
        taken = time.perf_counter() - began
    forget_connection()
    return {
        "the first hint of a process, with its connection, ms": round(1000 * first, 1),
        "a hint, ms": round(1000 * statistics.median(times), 3),
        "1 in 100 hints, ms": round(1000 * sorted(times)[int(0.99 * HINTS)], 2),
        "hints taken by one worker a second": round(HINTS / taken),
    }
