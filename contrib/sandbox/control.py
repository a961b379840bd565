"""The sandbox cloud as tests and the demo's loader handle it.

`running_sandbox(folder)` starts one; `Sandbox(url)` talks to one that runs.
"""

import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from contrib.sandbox.bench_client import BenchClient
from contrib.sandbox.program import Program
from contrib.sandbox.serving import free_port

READY = "sandbox cloud: "


class Sandbox(BenchClient):
    """A client of the control API. Projects go by id or name; figures are in the services'
    own units."""

    CONTROL = "_sandbox"

    def set_usage(
        self,
        project: str,
        region: str,
        service: str,
        used: Mapping[str, int],
        *,
        reserved: Mapping[str, int] | None = None,
    ) -> None:
        """Set what a project uses of these keys; totals follow the types. Of "storage" it has these
        `buckets` with `size` KiB in all, and no others."""
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

    def add_people(self, users: Iterable[str], groups: Iterable[str]) -> None:
        """Let Keystone know people and groups of these names, who cannot sign in there."""
        self._call("PUT", "people", {"users": list(users), "groups": list(groups)})

    def set_listing(self, most: int, *, has_pages: bool = True) -> None:
        """How many projects Keystone lists at once until `reset` (1000), and whether it pages;
        without pages: as an older release whose `list_limit` is `most`."""
        self._call("PUT", "listing", {"most": most, "has_pages": has_pages})

    def set_cell_down(self, region: str, *, is_down: bool = True) -> None:
        """Whether one of Nova's two cells in the region answers, until `reset`. Every second
        instance of a project is there: neither listed nor counted while it is down."""
        self._call("PUT", "cell", {"region": region, "is_down": is_down})

    def expire_tokens(self) -> None:
        """Every token is unknown from now on."""
        self._call("DELETE", "tokens")


class RunningSandbox(Sandbox, Program):
    """A sandbox in a process of its own, on the same port and with the same state after each
    `start`."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.clouds_yaml = folder / "clouds.yaml"
        self.state_file = folder / "sandbox.json"
        Sandbox.__init__(self, f"http://127.0.0.1:{self.port}")
        Program.__init__(
            self,
            "contrib.sandbox",
            [
                *("--port", str(self.port)),
                *("--state-file", str(self.state_file), "--clouds-yaml", str(self.clouds_yaml)),
            ],
            READY,
        )


@contextmanager
def running_sandbox(folder: Path, *, port: int | None = None) -> Iterator[RunningSandbox]:
    """Start a sandbox whose files are in the folder, and end it."""
    sandbox = RunningSandbox(folder, port)
    sandbox.start()
    try:
        yield sandbox
    finally:
        sandbox.stop()
