"""Somebody signed in at Remit: the standard library's HTTP client, a session and its token."""

import http.client
import http.cookiejar
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from contrib.soak.notes import Fate

PATIENCE_SECONDS = 20.0
ROOT = "/api/v1/"


@dataclass(frozen=True)
class Answer:
    """What came back; without an answer there is neither status nor body."""

    fate: Fate
    status: int | None = None
    body: Any = None

    @property
    def code(self) -> str:
        """The problem's code, or what happened instead."""
        return str(self.body.get("code", self.status)) if isinstance(self.body, dict) else self.fate


class Door:
    """One person's way in. Not for several threads."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self._cookies)
        )

    def sign_in(self, name: str, password: str) -> None:
        """Raises OSError, or ValueError where nobody is signed in afterwards."""
        self._opener.open(f"{self._url}/sign-in/", timeout=PATIENCE_SECONDS).close()
        form = {"username": name, "password": password, "csrfmiddlewaretoken": self._token()}
        data = urllib.parse.urlencode(form).encode()
        self._opener.open(f"{self._url}/sign-in/", data, timeout=PATIENCE_SECONDS).close()
        if self.get("me/").status != 200:
            raise ValueError(f"{name} could not sign in")

    def get(self, path: str) -> Answer:
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Answer:
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Answer:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "X-CSRFToken": self._token()}
        request = urllib.request.Request(  # noqa: S310 our own address
            self._url + ROOT + path, data, headers, method=method
        )
        try:
            with self._opener.open(request, timeout=PATIENCE_SECONDS) as answer:
                return Answer(Fate.ACCEPTED, answer.status, json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            fate = Fate.REFUSED if error.code < 500 else Fate.UNKNOWN
            return Answer(fate, error.code, _problem(error))
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            unsent = isinstance(reason, ConnectionRefusedError)
            return Answer(Fate.UNSENT if unsent else Fate.UNKNOWN)

    def _token(self) -> str:
        return next((each.value or "" for each in self._cookies if each.name == "csrf"), "")


def _problem(error: urllib.error.HTTPError) -> Any:
    try:
        return json.loads(error.read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
