"""Which request does a log line belong to?"""

import logging
import re
import uuid
from contextvars import ContextVar

current: ContextVar[str] = ContextVar("request_id", default="-")
# What a proxy may hand us; anything else could forge log lines.
_GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}")


def accept(given: str) -> str:
    """The proxy's id where it is well formed, else a new one."""
    return given if _GIVEN.fullmatch(given) else uuid.uuid4().hex


class RequestIdFilter(logging.Filter):
    """Puts the id on every record of this thread or task, and takes the request itself off.

    Django hangs it on, and as text it is its address with the query, which may hold names or,
    on the way back from an identity provider, a code. The path is in our own line.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = current.get()
        record.__dict__.pop("request", None)
        return True
