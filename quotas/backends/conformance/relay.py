"""Stands between a driver and its service while it is tested: hands calls on, keeps what was
called, and makes trouble when it is told to.

The standard library alone, and no client's: what a driver's own library does is seen from here.
"""

import http.client
import json
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

HOST = "127.0.0.1"
READS = ("GET", "HEAD", "OPTIONS")
# What belongs to one connection, and so is not handed on.
_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


class Trouble(StrEnum):
    """What may happen to a call instead of an answer."""

    SILENT = "the connection stays, and nothing is said; the service never hears of it"
    SILENT_AFTER = "the service acts, and nothing is said"
    DROPPED = "the connection ends; the service never hears of it"
    DROPPED_AFTER = "the service acts, and the connection ends without an answer"


@dataclass(frozen=True)
class Reply:
    """An answer that comes from the relay; the service never hears of the call."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """A call as it came in; the path is with its query."""

    method: str
    path: str
    body: bytes

    @property
    def is_write(self) -> bool:
        return self.method not in READS


class Relay:
    """`with Relay("http://127.0.0.1:8774") as relay:` listens at `relay.address` until the end."""

    def __init__(self, upstream: str) -> None:
        """`upstream` is scheme, host and port of the service; paths are handed on as they are."""
        self.upstream = urllib.parse.urlsplit(upstream)
        self.calls: list[Seen] = []
        self._trouble: tuple[Trouble | Reply, bool] | None = None
        self._over = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def writes(self) -> list[Seen]:
        """The calls that may change something."""
        return [call for call in self.calls if call.is_write]

    def forget(self) -> None:
        """No call was seen."""
        self.calls.clear()

    @contextmanager
    def trouble(self, what: Trouble | Reply, *, writes: bool) -> Iterator[None]:
        """Each write, or each read, meets it inside. What hangs is let go at the end."""
        self._trouble = (what, writes)
        try:
            yield
        finally:
            self._trouble = None
            self._over.set()
            self._over = threading.Event()

    def answer(self, seen: Seen, headers: dict[str, str]) -> Reply | None:
        """What the caller gets; None ends its connection."""
        self.calls.append(seen)
        over = self._over
        what = None
        if self._trouble is not None and self._trouble[1] == seen.is_write:
            what = self._trouble[0]
        if isinstance(what, Reply):
            return what
        reply = None
        if what not in (Trouble.SILENT, Trouble.DROPPED):
            reply = self._asked(seen, headers)
        if what in (Trouble.SILENT, Trouble.SILENT_AFTER):
            over.wait(60)
        return reply if what is None else None

    def _asked(self, seen: Seen, headers: dict[str, str]) -> Reply:
        """The service's own answer; the host that was asked for is kept, as it may be signed."""
        is_tls = self.upstream.scheme == "https"
        kind = http.client.HTTPSConnection if is_tls else http.client.HTTPConnection
        connection = kind(self.upstream.netloc, timeout=60)
        try:
            connection.putrequest(seen.method, seen.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(seen.body)))
            connection.putheader("Connection", "close")
            connection.endheaders(seen.body)
            found = connection.getresponse()
            # Bytes as they are: the handler encodes the same way.
            body = found.read().decode("latin-1")
            kept = {key: value for key, value in found.getheaders() if key.lower() not in _HOP}
            return Reply(found.status, body, kept)
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        super().__init__((HOST, 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news here."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def _do(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        seen = Seen(self.command, self.path, body)
        reply = self.server.relay.answer(seen, dict(self.headers.items()))
        if reply is None:
            self.close_connection = True
            return
        data = reply.body.encode("latin-1", "replace")
        reason = self.responses.get(reply.status, ("",))[0]
        lines = [f"HTTP/1.1 {reply.status} {reason}", f"Content-Length: {len(data)}"]
        lines += [f"{name}: {value}" for name, value in reply.headers.items()]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        # In one piece: two small ones would wait for each other's acknowledgement.
        self.wfile.write(head if self.command == "HEAD" else head + data)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _do

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the relay keeps the calls."""


@contextmanager
def nobody() -> Iterator[str]:
    """The address of a port that refuses connections, kept so until the end."""
    with socket.socket() as kept:
        kept.bind((HOST, 0))
        yield f"http://{HOST}:{kept.getsockname()[1]}"


def another_service() -> Reply:
    """JSON, as some service might answer, of a shape that no quota has."""
    return Reply(200, json.dumps({"welcome": ["to", "another", "service"]}), _JSON)


def web_page() -> Reply:
    """What a sign-in page of a network says to whoever calls anything."""
    page = "<html><title>Sign in</title><body>Welcome to the network</body></html>"
    return Reply(200, page, {"Content-Type": "text/html"})


def failure(status: int, *, retry_after: int | None = None) -> Reply:
    """An answer of this status, in no envelope that a service has for itself alone."""
    headers = _JSON if retry_after is None else {**_JSON, "Retry-After": str(retry_after)}
    return Reply(status, json.dumps({"message": "The relay was told to fail."}), headers)


_JSON = {"Content-Type": "application/json"}
