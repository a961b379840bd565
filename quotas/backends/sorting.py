"""Which sort of error it is: by what the library raised, or by status and words.

Each driver adds rules for the refusals that only its service's words tell apart.
"""

import datetime
import email.utils
import re
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import requests
import urllib3.exceptions
from keystoneauth1 import exceptions as ks_errors
from openstack import exceptions as sdk_errors

from quotas.backends.errors import BackendError, Kind, words_of


@dataclass(frozen=True)
class Rule:
    """An answer with this status whose words match is this refusal."""

    status: int
    pattern: str
    code: str
    kind: Kind = Kind.REFUSED


_BY_STATUS = {
    400: (Kind.REFUSED, "bad_request"),
    401: (Kind.REFUSED, "credentials"),
    403: (Kind.REFUSED, "forbidden"),
    404: (Kind.REFUSED, "not_found"),
    406: (Kind.TRANSIENT, "version"),  # discovery is out of date; the next try asks again
    408: (Kind.TRANSIENT, "unavailable"),
    409: (Kind.TRANSIENT, "conflict"),
    413: (Kind.TRANSIENT, "rate_limited"),  # what OpenStack answered before there was 429
    422: (Kind.REFUSED, "bad_request"),
    425: (Kind.TRANSIENT, "unavailable"),
    429: (Kind.TRANSIENT, "rate_limited"),
    501: (Kind.REFUSED, "unexpected"),
    502: (Kind.TRANSIENT, "unavailable"),
    503: (Kind.TRANSIENT, "unavailable"),
    504: (Kind.TRANSIENT, "unavailable"),
}


def sort_answer(response: requests.Response, rules: Sequence[Rule] = ()) -> BackendError:
    """The error that an answer with a status of 300 or more stands for."""
    status = response.status_code
    words = words_of(response.text).strip() or f"HTTP {status} {response.reason or ''}"
    kind, code = _BY_STATUS.get(
        status, (Kind.TRANSIENT, "server_error") if status >= 500 else (Kind.REFUSED, "unexpected")
    )
    for rule in rules:
        if rule.status == status and re.search(rule.pattern, words, re.IGNORECASE):
            kind, code = rule.kind, rule.code
            break
    return BackendError(
        kind,
        code,
        words,
        retry_after=_retry_after(response.headers.get("Retry-After")),
        http_status=status,
    )


# A date takes 29 characters; what is longer is neither form.
_LONGEST_WISH = 60


def _retry_after(value: str | None) -> int | None:
    """Seconds, from either form that HTTP allows; None for anything else."""
    if value is None or len(value) > _LONGEST_WISH:
        return None
    if value.strip().isdecimal():
        return int(value)
    try:
        moment = email.utils.parsedate_to_datetime(value.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0, round((moment - datetime.datetime.now(datetime.UTC)).total_seconds()))


def sort_failure(error: Exception, place: str, *, timed_out: bool) -> BackendError:
    """The error that stands for a call without an answer; `place` names whom we called."""
    if isinstance(error, BackendError):
        return error
    if timed_out or any(isinstance(cause, requests.exceptions.Timeout) for cause in _chain(error)):
        return BackendError(Kind.UNREACHABLE, "timeout", f"{place} did not answer in time")
    if isinstance(error, ks_errors.HttpError) and error.response is not None:
        return sort_answer(error.response)  # signing in was answered, with a refusal
    tls = (ks_errors.SSLError, requests.exceptions.SSLError, ssl.SSLError)
    if any(isinstance(cause, tls) for cause in _chain(error)):
        return BackendError(Kind.UNREACHABLE, "tls", f"{place}: {_root(error)}")
    if isinstance(error, sdk_errors.ConfigException | ks_errors.AuthPluginException):
        return BackendError(Kind.REFUSED, "configuration", f"{place}: {error}")
    if isinstance(error, ks_errors.CatalogException):
        return BackendError(
            Kind.REFUSED, "no_endpoint", f"the catalogue has no {place} ({_root(error)})"
        )
    if any(isinstance(cause, requests.exceptions.ChunkedEncodingError) for cause in _chain(error)):
        return BackendError(Kind.TRANSIENT, "broken_answer", f"{place}: the answer broke off")
    if any(_is_connection(cause) for cause in _chain(error)):
        return BackendError(Kind.UNREACHABLE, *_connection(error, place))
    if isinstance(error, ks_errors.AuthorizationFailure):
        return BackendError(Kind.REFUSED, "credentials", f"{place}: {error}")
    if isinstance(error, ks_errors.DiscoveryFailure):
        for cause in _chain(error):
            if isinstance(cause, ks_errors.HttpError) and cause.response is not None:
                return sort_answer(cause.response)
        return BackendError(Kind.REFUSED, "configuration", f"{place}: {error}")
    return BackendError(
        Kind.TRANSIENT, "broken_answer", f"{place}: {type(error).__name__}: {error}"
    )


def _is_connection(cause: BaseException) -> bool:
    if isinstance(cause, requests.RequestException):
        # An OSError by descent, but also what an answer that cannot be read raises.
        return isinstance(cause, requests.exceptions.ConnectionError | requests.exceptions.Timeout)
    return isinstance(cause, ks_errors.ConnectionError | OSError)


def _connection(error: Exception, place: str) -> tuple[str, str]:
    if any(isinstance(cause, urllib3.exceptions.NewConnectionError) for cause in _chain(error)):
        return "no_connection", f"{place}: {_root(error)}"
    return "dropped", f"{place} closed the connection without an answer: {_root(error)}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that led to it; libraries hide causes in arguments as well."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        hidden = [getattr(current, "reason", None), *current.args]
        for cause in (current.__cause__, current.__context__, *hidden):
            if isinstance(cause, BaseException):
                waiting.append(cause)


def _root(error: Exception) -> str:
    """What the operating system said, if it did; else the innermost words about it."""
    words = str(error)
    for cause in _chain(error):
        if isinstance(cause, requests.RequestException) or not isinstance(cause, OSError):
            continue
        if cause.strerror:
            return cause.strerror
        words = str(cause)
    return words
