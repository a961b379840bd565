"""Is this process alive, may it get traffic, and what is degraded?

/livez looks at nothing but itself. /readyz is about what no page can do without. The
broker and the workers are neither: without them decisions are still taken, so they show
in /metrics and take nothing away.
"""

from collections.abc import Iterable

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client.metrics_core import Metric
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.celery import CALLS, WORK
from portal.lib import metrics, pace
from portal.lib.access import shows

QUEUES = (*WORK, *CALLS)
PLAIN = "text/plain; charset=utf-8"
EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


@shows("public")
@login_not_required
@require_safe
@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type=PLAIN)


@shows("public")
@login_not_required
@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200, or 503 with one word: `database` or `migrations`."""
    reason = _unready()
    return HttpResponse(f"{reason or 'ok'}\n", status=503 if reason else 200, content_type=PLAIN)


@shows("public")
@login_not_required
@require_safe
@never_cache
def metrics_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(metrics.exposition(), content_type=EXPOSITION)


def _unready() -> str:
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        # What is left of the connection would fail the next request too.
        connection.close()
        return "database"
    return "migrations" if missing else ""


def collect_broker() -> Iterable[Metric]:
    """Whether the broker answers, and how many hints wait in it."""
    lengths: dict[tuple[str, ...], float] = {}
    client = redis.Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_timeout=settings.BROKER_SOCKET_TIMEOUT,
        socket_connect_timeout=settings.BROKER_SOCKET_TIMEOUT,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        with client.pipeline(transaction=False) as pipeline:
            for queue in QUEUES:
                pipeline.llen(queue)
            found = pipeline.execute()
        lengths = {(queue,): n for queue, n in zip(QUEUES, found, strict=True)}
    except redis.RedisError:
        pass
    finally:
        client.close()
    yield metrics.gauge("remit_broker_up", "1: the broker answers", {(): float(bool(lengths))})
    yield metrics.gauge("remit_queue_length", "Hints that wait in the broker", lengths, "queue")


def collect_limits() -> Iterable[Metric]:
    """Whether calls of the API are limited; nothing where the site wants no limits."""
    values: dict[tuple[str, ...], float] = {(): float(pace.is_up())} if pace.is_on() else {}
    yield metrics.gauge("remit_rate_limits_up", "0: nobody is limited, Redis is away", values)


def collect_database() -> Iterable[Metric]:
    """Whether the database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        up = 1.0
    except DatabaseError:
        connection.close()
        up = 0.0
    yield metrics.gauge("remit_database_up", "1: the database answers", {(): up})
