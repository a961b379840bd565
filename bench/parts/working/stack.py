"""All of Remit on this machine for a while: servers, web, workers and beat, beside a cloud.

As a site would run them, with the settings of the documents; only the cloud is near.
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench.harness import cpu
from contrib.sandbox.control import RunningSandbox
from contrib.soak.site import ASKERS, DECIDERS, PASSWORD, project_name, write_site
from portal.celery import WORKER_ARGUMENTS
from portal.lib.servers import Servers, embedded_servers
from portal.lib.servers.process import Child, tail
from portal.lib.servers.valkey import free_port

ROOT = Path(__file__).resolve().parents[3]
START_SECONDS = 90.0
SECRET = "of-a-site-that-lives-for-minutes"  # noqa: S105 - and holds nothing
READY = b" ready."
ASKER, DECIDER = ASKERS[0], DECIDERS[0]
__all__ = ["ASKER", "DECIDER", "PASSWORD", "Cloud", "Stack", "sandbox_cloud", "standing"]


@dataclass(frozen=True)
class Cloud:
    """Where the site's workers deliver to, and what it calls its regions and types."""

    clouds_yaml: Path
    name: str
    regions: Sequence[str]
    volume_types: Sequence[str]


def sandbox_cloud(sandbox: RunningSandbox) -> Cloud:
    """A sandbox as a site's cloud."""
    regions, types = ("geneva", "prevessin"), ("storage-a", "storage-b")
    return Cloud(sandbox.clouds_yaml, "sandbox", regions, types)


@dataclass
class Stack:
    """The site and its processes, which all end with it."""

    servers: Servers
    cloud: Cloud
    folder: Path
    prefix: str
    environment: Mapping[str, str]
    stack: ExitStack
    port: int = field(default_factory=free_port)
    children: list[Child] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def project(self, number: int) -> str:
        """The slug of a project, counted from 0."""
        return project_name(number, self.prefix)

    def start_web(self) -> None:
        """Return once it answers."""
        web = self._start(
            "web", "gunicorn", "--config", "portal/gunicorn_conf.py", "portal.wsgi",
            more={"PORT": str(self.port), "WEB_PROCESSES": "1", "WEB_THREADS": "4"},
        )  # fmt: skip
        _wait_for(lambda: _answers(f"{self.url}/livez"), web)

    def start_worker(self, processes: int, name: str = "worker") -> Child:
        """Return once it takes tasks."""
        worker = self._start(
            name, "celery", "--app", "portal", *WORKER_ARGUMENTS,
            "--queues=apply,observe,notify", f"--concurrency={processes}",
            "--hostname", f"{name}@%h", more={"CLOUDS_YAML": str(self.cloud.clouds_yaml)},
        )  # fmt: skip
        _wait_for(lambda: READY in worker.log.read_bytes(), worker)
        return worker

    def start_beat(self) -> None:
        self._start(
            "beat", "celery", "--app", "portal", "beat", "--pidfile", "",
            "--schedule", str(self.folder / "schedule"),
        )  # fmt: skip

    def run(self, *command: str) -> str:
        """What a program of ours prints, run to its end with workers' credentials."""
        environment = {**self.environment, "CLOUDS_YAML": str(self.cloud.clouds_yaml)}
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
        return done.stdout

    def connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        """To the site's database, each statement by itself."""
        return psycopg.connect(self.servers.database_url, autocommit=True)

    def cpu_seconds(self) -> float:
        """Of all processes of the site that run, database and broker among them, so far."""
        servers = (self.servers.postgres.child, self.servers.broker.child)
        every = [each for each in (*self.children, *servers) if each is not None]
        return sum(cpu.ticks(pid) for each in every for pid in (each.pid, *each.descendants()))

    def wait_until_applied(self, seconds: float) -> None:
        """Until every target of the site is applied. Raises RuntimeError."""
        with self.connect() as database:
            ends = time.monotonic() + seconds
            while row := database.execute(
                "SELECT state, error_words FROM quotas_target WHERE state <> 'applied' LIMIT 1"
            ).fetchone():
                if time.monotonic() > ends:
                    raise RuntimeError(f"a target is still {row[0]} after {seconds:g} s: {row[1]}")
                time.sleep(0.1)

    def _start(self, name: str, *command: str, more: Mapping[str, str] | None = None) -> Child:
        child = Child(
            [sys.executable, "-m", *command],
            log=self.folder / f"{name}.log",
            env={**self.environment, **(more or {})},
            cwd=ROOT,
        )
        self.stack.callback(child.kill)
        self.children.append(child)
        return child


@contextmanager
def standing(
    cloud: Cloud, projects: int, *, prefix: str = "bench", **settings: str
) -> Iterator[Stack]:
    """The soak's site with so many projects, prepared; its processes are started one by one.

    settings: variables of the environment for all of them.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="remit-bench-")))
        # The servers' own user passes through it where we are root.
        folder.chmod(0o711)
        servers = stack.enter_context(embedded_servers(folder / "data"))
        environment = {
            **os.environ,
            "DATABASE_URL": servers.database_url,
            "BROKER_URL": servers.broker_url,
            "DATA_DIR": str(folder / "data"),
            "REMIT_ENV": "development",
            "SECRET_KEY": SECRET,
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "API_RATE_PER_MINUTE": "0",
            **settings,
        }
        found = Stack(servers, cloud, folder, prefix, environment, stack)
        site = folder / "site.json"
        write_site(
            site, projects=projects, prefix=prefix, cloud=cloud.name, regions=cloud.regions,
            volume_types=cloud.volume_types,
        )  # fmt: skip
        found.run("contrib.soak.site", str(site))
        yield found


def _wait_for(is_so: Callable[[], bool], child: Child) -> None:
    """Until `is_so()`. Raises RuntimeError with the last words of a process that ended or hangs."""
    ends = time.monotonic() + START_SECONDS
    while not is_so():
        if not child.is_running or time.monotonic() > ends:
            raise RuntimeError(f"it does not run:\n{tail(child.log, 30)}")
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own
            return True
    except (urllib.error.URLError, OSError):
        return False
