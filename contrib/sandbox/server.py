"""The sandbox's HTTP server: routes a call, applies the bench, sends the answer."""

import json
import socket
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from contrib.sandbox import compute, identity, volume
from contrib.sandbox.bench import Bench, Fault, Seen
from contrib.sandbox.calls import NOT_FOUND, Answer, Call, Refusal, enveloped
from contrib.sandbox.control_api import control
from contrib.sandbox.state import Cloud

HOST = "127.0.0.1"
SERVICES = {"identity": identity.handle, "compute": compute.handle, "volume": volume.handle}
BODY_MAX = 1_000_000


class Server(ThreadingHTTPServer):
    """Listens on loopback only."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, cloud: Cloud, bench: Bench) -> None:
        self.cloud = cloud
        self.bench = bench
        super().__init__((HOST, port), Handler)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""

    def end(self) -> None:
        """Let held calls go and stop; from any thread."""
        self.bench.close()
        threading.Thread(target=self.shutdown, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    sys_version = ""

    def do(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_MAX:
            self.close_connection = True
            self.send(Answer(413, "Request Entity Too Large"))
            return
        body = self.rfile.read(length)
        target = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(target.query, keep_blank_values=True))
        first, _, rest = target.path.lstrip("/").partition("/")
        if first == "_sandbox":
            self.send(control(self.server, self.command, rest, query, body))
            return
        routed = self.route(target.path)
        if routed is None:
            self.send(Answer(404, NOT_FOUND))
            return
        service, region, base, path = routed
        call = Call(
            method=self.command,
            service=service,
            region=region,
            path=path,
            query=query,
            headers={key.lower(): value for key, value in self.headers.items()},
            raw_body=body,
            base=self.server.url + base,
            cloud=self.server.cloud,
        )
        shown = path + (f"?{target.query}" if target.query else "")
        self.serve(call, self.server.bench.note(service, region, self.command, shown, _kept(call)))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do

    def route(self, path: str) -> tuple[str, str | None, str, str] | None:
        """Service, region, the prefix of both, and the path after it."""
        parts = path.lstrip("/").split("/")
        if parts[0] == "identity":
            return "identity", None, "/identity", "/" + "/".join(parts[1:])
        if len(parts) > 1 and parts[0] in self.server.cloud.regions and parts[1] in SERVICES:
            return parts[1], parts[0], f"/{parts[0]}/{parts[1]}", "/" + "/".join(parts[2:])
        return None

    def serve(self, call: Call, seen: Seen) -> None:
        bench = self.server.bench
        bench.delay(seen)
        bench.hold(seen, "before")
        number, fault = bench.take_fault(seen) or (0, None)
        kind = fault.kind if fault else ""
        if kind == "hang":
            bench.hang(number)
        if kind in ("hang", "drop"):
            self.close_connection = True
            return
        if kind == "slow" and fault:
            bench.wait(fault.seconds)
        call.ignores_writes = kind == "ignore"
        answer = _instead(call.service, fault) or _answer(call)
        bench.hold(seen, "after")
        if kind == "drop_after":
            self.close_connection = True
            return
        if kind not in ("half_body", "drip"):
            seen.status = answer.status
        self.send(answer, fault)

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


def _kept(call: Call) -> Any:
    """What is remembered of a body: nothing of sign-ins, which hold passwords."""
    if not call.raw_body or "/auth/" in call.path or call.path.startswith("/v3/users"):
        return None
    try:
        return json.loads(call.raw_body)
    except ValueError:
        return None


def _instead(service: str, fault: Fault | None) -> Answer | None:
    """The answer that a fault gives in place of the service's."""
    if fault is None:
        return None
    if fault.kind == "status":
        refusal = Refusal(fault.status, fault.message, retry_after=fault.retry_after)
        return enveloped(service, refusal)
    if fault.kind == "not_json":
        page = "<html><title>Sign in</title><body>Welcome to the network</body></html>"
        return Answer(200, page, {"Content-Type": "text/html"})
    if fault.kind == "wrong_json":
        return Answer(200, {"welcome": ["to", "another", "service"]})
    return None


def _answer(call: Call) -> Answer:
    try:
        return SERVICES[call.service](call)
    except Refusal as refusal:
        return enveloped(call.service, refusal)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
