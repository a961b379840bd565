"""The port of one service at the proxy: it forwards calls, and can refuse connections."""

import http.client
import json
import socket
import threading
from typing import Any

from contrib.proxy.upstream import Upstream
from contrib.sandbox.bench import Bench
from contrib.sandbox.calls import Answer
from contrib.sandbox.serving import BenchHandler, Listener

TIMEOUT = 120
# Between two neighbours only; what is sent on gets its own.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade"}


class Gate:
    """One service's port. It keeps its number while it refuses."""

    def __init__(self, upstream: Upstream, bench: Bench) -> None:
        self.upstream = upstream
        self._bench = bench
        self._lock = threading.Lock()
        self._listener = _ServiceListener(0, bench, upstream)
        self.port = self._listener.port
        self._is_open = False

    def open(self) -> None:
        with self._lock:
            if not self._is_open:
                self._listener.server_activate()
                threading.Thread(
                    target=self._listener.serve_forever, args=(0.02,), daemon=True
                ).start()
                self._is_open = True

    def close(self) -> None:
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._listener.shutdown()
                self._listener.server_close()
                self._listener.end_idle()
                self._listener = _ServiceListener(self.port, self._bench, self.upstream)


class _ServiceListener(Listener):
    """Closed at first: its port is held, and refuses."""

    def __init__(self, port: int, bench: Bench, upstream: Upstream) -> None:
        self.upstream = upstream
        self._idle: set[socket.socket] = set()
        self._has_ended = False
        self._lock = threading.Lock()
        super().__init__(port, bench, _Handler, is_open=False)

    def idle(self, connection: socket.socket, *, is_idle: bool) -> None:
        """Note whether a call is under way on a connection."""
        with self._lock:
            if not is_idle:
                self._idle.discard(connection)
            elif self._has_ended:
                _shut(connection)
            else:
                self._idle.add(connection)

    def end_idle(self) -> None:
        """End the connections on which no call is under way, and the others after theirs."""
        with self._lock:
            self._has_ended = True
            for connection in self._idle:
                _shut(connection)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other side was first


class _Handler(BenchHandler):
    server: _ServiceListener

    def handle_one_request(self) -> None:
        self.server.idle(self.connection, is_idle=True)
        super().handle_one_request()

    def parse_request(self) -> bool:
        self.server.idle(self.connection, is_idle=False)
        return super().parse_request()

    def finish(self) -> None:
        self.server.idle(self.connection, is_idle=False)
        super().finish()

    def answer(self, body: bytes) -> None:
        upstream = self.server.upstream
        path = self.path.removeprefix(upstream.root)
        seen = self.note(upstream.service, upstream.region, path, body)
        try:
            self.serve(seen, lambda ignores_writes: self.act(body, ignores_writes))
        except (http.client.HTTPException, OSError):
            self.close_connection = True  # the service is not there, or the client no more

    def act(self, body: bytes, ignores_writes: bool) -> Answer:
        if ignores_writes and self.command not in ("GET", "HEAD"):
            return Answer(200, _json(body))  # what was asked for, as if it were true now
        return self.forward(body)

    def forward(self, body: bytes) -> Answer:
        """The service's own answer. The Host header stays: links in it lead back here."""
        link = http.client.HTTPConnection(*self.server.upstream.address, timeout=TIMEOUT)
        try:
            headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
            link.request(self.command, self.path, body or None, headers)
            response = link.getresponse()
            content = response.read()
            kept = {k: v for k, v in response.getheaders() if k.lower() not in _HOP_BY_HOP}
            return Answer(response.status, content, kept)
        finally:
            link.close()


def _json(body: bytes) -> Any:
    return json.loads(body) if body else {}
