"""The clouds that a soak can run on: how they are started, made to fail, and asked.

What a cloud says comes from a plain client that shares no code with Remit's drivers, past
the faults.
"""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from contrib.sandbox import compute, volume
from contrib.sandbox.control import Sandbox
from contrib.sandbox.serving import free_port
from contrib.soak.schedule import Fault, Use

# What a driver's service is called.
SERVICE_OF = {"nova": "compute", "cinder": "volume"}
_DEFAULTS = {"compute": compute.DEFAULTS, "volume": volume.DEFAULTS}


class SoakCloud(Protocol):
    """A cloud. `command` are the arguments of `python -m` for a process to own, if any."""

    name: str
    cloud: str
    regions: tuple[str, ...]
    volume_types: tuple[str, ...]
    clouds_yaml: Path
    command: tuple[str, ...]

    def answers(self) -> bool:
        """Whether it is up."""

    def fail(self, fault: Fault) -> Callable[[], None] | None:
        """Set a fault; how to end it. None: the cloud is down."""

    def mend_all(self) -> None:
        """No faults any more. Raises OSError while it is down."""

    def use(self, project: str, use: Use) -> None:
        """Change what a project uses; nothing where that cannot be said now."""

    def limits(self, external_id: str, region: str, service: str) -> dict[str, int] | None:
        """The limits that are in force, past all faults; None while it cannot be said."""

    def gather(self) -> None:
        """Count what was called since; often, and before it is killed."""


class SandboxCloud:
    """contrib/sandbox in a process of its own, with its fault bench."""

    name = "sandbox"
    cloud = "sandbox"
    regions: tuple[str, ...] = ("geneva", "prevessin")
    volume_types: tuple[str, ...] = ("storage-a", "storage-b")

    def __init__(self, folder: Path, calls: Counter[str], hits: Counter[str]) -> None:
        """calls: counted by method and service; hits: calls that met a fault, by its kind."""
        port = free_port()
        self._sandbox = Sandbox(f"http://127.0.0.1:{port}")
        self._calls = calls
        self._hits = hits
        self._lock = threading.Lock()
        self.clouds_yaml = folder / "clouds.yaml"
        self.command: tuple[str, ...] = (
            "contrib.sandbox", "--port", str(port),
            "--state-file", str(folder / "sandbox.json"), "--clouds-yaml", str(self.clouds_yaml),
        )  # fmt: skip

    def answers(self) -> bool:
        try:
            self._sandbox.calls()
        except OSError:
            return False
        return True

    def fail(self, fault: Fault) -> Callable[[], None] | None:
        try:
            kind, more = fault.kind, self._details(fault)
            return self._sandbox.add_fault("status" if kind.isdigit() else kind, **more).remove
        except OSError:
            return None

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

    def mend_all(self) -> None:
        self.gather()
        self._sandbox.reset()

    def use(self, project: str, use: Use) -> None:
        most = {"compute": ("cores", 300), "volume": ("gigabytes_storage-a", 1500)}[use.service]
        key, amount = most
        try:
            self._sandbox.set_usage(
                project, self.regions[use.region], use.service, {key: int(use.share * amount)}
            )
        except (OSError, ValueError):
            pass  # down, or the project is not made yet

    def limits(self, external_id: str, region: str, service: str) -> dict[str, int] | None:
        try:
            written = self._sandbox.limits(external_id, region, service)
        except (OSError, ValueError):
            return None
        # What was never written is the service's default, which may be what is wanted.
        return _DEFAULTS[service] | written

    def gather(self) -> None:
        with self._lock:
            try:
                calls = self._sandbox.take_calls()
            except OSError:
                return
            for call in calls:
                self._calls[f"{call['method']} {call['service']}"] += 1
                if _is_write(call):
                    self._calls["write"] += 1
                if call["fault"]:
                    self._hits[call["fault"]] += 1


def _is_write(call: dict[str, Any]) -> bool:
    """A quota that is set, or a project that is made; not a sign-in."""
    is_quota = call["method"] == "PUT" and "os-quota-sets" in call["path"]
    return is_quota or (call["method"], call["path"]) == ("POST", "/v3/projects")
