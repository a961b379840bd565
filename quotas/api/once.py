"""A POST that carries an Idempotency-Key has one effect, and one answer.

The answer is stored in the transaction of the effect. A process that dies before the commit
leaves neither, one that dies after it leaves both: whoever sends the same again gets what
there is. A lock by key, which ends with the transaction, makes the second wait outside.

A refusal is an answer too, and whatever the act did as it refused is committed with it. Not kept
is what would be another answer the next time: "busy", what the database or its absence refuses,
429 and faults of ours; all that was done is undone then. Nor what is refused before the call is
looked at (401, a token's scope or network, 406, 429): that is about the caller of now.

A kept answer is given to the bearer that it was made for, by a token that may send the call, and
is not looked at anew: it tells what they were told, or would have been had it not been lost,
and nothing of today. A service account that has another owner by now has another person behind
it, for whom the call is another one.
"""

import hashlib
from collections.abc import Callable

from django.db import DatabaseError, connection, transaction
from django.http import HttpResponse, HttpResponseBase, RawPostDataException
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal.lib.errors import Conflict, Invalid
from portal.lib.locks import Busy
from projects.models import ApiToken, KeptAnswer
from projects.outgoing.kept_answers import kept_answer

from .versions import IF_MATCH

HEADER = "Idempotency-Key"
MAX_KEY = 255
# Answers that say "not now": the next try may have another one.
PASSING = (429, 500, 502, 503, 504)


class InFlight(Conflict):
    """The call that carried this key first is not over."""

    code = "in_flight"


class KeyReused(Invalid):
    """The key came before, with another call."""

    code = "key_reused"


def answer_once(view: APIView, request: Request, do: Callable[[], Response]) -> HttpResponseBase:
    """What `do` answers, or what it answered when this key came first.

    Raises InFlight, KeyReused, and Invalid for a key that is none.
    """
    bearer, key, digest = _bearer(request), _key(request), _digest(request)
    with transaction.atomic():
        if not _take(f"{bearer} {key}"):
            raise InFlight(_("The first call with this key is not over: try again in a moment."))
        kept = kept_answer(bearer, key, timezone.now())
        if kept is not None:
            return _again(kept, digest)
        answer, may_keep = _answer(view, do)
        if may_keep:
            _keep(bearer, key, digest, answer)
        else:
            transaction.set_rollback(True)
    return answer


def without_secret(answer: Response, name: str) -> Response:
    """Have this answer kept without the secret under a name: it is given once, by its first one."""
    answer.secret = name  # type: ignore[attr-defined]  # read as the answer is kept
    return answer


def _answer(view: APIView, do: Callable[[], Response]) -> tuple[Response, bool]:
    """The answer, a refusal too, and whether it will be the same the next time."""
    try:
        return do(), True
    except (DatabaseError, Busy) as error:
        return view.handle_exception(error), False
    except Exception as error:  # noqa: BLE001 - what is no refusal is raised again by the view
        answer = view.handle_exception(error)
        return answer, answer.status_code not in PASSING


def _keep(bearer: str, key: str, digest: bytes, answer: Response) -> None:
    # The type is of the answer's body; all other headers that a view gave belong to it.
    headers = {name: text for name, text in answer.items() if name != "Content-Type"}
    secret = getattr(answer, "secret", None)
    data = answer.data if secret is None else {**answer.data, secret: None}
    body = b"" if data is None else JSONRenderer().render(data)
    if body:
        headers["Content-Type"] = answer.content_type or "application/json"
    KeptAnswer.objects.update_or_create(
        bearer=bearer,
        key=key,
        defaults={
            "digest": digest,
            "status": answer.status_code,
            "headers": headers,
            "body": body.decode(),
            "at": timezone.now(),
        },
    )


def _again(kept: KeptAnswer, digest: bytes) -> HttpResponse:
    if bytes(kept.digest) != digest:
        sentence = _("This key came before with another call: make a new key for each.")
        raise KeyReused({HEADER: [sentence]})
    headers = kept.headers | {"Idempotency-Replayed": "true"}
    again = HttpResponse(kept.body.encode(), status=kept.status, headers=headers)
    if not kept.body:
        del again.headers["Content-Type"]
    return again


def _take(name: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        return bool(cursor.fetchone()[0])


def _bearer(request: Request) -> str:
    token = request.auth
    if isinstance(token, ApiToken) and token.service_account_id is not None:
        return f"service:{token.service_account_id}"
    return f"person:{request.user.pk}"


def _key(request: Request) -> str:
    key = request.headers[HEADER].strip().strip('"')
    if not key or len(key) > MAX_KEY or not (key.isascii() and key.isprintable()):
        sentence = _("Send 1 to %(most)s printable ASCII characters.") % {"most": MAX_KEY}
        raise Invalid({HEADER: [sentence]})
    return key


def _digest(request: Request) -> bytes:
    """What makes two calls the same: who is behind it, the address, the version, the body.

    Byte by byte: a version in If-Match counts as one in the body does.
    """
    call = f"{request.user.pk} {request.method} {request.get_full_path()}\n".encode()
    version = request.headers.get(IF_MATCH)
    if version is not None:
        call += f"{IF_MATCH}: {version}\n".encode()
    try:
        body = request._request.body
    except RawPostDataException as error:
        # A form whose CSRF token was looked for in it: the API reads JSON alone.
        raise UnsupportedMediaType(request.content_type) from error
    return hashlib.sha256(call + body).digest()
