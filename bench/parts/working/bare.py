"""A bare client: the same calls as Remit made, by keystoneauth alone, by as many at once.

`python -m bench.parts.working.bare`, with a `Work` as JSON on its input. It signs in, and asks for
versions, before the clock starts; it compares nothing, and keeps nothing.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import openstack.config

from .at_once import at_once

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
    """seconds: from the first call to the last answer; cpu_seconds: of its processes meanwhile;
    refused: answers of 300 or more."""

    seconds: float
    cpu_seconds: float
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
        self._versions: dict[tuple[str, str], str | None] = {}

    def call(self, call: Call) -> int:
        """The status."""
        service, region, method, path, body = call
        key = (service, region)
        if key not in self._versions:
            self._versions[key] = self._microversion(service, region)
        microversion = self._versions[key]
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


def _ready(work: Work, number: int) -> Callable[[], list[int]]:
    """Signed in and with connections opened, as workers are; the act returns the statuses."""
    client = Client(work.clouds_yaml, work.cloud)
    mine = work.changes[number :: work.processes]
    for change in mine:
        for service, region, *_rest in change:
            client.adapter(service, region)
    return lambda: [client.call(call) for change in mine for call in change]


def replay(work: Work) -> Done:
    """Make all calls, by processes of their own."""
    done = at_once([partial(_ready, work, number) for number in range(work.processes)])
    statuses = [status for told in done.told for status in told]
    return Done(
        seconds=done.seconds,
        cpu_seconds=done.cpu_seconds,
        calls=len(statuses),
        refused=sum(each >= 300 for each in statuses),
    )


def main() -> int:
    work = Work(**json.loads(sys.stdin.read()))
    json.dump(asdict(replay(work)), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
