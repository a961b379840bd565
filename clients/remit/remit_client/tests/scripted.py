"""A server that answers as a test tells it, in order, and remembers what it was asked."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

DROPPED = 0  # the status of an answer that is lost: the connection ends without one


@dataclass(frozen=True)
class Answer:
    """What is sent back; `body` as JSON unless it is text."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Scripted:
    """`answers` are used up; the last one is given for ever."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def will(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def problem(status: int, code: str, detail: str, **more: Any) -> Answer:
    """A refusal as the site words it."""
    headers = {"Content-Type": "application/problem+json", **more.pop("headers", {})}
    body = {"type": f"urn:remit:problem:{code}", "title": code, "status": status, "code": code}
    return Answer(status, body | {"detail": detail, "errors": [], "facts": {}} | more, headers)


@contextmanager
def scripted(tls: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    if tls is not None:
        # Hands are shaken by the thread of a call, so that a refusal stops nobody else.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "https" if tls else "http"
    told = Scripted(f"{scheme}://127.0.0.1:{server.server_port}")
    server.told = told  # type: ignore[attr-defined]  # the handler asks its server
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def handle(self) -> None:
        try:
            super().handle()
        except ssl.SSLError:
            return  # the caller did not trust us

    def _answer(self) -> None:
        told: Scripted = self.server.told  # type: ignore[attr-defined]  # as above
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(raw) if raw else None
        told.asked.append(Asked(self.command, self.path, dict(self.headers.items()), body))
        answer = told.next()
        if answer.status == DROPPED:
            self.close_connection = True
            return
        sent = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        data = b"" if answer.status in (204, 304) else sent.encode()
        self.send_response(answer.status)
        for name, value in ({"Content-Type": "application/json"} | answer.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""
