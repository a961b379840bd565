"""The clouds that a soak can run on: how they are started, made to fail, and asked.

The sandbox has its fault bench itself; real services get the fault proxy in front. What
happens at the bench is the same, and so is how calls are counted.
"""

import secrets
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from contrib.proxy.control import RunningProxy
from contrib.sandbox import compute, volume
from contrib.sandbox.bench_client import BenchClient
from contrib.sandbox.control import Sandbox
from contrib.sandbox.serving import free_port
from contrib.soak.schedule import SERVICES, Fault, Use
from contrib.soak.using import RealUse
from contrib.testing import openstack
from contrib.testing.plain import PlainClient

# What a driver's service is called.
SERVICE_OF = {"nova": "compute", "cinder": "volume"}
_DEFAULTS = {"compute": compute.DEFAULTS, "volume": volume.DEFAULTS}
_MOST_USED = {"compute": 300, "volume": 1500}
Undo = Callable[[], None]


class SoakCloud(Protocol):
    """A cloud. `command`: arguments of `python -m` for the process in front of it.

    `prefix` begins the names of a run's projects, which keeps runs on one cloud apart;
    `workers_yaml` leads workers through the faults, `clouds_yaml` others past them;
    `settings` is what Remit needs for this cloud's speed.
    """

    name: str
    cloud: str
    prefix: str
    regions: tuple[str, ...]
    volume_types: tuple[str, ...]
    clouds_yaml: Path
    workers_yaml: Path
    command: tuple[str, ...]
    settings: Mapping[str, str]

    def answers(self) -> bool:
        """Whether it is up."""

    def fail(self, fault: Fault) -> Undo | None:
        """Set a fault; how to end it. None: the cloud is down."""

    def vanish(self) -> Undo | None:
        """Refuse every connection until undone; None where its process is to be killed."""

    def mend_all(self) -> None:
        """No faults any more, and no change of use. Raises OSError while it is down."""

    def use(self, project: str, use: Use) -> None:
        """Change what a project uses; nothing where that cannot be said now."""

    def limits(self, external_id: str, region: str, service: str) -> dict[str, int] | None:
        """The limits that are in force, past all faults; None while it cannot be said."""

    def gather(self) -> None:
        """Count what was called since; often, and before it is killed."""

    def clear_away(self) -> list[str]:
        """Remove what the run has made there; the names of projects that remain.

        Once nobody works on it any more. Raises OSError, RuntimeError or AssertionError
        where a service does not do it.
        """


class _Bench:
    """What a cloud with a fault bench does, whoever holds the bench."""

    regions: tuple[str, ...]

    def __init__(self, bench: BenchClient, calls: Counter[str], hits: Counter[str]) -> None:
        """calls: counted by method and service; hits: calls that met a fault, by its kind."""
        # Eight digits mark what is left of a run that was killed: see contrib/testing/leftovers.
        self.prefix = f"soak-{secrets.token_hex(4)}"
        self._bench = bench
        self._calls = calls
        self._hits = hits
        self._lock = threading.Lock()

    def answers(self) -> bool:
        try:
            self._bench.calls()
        except OSError:
            return False
        return True

    def fail(self, fault: Fault) -> Undo | None:
        kind = "status" if fault.kind.isdigit() else fault.kind
        try:
            return self._bench.add_fault(kind, **self._details(fault)).remove
        except OSError:
            return None

    def mend_all(self) -> None:
        self.gather()
        self._bench.reset()

    def gather(self) -> None:
        with self._lock:
            try:
                calls = self._bench.take_calls()
            except OSError:
                return
            for call in calls:
                self._calls[f"{call['method']} {call['service']}"] += 1
                if _is_write(call):
                    self._calls["write"] += 1
                if call["fault"]:
                    self._hits[call["fault"]] += 1

    def _details(self, fault: Fault) -> dict[str, Any]:
        more: dict[str, Any] = {"service": fault.service, "count": fault.count}
        more["seconds"] = fault.slowness
        if fault.service != "identity":
            more["region"] = self.regions[fault.region]
        if fault.kind.isdigit():
            more["status"] = int(fault.kind)
        if fault.kind == "429":
            more["retry_after"] = 1
        return more


