"""The site as the commands see it: calls that are safe to repeat, pages, and one kind of refusal.

Each POST carries an Idempotency-Key, the same on every try: a call whose answer was lost is
sent again and has one effect. A redirect is never followed, so the token goes nowhere else.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlsplit

import requests
from requests.auth import AuthBase

from . import __version__
from .config import Access, Secret
from .failures import Refused, Unreachable, Wrong

PATIENCE_SECONDS = 60.0
TIMEOUT_SECONDS = (10, 60)  # to connect, to answer
PAGE_SIZE = 200
LONGEST_PAUSE = 10.0
# "Not now": the site has done nothing, or the key makes it do it once.
PASSING = (429, 502, 503, 504)
BUSY_CODES = ("busy", "in_flight")


class Bearer(AuthBase):
    """The token, for this site alone; being given, it keeps requests from reading ~/.netrc."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        return request


@dataclass
class Site:
    """`pause` and `clock` are given by tests; `say` tells people why it takes longer."""

    access: Access
    patience: float = PATIENCE_SECONDS
    pause: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    say: Callable[[str], None] = field(default=lambda _sentence: None)

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.auth = Bearer(self.access.token)
        # A proxy would read what is sent without TLS, which never leaves this machine.
        self._session.trust_env = self.access.url.startswith("https:")
        self._session.headers.update(
            {
                "Accept": "application/json, application/problem+json",
                "Accept-Language": "en",
                "User-Agent": f"remit-client/{__version__}",
            }
        )
        self._verify: bool | str = self.access.ca or True

    def get(self, path: str, **query: str | int | None) -> Any:
        """The JSON at a path below /api/v1/."""
        return _json(self._call("GET", path, query=query))

    def get_if_changed(self, path: str, etag: str | None) -> tuple[Any, str | None, float | None]:
        """(what is there, its ETag, how long to wait before asking again); None: as before."""
        headers = {"If-None-Match": etag} if etag else {}
        answer = self._call("GET", path, headers=headers)
        found = None if answer.status_code == 304 else _json(answer)
        return found, answer.headers.get("ETag", etag), _retry_after(answer)

    def pages(self, path: str, most: int | None = None, **query: str | int | None) -> list[Any]:
        """All rows of a list, or the first `most`."""
        rows: list[Any] = []
        for page in self._pages(path, query):
            rows += page
            if most is not None and len(rows) >= most:
                return rows[:most]
        return rows

    def post(self, path: str, body: Mapping[str, Any], **query: str | None) -> Any:
        """What the site answers to a call that has one effect, however often it is sent."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return _json(self._call("POST", path, query=query, body=body, headers=headers))

    def _pages(self, path: str, query: Mapping[str, str | int | None]) -> Iterator[list[Any]]:
        asked = {"page_size": PAGE_SIZE, **query}
        while True:
            page = self.get(path, **asked)
            yield page["results"]
            if not page.get("next"):
                return
            # Of the address only the query: it may name the site as a proxy in front sees it.
            asked = dict(parse_qsl(urlsplit(page["next"]).query))

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int | None] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """The answer, tried again while that may help; raises Refused and Unreachable."""
        began, tries = self.clock(), 0
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        while True:
            answer, trouble = self._try(method, path, asked, body, headers or {})
            if answer is not None and not _is_passing(answer):
                return _taken(answer, self.access.url)
            wait = _retry_after(answer) if answer is not None else None
            if wait is None:
                wait = min(LONGEST_PAUSE, 0.5 * 2**tries) * random.uniform(0.8, 1.2)  # noqa: S311 # not a secret
            if self.clock() - began + wait > self.patience:
                raise _given_up(answer, trouble, wait)
            self.say(f"{_trouble(answer, trouble)} Trying again in {wait:.0f} s.")
            self.pause(wait)
            tries += 1

    def _try(
        self,
        method: str,
        path: str,
        query: Mapping[str, str | int],
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> tuple[requests.Response | None, str]:
        """An answer, or why there is none that could be different the next time."""
        try:
            answer = self._session.request(
                method, f"{self.access.url}/api/v1/{path}", params=query, json=body,
                headers=dict(headers), timeout=TIMEOUT_SECONDS, allow_redirects=False,
                verify=self._verify,
            )  # fmt: skip
        except requests.exceptions.SSLError as error:
            raise Unreachable(
                f"{self.access.url} shows no certificate that is trusted here, so nothing was "
                "sent. If it is from an authority of your own, name its file with --ca."
            ) from error
        except OSError as error:  # what requests raises is one, as is a missing --ca file
            if isinstance(error, requests.exceptions.RequestException):
                return None, f"{self.access.url} cannot be reached."
            raise Wrong(f"The file of certificates cannot be read: {self._verify}") from error
        return answer, ""


def address(*parts: str | int) -> str:
    """The path of a thing: names are quoted, so that none leads anywhere else."""
    return "".join(f"{_part(str(each))}/" for each in parts)


def _part(text: str) -> str:
    if text in ("", ".", ".."):
        raise Wrong(f"“{text}” is no name.")
    return quote(text, safe="")


def _is_passing(answer: requests.Response) -> bool:
    if answer.status_code in PASSING:
        return True
    return answer.status_code == 409 and _problem(answer).get("code") in BUSY_CODES


def _taken(answer: requests.Response, url: str) -> requests.Response:
    """An answer that says yes; raises Refused for a problem, Unreachable for what is none."""
    status = answer.status_code
    if 300 <= status < 400 and status != 304:
        where = urlsplit(answer.headers.get("Location", ""))
        other = f"{where.scheme}://{where.netloc}" if where.netloc else "another address"
        raise Unreachable(
            f"{url} sends us on to {other}, and the token was not sent there. If that is the "
            "site's address now, sign in there: `remit login`."
        )
    if status >= 400:
        problem = _problem(answer)
        if not problem:
            raise Unreachable(f"{url} answers {status}, but not as Remit does: is it the address?")
        if status >= 500:
            raise Unreachable(str(problem.get("detail") or f"The site has a fault ({status})."))
        raise Refused(status, problem)
    return answer


def _problem(answer: requests.Response) -> dict[str, Any]:
    """The problem document of a refusal; empty where there is none."""
    if "json" not in answer.headers.get("Content-Type", ""):
        return {}
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _json(answer: requests.Response) -> Any:
    if answer.status_code == 204 or not answer.content:
        return None
    try:
        return cast(object, answer.json())
    except ValueError as error:
        raise Unreachable(
            "The site answers, but not as Remit does: is it the right address?"
        ) from error


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds, from a number or a date; None where the site does not say."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _trouble(answer: requests.Response | None, trouble: str) -> str:
    if answer is None:
        return trouble
    return str(_problem(answer).get("detail") or f"The site answers {answer.status_code}.")


def _given_up(answer: requests.Response | None, trouble: str, wait: float) -> Unreachable:
    said = _trouble(answer, trouble)
    if answer is not None and answer.status_code == 429:
        return Unreachable(said, f"Try again in {wait:.0f} seconds.")
    return Unreachable(said)
