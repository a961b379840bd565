"""A bare client: the same calls as Remit made, by keystoneauth alone, by as many at once.

`python -m bench.parts.working.bare`, with a `Work` as JSON on its input. It signs in, and asks for
versions, before the clock starts; it compares nothing, and keeps nothing.
"""

import json
import multiprocessing
import sys
import time
from dataclasses import asdict, dataclass
from multiprocessing.synchronize import Barrier
from typing import Any

import openstack.config

# The highest versions that Remit's drivers speak, by the catalogue's type.
MICROVERSIONS = {"compute": "2.69", "block-storage": "3.65"}
Call = tuple[str, str, str, str, Any]
"""Service type, region, method, path, body."""


@dataclass(frozen=True)
class Work:
    """changes: the calls of each, one after the other; processes: how many changes at once."""

    clouds_yaml: str
    cloud: str
    processes: int
    changes: list[list[Call]]


@dataclass(frozen=True)
class Done:
    """seconds: from the first call to the last answer; refused: answers of 300 or more."""

    seconds: float
    calls: int
    refused: int


class Client:
    """A session and the adapters of the services that were called so far."""

    def __init__(self, clouds_yaml: str, cloud: str) -> None:
        files = [clouds_yaml]
        self._loader = openstack.config.OpenStackConfig(config_files=files, load_envvars=False)
        self._cloud = cloud
        self._adapters: dict[tuple[str, str], Any] = {}
        self._sessions: dict[str, Any] = {}

    def call(self, call: Call) -> int:
        """The status."""
        service, region, method, path, body = call
        microversion = self._microversion(service, region)
        answer = self.adapter(service, region).request(
            path, method, json=body, raise_exc=False, microversion=microversion
        )
        if answer.ok:
            answer.json()
        return int(answer.status_code)

    def adapter(self, service: str, region: str) -> Any:
        """Discovery is done once it was asked for its endpoint."""
        key = (service, region)
        if key not in self._adapters:
            name = region or None
            config = self._loader.get_one(cloud=self._cloud, region_name=name)
            session = self._sessions.setdefault(region, config.get_session())
            import keystoneauth1.adapter

            made = keystoneauth1.adapter.Adapter(
                session, service_type=service, interface="public", region_name=name,
                # Where a proxy stands in front of the service.
                endpoint_override=config.get_endpoint(service),
            )  # fmt: skip
            made.get_endpoint_data()
            self._adapters[key] = made
        return self._adapters[key]

    def _microversion(self, service: str, region: str) -> str | None:
        highest = MICROVERSIONS.get(service)
        if highest is None:
            return None
        data = self.adapter(service, region).get_endpoint_data()
        if not data.max_microversion:
            return None
        known = tuple(int(part) for part in highest.split("."))
        chosen = min(known, data.max_microversion)
        return ".".join(str(part) for part in chosen)


def _work(work: Work, number: int, start: Barrier, told: Any) -> None:
    client = Client(work.clouds_yaml, work.cloud)
    mine = work.changes[number :: work.processes]
    for change in mine:
        for service, region, *_rest in change:
            client.adapter(service, region)
    start.wait()
    began = time.monotonic()
    statuses = [client.call(call) for change in mine for call in change]
    told.put((began, time.monotonic(), len(statuses), sum(each >= 300 for each in statuses)))


def replay(work: Work) -> Done:
    """Make all calls, by processes of their own."""
    context = multiprocessing.get_context("fork")
    start, told = context.Barrier(work.processes), context.Queue()
    children = [
        context.Process(target=_work, args=(work, number, start, told), daemon=True)
        for number in range(work.processes)
    ]
    for child in children:
        child.start()
    rows = [told.get(timeout=600) for _child in children]
    for child in children:
        child.join()
    return Done(
        seconds=max(row[1] for row in rows) - min(row[0] for row in rows),
        calls=sum(row[2] for row in rows),
        refused=sum(row[3] for row in rows),
    )


def main() -> int:
    work = Work(**json.loads(sys.stdin.read()))
    json.dump(asdict(replay(work)), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