class SandboxCloud(_Bench):
    """contrib/sandbox in a process of its own."""

    name = "sandbox"
    cloud = "sandbox"
    regions: tuple[str, ...] = ("geneva", "prevessin")
    volume_types: tuple[str, ...] = ("storage-a", "storage-b")
    settings: Mapping[str, str] = {}

    def __init__(self, folder: Path, calls: Counter[str], hits: Counter[str]) -> None:
        port = free_port()
        self._sandbox = Sandbox(f"http://127.0.0.1:{port}")
        super().__init__(self._sandbox, calls, hits)
        self.clouds_yaml = self.workers_yaml = folder / "clouds.yaml"
        self.command: tuple[str, ...] = (
            "contrib.sandbox", "--port", str(port),
            "--state-file", str(folder / "sandbox.json"), "--clouds-yaml", str(self.clouds_yaml),
        )  # fmt: skip

    def vanish(self) -> Undo | None:
        return None

    def use(self, project: str, use: Use) -> None:
        key = {"compute": "cores", "volume": f"gigabytes_{self.volume_types[0]}"}[use.service]
        used = {key: int(use.share * _MOST_USED[use.service])}
        try:
            self._sandbox.set_usage(project, self.regions[use.region], use.service, used)
        except (OSError, ValueError):
            pass  # down, or the project is not made yet

    def limits(self, external_id: str, region: str, service: str) -> dict[str, int] | None:
        try:
            written = self._sandbox.limits(external_id, region, service)
        except (OSError, ValueError):
            return None
        # What was never written is the service's default, which may be what is wanted.
        return _DEFAULTS[service] | written

    def clear_away(self) -> list[str]:
        """Its state goes with the run's folder."""
        return []


class _Proxy(BenchClient):
    CONTROL = RunningProxy.CONTROL


class OpenstackCloud(_Bench):
    """Real Keystone, Nova and Cinder, which run already, behind the fault proxy."""

    name = "openstack"
    cloud = openstack.CLOUD
    regions: tuple[str, ...] = openstack.REGIONS
    volume_types: tuple[str, ...] = openstack.VOLUME_TYPES[:2]
    settings: Mapping[str, str] = {"CALL_TIMEOUT_SECONDS": "5", "LEASE_SECONDS": "12"}

    def __init__(self, folder: Path, calls: Counter[str], hits: Counter[str]) -> None:
        port = free_port()
        super().__init__(_Proxy(f"http://127.0.0.1:{port}"), calls, hits)
        self.clouds_yaml = openstack.CLOUDS_YAML
        self.workers_yaml = folder / "proxied.yaml"
        self.command: tuple[str, ...] = (
            "contrib.proxy", "--clouds-yaml", str(self.clouds_yaml), "--cloud", self.cloud,
            "--write", str(self.workers_yaml), "--port", str(port),
        )  # fmt: skip
        self._plain = PlainClient(self.clouds_yaml, self.cloud)
        self._use = RealUse(self.volume_types[0])

    def vanish(self) -> Undo | None:
        """Its ports refuse: a proxy that is killed would come back on others."""
        faults = [self._bench.add_fault("refuse", service=each) for each in SERVICES]

        def undo() -> None:
            for fault in faults:
                fault.remove()

        return undo

    def settle_use(self) -> None:
        """Return once no change of use is under way."""
        self._use.wait()

    def mend_all(self) -> None:
        self.settle_use()
        super().mend_all()

    def use(self, project: str, use: Use) -> None:
        amount = int(use.share * _MOST_USED[use.service])
        self._use.begin(project, self.regions[use.region], use.service, amount)

    def limits(self, external_id: str, region: str, service: str) -> dict[str, int] | None:
        read = {"compute": self._plain.compute_limits, "volume": self._plain.volume_limits}
        try:
            return read[service](region, external_id)
        except (OSError, AssertionError):
            return None  # a service that is overloaded for the moment

    def clear_away(self) -> list[str]:
        self._use.end()
        for project in self._own_projects():
            for region in self.regions:
                for service in ("compute", "volumev3"):
                    path = f"/os-quota-sets/{project['id']}"
                    self._plain.done("DELETE", service, path, region=region)
            self._plain.done("DELETE", "identity", f"/projects/{project['id']}")
        return [project["name"] for project in self._own_projects()]

    def _own_projects(self) -> list[dict[str, Any]]:
        return [row for row in self._plain.projects() if row["name"].startswith(f"{self.prefix}-")]


CLOUDS: dict[str, type[SandboxCloud] | type[OpenstackCloud]] = {
    each.name: each for each in (SandboxCloud, OpenstackCloud)
}


def _is_write(call: dict[str, Any]) -> bool:
    """A quota that is set, or a project that is made; not a sign-in."""
    is_quota = call["method"] == "PUT" and "os-quota-sets" in call["path"]
    return is_quota or (call["method"], call["path"]) == ("POST", "/v3/projects")
