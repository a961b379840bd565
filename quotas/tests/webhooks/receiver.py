"""A receiver of webhooks on loopback that does what a test tells it, and keeps what it got."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOST = "127.0.0.1"


@dataclass
class Got:
    """One call as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """`manner` answers a call; `calls` are those that came whole."""

    manner: Callable[[BaseHTTPRequestHandler], None]
    calls: list[Got] = field(default_factory=list)
    # Set once a call hangs here, and by the test to let it go.
    hangs: threading.Event = field(default_factory=threading.Event)
    may_go: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://hooks.test:{self.port}/in?from=remit"

    @property
    def verbs(self) -> list[str]:
        return [each.told["type"] for each in self.calls]


def answers(status: int, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, text in headers.items():
            handler.send_header(name.replace("_", "-"), text)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def says(raw: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    """Something that is no HTTP."""
    return lambda handler: _write(handler, raw)


def _write(handler: BaseHTTPRequestHandler, raw: bytes) -> None:
    handler.wfile.write(raw)
    handler.close_connection = True


def hangs(receiver: "Receiver") -> Callable[[BaseHTTPRequestHandler], None]:
    """Never answers, until the test lets it go."""

    def hang(handler: BaseHTTPRequestHandler) -> None:
        receiver.hangs.set()
        receiver.may_go.wait(30)
        handler.close_connection = True

    return hang


def drips(receiver: "Receiver") -> Callable[[BaseHTTPRequestHandler], None]:
    """A header line without end, a letter every few moments."""

    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not receiver.may_go.wait(0.05):
            try:
                handler.wfile.write(b"x")
                handler.wfile.flush()
            except OSError:
                break
        handler.close_connection = True

    return drip


@contextmanager
def receiving(host: str = HOST, port: int = 0, wrap: Any = None) -> Iterator[Receiver]:
    """A receiver that takes everything, until the block ends. wrap: an SSLContext of a server."""
    receiver = Receiver(answers(204))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            receiver.calls.append(Got(self.path, dict(self.headers.items()), body))
            receiver.manner(self)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Who is called is left in the middle: that is what is tested."""

    server = Server((host, port), Handler)
    if wrap is not None:
        server.socket = wrap.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.may_go.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
