"""What the servers with a fault bench share: a call passes the bench, its answer too.

The sandbox acts by itself; the proxy acts by forwarding.
"""

import json
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from contrib.sandbox.bench import Bench, Fault, Seen
from contrib.sandbox.calls import UNAUTHORIZED, Answer, Refusal, enveloped

HOST = "127.0.0.1"
BODY_MAX = 1_000_000


class Listener(ThreadingHTTPServer):
    """Listens on loopback only; a thread for each connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, port: int, bench: Bench, handler: type["BenchHandler"], *, is_open: bool = True
    ) -> None:
        """A closed one holds its port and refuses connections."""
        self.bench = bench
        super().__init__((HOST, port), handler, bind_and_activate=is_open)
        if not is_open:
            self.server_bind()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class BenchHandler(BaseHTTPRequestHandler, ABC):
    """Reads a call and sends an answer, on purpose wrongly where the bench says so."""

    server: Listener
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""

    def do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_MAX:
            self.close_connection = True
            self.send(Answer(413, "Request Entity Too Large"))
            return
        self.answer(self.rfile.read(length))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do

    @abstractmethod
    def answer(self, body: bytes) -> None:
        """Answer the call whose body was read."""

    def note(self, service: str, region: str | None, path: str, body: bytes) -> Seen:
        """Remember the call; path: what the service calls it, with its query."""
        token = self.headers.get("X-Auth-Token", "")
        kept = _kept(path, body)
        return self.server.bench.note(service, region, self.command, path, kept, token)

    def serve(self, seen: Seen, act: Callable[[bool], Answer]) -> None:
        """Send what `act` answers, or what a fault makes of it; `act(True)` changes nothing."""
        bench = self.server.bench
        with bench.under_way(seen):
            bench.delay(seen)
            bench.hold(seen, "before")
            number, fault = bench.take_fault(seen) or (0, None)
            answer = self.made(seen, act, number, fault)
        if answer is None:
            self.close_connection = True
            return
        if fault is None or fault.kind not in ("half_body", "drip"):
            seen.status = answer.status
        if bench.answered(seen):
            self.close_connection = True
        self.send(answer, fault)

    def made(
        self, seen: Seen, act: Callable[[bool], Answer], number: int, fault: Fault | None
    ) -> Answer | None:
        """The answer to a call; None where it gets none."""
        bench = self.server.bench
        kind = fault.kind if fault else ""
        if kind == "hang":
            bench.hang(number)
        if kind in ("hang", "drop"):
            return None
        if kind == "slow" and fault:
            bench.wait(fault.seconds)
        answer = _instead(seen.service, fault) or act(kind == "ignore")
        bench.hold(seen, "after")
        return None if kind == "drop_after" else answer

    def send(self, answer: Answer, fault: Fault | None = None) -> None:
        body, kind = answer.encoded()
        lines = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('',))[0]}"]
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), **answer.headers}
        lines += [f"{key}: {value}" for key, value in headers.items()]
        if self.close_connection:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        if self.command == "HEAD":
            body = b""
        if fault and fault.kind == "half_body":
            self.close_connection = True
            body = body[: len(body) // 2]
        if fault and fault.kind == "drip":
            self.close_connection = True
            self.drip(head + body, fault.seconds)
            return
        # In one piece: two small writes would wait for each other's acknowledgement.
        self.wfile.write(head + body)

    def drip(self, data: bytes, seconds: float) -> None:
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.server.bench.wait(seconds)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the bench remembers the calls."""


def _kept(path: str, body: bytes) -> Any:
    """What is remembered of a body: nothing of sign-ins, which hold passwords."""
    if not body or "/auth/" in path or path.startswith("/v3/users"):
        return None
    try:
        return json.loads(body)
    except ValueError:
        return None


def _instead(service: str, fault: Fault | None) -> Answer | None:
    """The answer that a fault gives in place of the service's."""
    if fault is None:
        return None
    if fault.kind == "status":
        refusal = Refusal(fault.status, fault.message, retry_after=fault.retry_after)
        return enveloped(service, refusal)
    if fault.kind == "expired":
        return enveloped(service, Refusal(401, UNAUTHORIZED))
    if fault.kind == "not_json":
        page = "<html><title>Sign in</title><body>Welcome to the network</body></html>"
        return Answer(200, page, {"Content-Type": "text/html"})
    if fault.kind == "wrong_json":
        return Answer(200, {"welcome": ["to", "another", "service"]})
    return None


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
