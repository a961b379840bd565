"""Wake a worker, or not: a broker that is down or hangs never delays or fails a decision.

The row is the truth and a sweep finds it within seconds; a message only makes it sooner.
So one attempt is made, with short socket timeouts and no retry, and after a failure this
process leaves the broker alone for a while.
"""

import logging
import threading
import time
from functools import partial
from typing import Any

from amqp.exceptions import AMQPError
from celery import current_app
from django.conf import settings
from django.db import transaction
from kombu import Connection, Producer
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# How a broker that is down, hangs or refuses us shows itself.
AWAY = (OperationalError, RedisError, AMQPError, OSError)

# How one that was kept shows that the broker ended it; one that hangs is not asked twice.
GONE = (ConnectionError, RedisConnectionError)

_state = threading.local()
_failed_at: float | None = None


def wake_after_commit(task: str, **kwargs: Any) -> None:
    """Wake once the transaction is committed; a failure here stops no other callback."""
    transaction.on_commit(partial(wake, task, **kwargs), robust=True)


def wake(task: str, **kwargs: Any) -> bool:
    """Send the hint `task(**kwargs)`; whether the broker took it. Never raises.

    task: dotted name as registered, "quotas.tasks.apply_target"; kwargs: JSON values.
    Takes about BROKER_SOCKET_TIMEOUT at most, nothing for BROKER_PAUSE_SECONDS after
    a failure.
    """
    global _failed_at
    if _failed_at is not None and time.monotonic() - _failed_at < settings.BROKER_PAUSE_SECONDS:
        return False
    try:
        try:
            current_app.send_task(task, kwargs=kwargs, producer=_producer(), retry=False)
        except GONE:
            # The broker ended what this thread had kept; one that is new tells whether it is there.
            if not forget_connection():
                raise
            current_app.send_task(task, kwargs=kwargs, producer=_producer(), retry=False)
    except Exception as error:
        # Whatever it was, the decision is committed and the sweep will find it.
        forget_connection()
        if isinstance(error, AWAY):
            _failed_at = time.monotonic()
            logger.warning("broker does not answer, left alone", extra={"error": repr(error)})
        else:
            logger.exception("waking a worker failed; this is a fault of ours")
        return False
    _failed_at = None
    return True


def forget_failure() -> None:
    """Try the broker again at once."""
    global _failed_at
    _failed_at = None


def forget_connection() -> bool:
    """Close this thread's connection; the next hint opens one. Whether it had carried a hint."""
    connection: Connection | None = getattr(_state, "connection", None)
    is_proved = getattr(_state, "producer", None) is not None
    _state.connection = _state.producer = None
    if connection is not None:
        connection.release()
    return is_proved


def _producer() -> Producer:
    """This thread's own way to the broker: opening one costs several calls, each a hint's price."""
    producer: Producer | None = getattr(_state, "producer", None)
    if producer is None:
        connection = _connection()
        # Before anything else asks for it: kombu's own way would wait and try again.
        connection.ensure_connection(max_retries=0)
        producer = current_app.amqp.Producer(connection.channel())
        _state.producer = producer
    return producer


def _connection() -> Connection:
    """This thread's own connection, with timeouts for people who wait."""
    connection: Connection | None = getattr(_state, "connection", None)
    if connection is None:
        seconds = settings.BROKER_SOCKET_TIMEOUT
        connection = current_app.connection_for_write(
            connect_timeout=seconds,
            transport_options={
                "socket_timeout": seconds,
                "socket_connect_timeout": seconds,
                # For whatever kombu opens again by itself.
                "max_retries": 0,
                "interval_start": 0,
                "health_check_interval": 0,
            },
        )
        _state.connection = connection
    return connection
