"""A form whose page shows a secret once: sent again, as by a reload, it makes nothing again.

Such a page is no redirect, as the secret is kept nowhere. So the form carries a key, and in the
transaction of the act it is written where the act led; who sends the key again is led there.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from projects.models import KeptAnswer
from projects.outgoing.kept_answers import kept_answer

FIELD = "once"
MAX_KEY = 64

View = Callable[..., HttpResponse]


def done_once(view: View) -> View:
    """Have a POST done once by key. The view marks its answer by `leads_to` where it did it.

    Without a key, as of a form that was open before an upgrade, it is done as it is sent.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        key = request.POST.get(FIELD, "") if request.method == "POST" else ""
        if not key or len(key) > MAX_KEY or not (key.isascii() and key.isprintable()):
            return view(request, *args, **kwargs)
        bearer = f"page:{request.user.pk}"
        with transaction.atomic():
            _wait_for_the_first(f"{bearer} {key}")
            kept = kept_answer(bearer, key, timezone.now())
            if kept is not None:
                return _again(request, kept)
            answer = view(request, *args, **kwargs)
            if (place := getattr(answer, "leads_to", None)) is not None:
                KeptAnswer.objects.create(
                    bearer=bearer, key=key, digest=b"", status=302, body=place, at=timezone.now()
                )
        return answer

    return guarded


def leads_to(answer: HttpResponse, name: str, *args: Any) -> HttpResponse:
    """Mark an answer as of an act that was done: the page that tells of it from now on."""
    answer.leads_to = reverse(name, args=args)  # type: ignore[attr-defined]  # read by done_once
    return answer


def _again(request: HttpRequest, kept: KeptAnswer) -> HttpResponse:
    sentence = _(
        "This was done already, and nothing was made again. A secret is shown once: if you have "
        "not kept it, make a new one."
    )
    messages.info(request, sentence)
    return redirect(kept.body)


def _wait_for_the_first(name: str) -> None:
    """Whoever clicked twice waits until the first is over; the lock ends with the transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
