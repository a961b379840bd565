"""What a refusal looks like to a program: `application/problem+json` (RFC 9457).

The statuses and sentences are those of the pages. `code` is for programs and never
changes its meaning; `errors` points into the body that was sent (RFC 6901); `facts` holds
the figures behind a refusal, `links` where it leads on. The codes are in codes.py.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions as rest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from portal.lib.errors import DomainError, Invalid
from portal.lib.locks import refusal_of

from .codes import TITLES, type_of
from .links import links_of

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
_AGAIN = {"Retry-After": str(RETRY_AFTER_SECONDS)}


@dataclass
class Problem:
    """One refusal: `errors` maps a field's name, as the domain has it, to sentences."""

    status: int
    code: str
    detail: str
    errors: Mapping[str, list[str]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        return {
            "type": type_of(self.code),
            "title": TITLES[self.code],
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "errors": [
                {"pointer": pointer(name), "detail": sentence}
                for name, sentences in self.errors.items()
                for sentence in sentences
            ],
            "facts": dict(self.facts),
            "links": dict(self.links),
        }


def pointer(name: str) -> str:
    """`lines.geneva.compute-a.vcpu` as `#/lines/geneva.compute-a.vcpu`; "" is the whole body.

    Only the first dot parts a field from what is in it: the rest is one key. A lone
    surrogate in a key, which no answer can hold, is shown as "?".
    """
    if not name:
        return "#"
    parts = name.encode(errors="replace").decode().split(".", 1)
    return "#/" + "/".join(each.replace("~", "~0").replace("/", "~1") for each in parts)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """The answer to an exception of a view; None: a fault of ours, which stays one."""
    asked = context.get("request")
    problem = _domain(error, asked) or _database(error) or _framework(error)
    if problem is None:
        return None
    set_rollback()
    return Response(
        problem.body(), status=problem.status, headers=problem.headers, content_type=CONTENT_TYPE
    )


def _domain(error: Exception, request: Request | None) -> Problem | None:
    if not isinstance(error, DomainError):
        return None
    return Problem(
        error.status,
        error.code,
        error.sentence,
        errors=error.errors if isinstance(error, Invalid) else {},
        facts=error.facts,
        links=links_of(error.facts, request),
        headers=_AGAIN if error.code in ("busy", "in_flight") else {},
    )


def _database(error: Exception) -> Problem | None:
    if isinstance(error, DataError):
        return Problem(422, "invalid", _("Something in there cannot be stored; look at it again."))
    busy = refusal_of(error)
    if busy is not None:
        return Problem(busy.status, busy.code, busy.sentence, headers=_AGAIN)
    return unavailable(error)


def unavailable(error: BaseException | None) -> Problem | None:
    """The problem of a database that went away, or is not there; None for any other error."""
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    # Not "nothing was done": it may have gone away after the commit, before it said so.
    sentence = _(
        "The database does not answer at the moment. Look whether your last step is there "
        "before you repeat it."
    )
    return Problem(503, "unavailable", sentence, headers=_AGAIN)


def _framework(error: Exception) -> Problem | None:
    if isinstance(error, RequestDataTooBig):
        return Problem(413, "too_large", _("The body is larger than any that is of use here."))
    if isinstance(error, Http404):
        return Problem(404, "not_found", _("There is no such thing."))
    if isinstance(error, PermissionDenied):
        return Problem(403, "forbidden", str(error) or _("You may not do that."))
    if isinstance(error, rest.ValidationError):
        errors = dict(_flat(error.detail))
        first = next(iter(errors.values()), [_("The input is wrong.")])[0]
        return Problem(422, "invalid", first, errors=errors)
    if not isinstance(error, rest.APIException):
        return None
    return Problem(
        error.status_code,
        _code(error),
        str(error.detail),
        headers=_headers(error),
    )


def _code(error: rest.APIException) -> str:
    known: list[tuple[type[rest.APIException] | tuple[type[rest.APIException], ...], str]] = [
        ((rest.NotAuthenticated, rest.AuthenticationFailed), "not_signed_in"),
        (rest.PermissionDenied, "forbidden"),
        (rest.NotFound, "not_found"),
        (rest.ParseError, "malformed"),
        (rest.MethodNotAllowed, "method_not_allowed"),
        (rest.NotAcceptable, "not_acceptable"),
        (rest.UnsupportedMediaType, "unsupported_media_type"),
        (rest.Throttled, "throttled"),
    ]
    return next((code for kind, code in known if isinstance(error, kind)), "refused")


def _headers(error: rest.APIException) -> dict[str, str]:
    headers = {}
    if scheme := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = scheme
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


def _flat(detail: Any, name: str = "") -> Iterator[tuple[str, list[str]]]:
    """Each field's sentences; what is inside a field is named after a dot."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            inside = "" if key == "non_field_errors" else str(key)
            yield from _flat(inner, ".".join(filter(None, (name, inside))))
    elif isinstance(detail, list) and any(isinstance(each, Mapping | list) for each in detail):
        for index, inner in enumerate(detail):
            yield from _flat(inner, f"{name}.{index}")
    else:
        yield name, [str(each) for each in (detail if isinstance(detail, list) else [detail])]
