"""The sandbox's HTTP server: routes a call to the service that answers it."""

import threading
import urllib.parse

from contrib.sandbox import balancer, compute, identity, network, share, storage, volume
from contrib.sandbox.bench import Bench
from contrib.sandbox.calls import NOT_FOUND, Answer, Call, Refusal, enveloped
from contrib.sandbox.control_api import control
from contrib.sandbox.serving import BenchHandler, Listener
from contrib.sandbox.state import Cloud

SERVICES = {
    "identity": identity.handle,
    "compute": compute.handle,
    "volume": volume.handle,
    "network": network.handle,
    "share": share.handle,
    "balancer": balancer.handle,
    "storage": storage.handle,
}


class Server(Listener):
    """All services of the cloud, on one port."""

    def __init__(self, port: int, cloud: Cloud, bench: Bench) -> None:
        self.cloud = cloud
        super().__init__(port, bench, Handler)

    def end(self) -> None:
        """Let held calls go and stop; from any thread."""
        self.bench.close()
        threading.Thread(target=self.shutdown, daemon=True).start()


class Handler(BenchHandler):
    server: Server

    def answer(self, body: bytes) -> None:
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
            # Links lead to where the caller came in, as real services have it.
            base=f"http://{self.headers['Host']}{base}",
            root=self.server.url,
            cloud=self.server.cloud,
        )

        def act(ignores_writes: bool) -> Answer:
            call.ignores_writes = ignores_writes
            return _answer(call)

        shown = path + (f"?{target.query}" if target.query else "")
        self.serve(self.note(service, region, shown, body), act)

    def route(self, path: str) -> tuple[str, str | None, str, str] | None:
        """Service, region, the prefix of both, and the path after it."""
        parts = path.lstrip("/").split("/")
        if parts[0] == "identity":
            return "identity", None, "/identity", "/" + "/".join(parts[1:])
        if len(parts) > 1 and parts[0] in self.server.cloud.regions and parts[1] in SERVICES:
            return parts[1], parts[0], f"/{parts[0]}/{parts[1]}", "/" + "/".join(parts[2:])
        return None


def _answer(call: Call) -> Answer:
    try:
        return SERVICES[call.service](call)
    except Refusal as refusal:
        return enveloped(call.service, refusal)
