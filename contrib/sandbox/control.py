"""The sandbox cloud as tests and the demo's loader handle it.

`running_sandbox(folder)` starts one; `Sandbox(url)` talks to one that runs.
"""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from contrib.sandbox.server import free_port

ROOT = Path(__file__).resolve().parents[2]
READY = "sandbox cloud: "


class Sandbox:
    """A client of the control API. Services are "compute" and "volume", and "identity"
    for faults, pauses and latency; projects go by id or name; figures are in the
    services' own units."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def set_usage(
        self,
        project: str,
        region: str,
        service: str,
        used: Mapping[str, int],
        *,
        reserved: Mapping[str, int] | None = None,
    ) -> None:
        """Set what a project uses of these keys; Cinder's totals follow its types."""
        body = {
            "project": project,
            "region": region,
            "service": service,
            "used": dict(used),
            "reserved": dict(reserved or {}),
        }
        self._call("PUT", "usage", body)

    def limits(self, project: str, region: str, service: str) -> dict[str, int]:
        """The limits that were written, of a deleted project too (by id)."""
        query = urllib.parse.urlencode({"project": project, "region": region, "service": service})
        found: dict[str, int] = self._call("GET", f"limits?{query}")["limits"]
        return found

    def delete_project(self, project: str) -> None:
        """Behind everybody's back."""
        self._call("DELETE", f"projects/{urllib.parse.quote(project, safe='')}")

    def expire_tokens(self) -> None:
        """Every token is unknown from now on."""
        self._call("DELETE", "tokens")

    def set_latency(self, service: str, seconds: float, *, region: str | None = None) -> None:
        self._call("PUT", "latency", {"service": service, "region": region, "seconds": seconds})

    def add_fault(self, kind: str, **match_and_more: Any) -> "Fault":
        """One of `bench.KINDS`; with service, region, method, path (a pattern), count,
        and status, message, retry_after, seconds where the kind has them."""
        answer = self._call("POST", "faults", {"kind": kind, **match_and_more})
        return Fault(self, answer["number"])

    def pause(self, when: str = "before", **match: Any) -> "Pause":
        """Hold the calls that match (service, region, method, path) before they are done, or
        after, before they are answered. A context manager: it releases at the end."""
        return Pause(self, self._call("POST", "pauses", {"when": when, **match})["number"])

    def calls(
        self, *, service: str | None = None, region: str | None = None, method: str | None = None
    ) -> list[dict[str, Any]]:
        """Calls seen: number, service, region, method, path, body, status; oldest first."""
        wanted = {"service": service, "region": region, "method": method}
        return [
            call
            for call in self._call("GET", "calls")["calls"]
            if all(value in (None, call[key]) for key, value in wanted.items())
        ]

    def forget_calls(self) -> None:
        self._call("DELETE", "calls")

    def reset(self) -> None:
        """No faults, pauses, latency or calls; projects, limits and usage stay."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        url = f"{self.url}/_sandbox/{path}"
        request = urllib.request.Request(url, data, method=method)  # noqa: S310 -- of ours
        # No proxy: the sandbox is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=40) as answer:
                found: dict[str, Any] = json.loads(answer.read())
                return found
        except urllib.error.HTTPError as error:
            raise ValueError(json.loads(error.read())["error"]) from None


class Fault:
    """A fault that was set; a context manager that takes it away at the end."""

    def __init__(self, sandbox: Sandbox, number: int) -> None:
        self._sandbox = sandbox
        self._number = number

    def remove(self) -> None:
        """What hangs is let go, without an answer."""
        self._sandbox._call("DELETE", f"faults/{self._number}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()


class Pause(Fault):
    """A pause that was set."""

    def wait_until_held(self, seconds: float = 20.0, *, count: int = 1) -> None:
        """Return once so many calls were held; raises TimeoutError."""
        path = f"pauses/{self._number}?wait={min(seconds, 30.0)}&count={count}"
        if not self._sandbox._call("GET", path)["held"]:
            raise TimeoutError(f"no call came to pause {self._number} within {seconds} s")

    def release(self) -> None:
        """Let go what is held, and hold nothing more."""
        self.remove()


class RunningSandbox(Sandbox):
    """A sandbox in a process of its own: `stop`, `kill` and `start` it, on the same port
    and with the same state."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        super().__init__(f"http://127.0.0.1:{self.port}")
        self.clouds_yaml = folder / "clouds.yaml"
        self.state_file = folder / "sandbox.json"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Return once it answers. Raises RuntimeError with what it said instead."""
        process = subprocess.Popen(
            [
                sys.executable,
                *("-m", "contrib.sandbox", "--port", str(self.port)),
                *("--state-file", str(self.state_file), "--clouds-yaml", str(self.clouds_yaml)),
            ],
            cwd=ROOT,
            env={**os.environ, "REMIT_SANDBOX": "allow"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._process = process
        line = process.stdout.readline() if process.stdout else ""
        if not line.startswith(READY):
            rest = process.communicate()[0]
            raise RuntimeError(f"the sandbox did not start: {line}{rest}")

    @property
    def pid(self) -> int | None:
        """Of its process; None while there is none."""
        return self._process.pid if self._process else None

    def stop(self) -> int | None:
        """End it by SIGTERM; its port refuses connections from then on. The exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> int | None:
        """End it by SIGKILL."""
        return self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        process.send_signal(number)
        code = process.wait(timeout=20)
        if process.stdout is not None:
            process.stdout.close()
        return code


@contextmanager
def running_sandbox(folder: Path, *, port: int | None = None) -> Iterator[RunningSandbox]:
    """Start a sandbox whose files are in the folder, and end it."""
    sandbox = RunningSandbox(folder, port)
    sandbox.start()
    try:
        yield sandbox
    finally:
        sandbox.stop()
