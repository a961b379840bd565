"""One person's browser as far as it is measured: a kept connection, a session, a CSRF token."""

import gzip
import http.client
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

SESSION, CSRF = "__Host-session", "__Host-csrf"
# Django takes a bare secret of this form for the token of a cookie that holds the same.
TOKEN = secrets.token_hex(16)
# Less than the server keeps one that nobody uses (web.py).
KEPT_SECONDS = 30.0
_TAGS = re.compile(r"<[^>]*>")


@dataclass(frozen=True)
class Answer:
    """What came back, and what it took.

    seconds: from the first byte sent to the last received; wire_bytes: of the body as it came;
    body: unpacked; cpu_ms, queries: of the server process, which says so (harness/wsgi.py), as of
    the PostgreSQL process behind it: backend_ms, None of a call that left no connection open.
    """

    status: int
    seconds: float
    wire_bytes: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def cpu_ms(self) -> float:
        return float(self.headers["x-bench-cpu-ms"])

    @property
    def backend_ms(self) -> float | None:
        said = self.headers.get("x-bench-backend-ms")
        return None if said is None else float(said)

    @property
    def queries(self) -> int:
        return int(self.headers["x-bench-queries"])

    @property
    def location(self) -> str:
        """Where it leads to: the path and what follows it."""
        return self.headers["location"].removeprefix("https://127.0.0.1")


class Client:
    """Calls one after the other on one connection. session: the key of a signed-in person's."""

    def __init__(self, host: str, port: int, session: str = "") -> None:
        self._link = http.client.HTTPConnection(host, port, timeout=120)
        self._used_at = time.monotonic()
        self._headers = {
            "Host": host,
            # As the proxy in front of it would say.
            "X-Forwarded-Proto": "https",
            "Origin": f"https://{host}",
            "Cookie": f"{SESSION}={session}; {CSRF}={TOKEN}",
        }

    def get(
        self, address: str, *, is_counted: bool = False, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """is_counted: have its statements counted."""
        more = {"X-Bench-Count": "1"} if is_counted else {}
        return self._call("GET", address, b"", {**more, **(headers or {})})

    def post(
        self, address: str, fields: Mapping[str, str | list[str]], *, is_counted: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """A form, with the token."""
        body = urlencode({**fields, "csrfmiddlewaretoken": TOKEN}, doseq=True).encode()
        more = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._call(
            "POST", address, body, more | ({"X-Bench-Count": "1"} if is_counted else {})
        )

    def _call(self, method: str, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        if time.monotonic() - self._used_at > KEPT_SECONDS:
            self._link.close()  # the server may have; a new one is made before the clock starts
        if self._link.sock is None:
            self._link.connect()
        began = time.perf_counter()
        self._link.request(method, address, body or None, {**self._headers, **headers})
        answer = self._link.getresponse()
        content = answer.read()
        seconds = time.perf_counter() - began
        self._used_at = time.monotonic()
        said = {name.lower(): value for name, value in answer.getheaders()}
        plain = gzip.decompress(content) if said.get("content-encoding") == "gzip" else content
        return Answer(answer.status, seconds, len(content), plain, said)


def check(answer: Answer, address: str, *expected: int) -> Answer:
    """The answer, if its status is one of the expected ones; raises AssertionError."""
    if answer.status not in expected:
        page = answer.body.decode(errors="replace")
        words = " ".join(_TAGS.sub(" ", page[max(page.find("<main"), 0) :]).split())
        raise AssertionError(f"{address}: {answer.status}: {words[:1500]}")
    return answer
