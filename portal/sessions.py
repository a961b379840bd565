"""How long does somebody stay signed in? Until an age, and only while they do something.

The end is written into Django's own session, which is over by itself then: nothing sweeps.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

SIGNED_IN_AT = "signed_in_at"
# Written at most so often within the idle time, so that reading pages writes little.
STEPS = 20


class SessionRulesMiddleware:
    """Whoever does something stays signed in; parts that a page fetches by itself do not count."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_part = request.method == "GET" and request.headers.get("HX-Request") == "true"
        # Bearers of tokens have no session, and so none to prolong.
        if not is_part and request.session.session_key and request.user.is_authenticated:
            prolong(request.session, timezone.now())
        return self.get_response(request)


def begin(sender: Any, request: HttpRequest, **facts: Any) -> None:
    """Note when somebody signed in; connected to Django's own signal in `apps`."""
    now = timezone.now()
    request.session[SIGNED_IN_AT] = now.timestamp()
    request.session.set_expiry(_end(request.session, now))


def prolong(session: SessionBase, now: datetime) -> None:
    """Move the end away from `now`, as far as the age allows."""
    is_ruled = SIGNED_IN_AT in session
    if not is_ruled:
        session[SIGNED_IN_AT] = now.timestamp()  # from before there were rules
    end = _end(session, now)
    step = timedelta(seconds=settings.SESSION_IDLE_SECONDS / STEPS)
    if not is_ruled or end - session.get_expiry_date() > step:
        session.set_expiry(end)


def _end(session: SessionBase, now: datetime) -> datetime:
    started = datetime.fromtimestamp(session[SIGNED_IN_AT], tz=now.tzinfo)
    return min(
        now + timedelta(seconds=settings.SESSION_IDLE_SECONDS),
        started + timedelta(seconds=settings.SESSION_COOKIE_AGE),
    )
