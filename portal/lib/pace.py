"""How fast may this caller go on? Counted in Redis, one count for all web processes.

Each caller has a bucket of API_RATE_BURST calls that fills again at API_RATE_PER_MINUTE (GCRA:
one moment a caller is all that is kept). A Redis that is away or hangs limits nobody: one call
of this process waits for it, LIMITS_SOCKET_TIMEOUT at most, and for a while none does.
"""

import logging
import math
import threading
import time
from dataclasses import dataclass
from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

logger = logging.getLogger(__name__)

POLICY = "api"
AWAY = (redis.RedisError, OSError)

# The moment at which the bucket is full again is kept, in microseconds of Redis' own clock: web
# servers need not agree about the time. Refused calls take nothing.
_TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + interval
local wait = full_at - now - interval * burst
if wait > 0 then return {0, 0, wait, full_at - interval - now} end
redis.call('SET', KEYS[1], string.format('%.0f', full_at), 'PX', math.ceil((full_at - now) / 1000))
return {1, math.floor(-wait / interval), 0, full_at - now}
"""

_failed_at: float | None = None
_lock = threading.Lock()


@dataclass(frozen=True)
class Pace:
    """Whether a call may go on; how many more could at once, and when all of them can again."""

    is_allowed: bool
    left: int
    wait_seconds: float
    full_seconds: float

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them."""
        burst = settings.API_RATE_BURST
        window = math.ceil(burst * 60 / settings.API_RATE_PER_MINUTE)
        return {
            "RateLimit-Policy": f'"{POLICY}";q={burst};w={window}',
            "RateLimit": f'"{POLICY}";r={self.left};t={math.ceil(self.full_seconds)}',
        }


def is_on() -> bool:
    """Whether the site limits calls at all."""
    return bool(settings.API_RATE_PER_MINUTE)


def take(caller: str) -> Pace | None:
    """Count one call of `caller`; None: nobody is limited, by the site's wish or for now."""
    if not is_on() or not settings.LIMITS_URL or not _may_try():
        return None
    interval = 60_000_000 // settings.API_RATE_PER_MINUTE
    try:
        found = _script(settings.LIMITS_URL, settings.LIMITS_SOCKET_TIMEOUT)(
            keys=[f"remit:pace:{caller}"], args=[interval, settings.API_RATE_BURST]
        )
    except AWAY as error:
        _note_failure(error)
        return None
    _note_answer()
    allowed, left, wait, full = found
    return Pace(bool(allowed), int(left), wait / 1e6, full / 1e6)


def is_up() -> bool:
    """Whether calls are limited now; asks Redis, unless it has just failed to answer."""
    if not settings.LIMITS_URL or not _may_try():
        return False
    try:
        _script(settings.LIMITS_URL, settings.LIMITS_SOCKET_TIMEOUT).registered_client.ping()
    except AWAY as error:
        _note_failure(error)
        return False
    _note_answer()
    return True


def forget_failure() -> None:
    """Try Redis again at once."""
    _note_answer()


def _may_try() -> bool:
    """After a failure one call of this process tries again now and then, others do not wait."""
    global _failed_at
    with _lock:
        now = time.monotonic()
        if _failed_at is None:
            return True
        if now - _failed_at < settings.BROKER_PAUSE_SECONDS:
            return False
        _failed_at = now
        return True


def _note_failure(error: Exception) -> None:
    global _failed_at
    _failed_at = time.monotonic()
    logger.warning("calls are not limited: Redis does not answer", extra={"error": repr(error)})


def _note_answer() -> None:
    global _failed_at
    _failed_at = None


@cache
def _script(url: str, seconds: float) -> Script:
    client = redis.Redis.from_url(
        url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=Retry(NoBackoff(), 0)
    )
    return client.register_script(_TAKE)
