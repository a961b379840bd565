"""Valkey or RabbitMQ: what a hint costs who sends it, how many go through, and their memory."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.harness.memory import pss_mb
from bench.harness.places import become, production, servers

from .rabbit import rabbit
from .results import Found

TURNS, HINTS = 6, 500
TASK = "quotas.tasks.apply_target"


@dataclass
class _Told:
    """What all turns of a broker took: seconds, and hints taken a second."""

    first: list[float] = field(default_factory=list)
    each: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)

    def rows(self, memory_mb: float) -> dict[str, float]:
        return {
            "the first hint of a process, with its connection, ms": _ms(self.first),
            "a hint, ms": _ms(self.each),
            "1 in 100 hints, ms": round(1000 * sorted(self.each)[int(0.99 * len(self.each))], 2),
            "hints taken by one worker a second": round(statistics.median(self.taken)),
            "memory after that, MB (PSS)": round(memory_mb, 1),
        }


def run() -> Found:
    """By turns, each first as often as the other; memory after all of them."""
    with servers() as addresses, rabbit() as broker:
        become(production(addresses, "postgres"))
        urls = {"Valkey": addresses.broker_url, "RabbitMQ": broker.url}
        told = {name: _Told() for name in urls}
        for turn in range(TURNS):
            for name in sorted(urls, reverse=turn % 2 == 0):
                with _broker(urls[name]):
                    _load(told[name])
        family = [broker.process.pid, *broker.process.descendants()]
        memory = {
            "Valkey": pss_mb(_process_of(addresses.broker_url)),
            "RabbitMQ": sum(map(pss_mb, family)),
        }
    valkey, amqp = (told[name].rows(memory[name]) for name in urls)
    rows = [(name, valkey[name], amqp[name]) for name in valkey]
    return Found(["", "Valkey", "RabbitMQ"], rows, {str(row[0]): list(row[1:]) for row in rows})


def _process_of(url: str) -> int:
    import redis

    found: dict[str, int] = redis.Redis.from_url(url).info("server")
    return found["process_id"]


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


def _load(told: _Told) -> None:
    """Hints of a process that begins, and all of them taken."""
    from celery import current_app

    from portal.lib.wake import wake

    began = time.perf_counter()
    if not wake(TASK, target_id=0):
        raise LookupError("The broker takes no hint.")
    told.first.append(time.perf_counter() - began)
    for number in range(1, HINTS):
        began = time.perf_counter()
        wake(TASK, target_id=number)
        told.each.append(time.perf_counter() - began)
    with current_app.connection_for_read() as link, link.SimpleQueue("apply") as queue:
        began = time.perf_counter()
        for _hint in range(HINTS):
            queue.get(timeout=10).ack()
        told.taken.append(HINTS / (time.perf_counter() - began))


def _ms(seconds: list[float]) -> float:
    return round(1000 * statistics.median(seconds), 3)
