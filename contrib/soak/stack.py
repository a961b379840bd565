"""All of Remit as processes that can be killed by SIGKILL and started again: whole, or a child.

Only processes that were started here are ever killed. Everything is started from the main
thread: the kernel ends a process when the thread that started it ends.
"""

import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from contrib.soak.clouds import SoakCloud
from portal.celery import WORKER_ARGUMENTS
from portal.lib.servers import Servers
from portal.lib.servers.process import Child, tail
from portal.lib.servers.valkey import free_port

ROOT = Path(__file__).resolve().parents[2]
WORKERS = 3
START_SECONDS = 90.0
# What Celery logs once a worker takes tasks.
READY = b" ready."
# The database's processes notice by themselves that their eldest is gone.
ORPHAN_SECONDS = 30.0
# Short, so that a minute holds many leases, retries and probes.
QUICK = {
    "LEASE_SECONDS": "6",
    "CALL_TIMEOUT_SECONDS": "2",
    "SWEEP_SECONDS": "0.5",
    "OBSERVE_SECONDS": "10",
    "OBSERVE_EACH_SECONDS": "20",
    "RETRY_BASE_SECONDS": "0.3",
    "RETRY_CAP_SECONDS": "3",
    "REFUSED_RECHECK_SECONDS": "2",
    "BROKER_PAUSE_SECONDS": "0.5",
    "LOG_LEVEL": "INFO",
}


class Part:
    """One process of Remit or of the cloud."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], log: Path):
        self.name = name
        self._command = command
        self._environment = environment
        self.log = log
        self.child: Child | None = None
        self._is_wanted = False
        self._log_before = 0

    def start(self) -> None:
        self._is_wanted = True
        self._log_before = self.log.stat().st_size if self.log.exists() else 0
        self.child = Child(self._command, log=self.log, env=self._environment, cwd=ROOT)

    @property
    def is_running(self) -> bool:
        return self.child is not None and self.child.is_running

    @property
    def has_fallen(self) -> bool:
        """It ended, and nobody here ended it."""
        return self._is_wanted and not self.is_running

    def has_said(self, words: bytes) -> bool:
        """Whether its log holds them since it was started last."""
        if not self.log.exists():
            return False
        with self.log.open("rb") as log:
            log.seek(self._log_before)
            return words in log.read()

    def wait(self, seconds: float) -> int | None:
        """The code that it ended with. Raises subprocess.TimeoutExpired."""
        return self.child.popen.wait(seconds) if self.child is not None else None

    def kill(self) -> None:
        """It and all below it; returns when none is left."""
        self._is_wanted = False
        if self.child is not None:
            self.child.kill()

    def children(self) -> list[int]:
        return self.child.descendants() if self.child is not None else []

    def stop(self) -> None:
        self._is_wanted = False
        if self.child is not None:
            self.child.stop(seconds=5)


class Stack:
    """Web, workers and beat beside embedded servers and a cloud."""

    def __init__(self, servers: Servers, cloud: SoakCloud, data_dir: Path) -> None:
        self.servers = servers
        self.cloud = cloud
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._data_dir = data_dir
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in ("DATABASE_URL", "BROKER_URL", "GUNICORN_CMD_ARGS")
        }
        self.environment = (
            kept
            | QUICK
            | dict(cloud.settings)
            | {
                "DATA_DIR": str(data_dir),
                "DJANGO_SETTINGS_MODULE": "portal.settings",
                "PORT": str(self.port),
                "PYTHONUNBUFFERED": "1",
                "REMIT_ENV": "development",
                # People and workers here call as fast as they can.
                "API_RATE_PER_MINUTE": "0",
                "WEB_PROCESSES": "2",
                "WEB_THREADS": "4",
            }
        )
        self.web = self._part(
            "web", "gunicorn", "--config", "portal/gunicorn_conf.py", "portal.wsgi"
        )
        self.workers = [
            self._part(
                f"worker-{number}", "celery", "--app", "portal", *WORKER_ARGUMENTS,
                "--queues=apply,observe,notify,call,mail", "--concurrency=2",
                "--hostname", f"worker-{number}@%h",
                more={"CLOUDS_YAML": str(cloud.workers_yaml)},
            )
            for number in range(1, WORKERS + 1)
        ]  # fmt: skip
        self.beat = self._part(
            "beat", "celery", "--app", "portal", "beat", "--pidfile", "", "--loglevel", "INFO",
            "--schedule", str(data_dir / "beat-schedule"),
        )  # fmt: skip
        self.cloud_part = self._part("cloud", *cloud.command)
        self._others: list[Part] = []

    def start_cloud(self) -> None:
        self.cloud_part.start()
        self._wait(self.cloud_part, self.cloud.answers)

    def start(self) -> None:
        """Return once the web server answers; the rest comes when it comes."""
        for part in (self.web, *self.workers, self.beat):
            part.start()
        self._wait(self.web, self._web_answers)

    def run(self, name: str, *command: str) -> Part:
        """Start one more program of Remit, which ends by itself."""
        part = self._part(name, *command)
        part.start()
        self._others.append(part)
        return part

    def finish(self, part: Part) -> None:
        """Wait for a program that was started by `run`. Raises RuntimeError where it failed."""
        if part.wait(START_SECONDS) != 0:
            raise RuntimeError(f"{part.name} failed:\n{tail(part.log, 30)}")

    def kill(self, what: str, pick: float) -> Callable[[], None] | None:
        """Kill one of schedule.KILLS; returns how to start it again, None: not there to kill."""
        if what in ("database", "postmaster"):
            return self._kill_database(alone=what == "postmaster")
        if what == "cloud" and (undo := self.cloud.vanish()) is not None:
            return undo
        if what == "broker":
            broker = self.servers.broker
            broker.kill()
            return broker.start
        kind, _, child = what.partition(" ")
        parts = {
            "worker": self.workers,
            "web": [self.web],
            "beat": [self.beat],
            "cloud": [self.cloud_part],
        }[kind]
        living = [part for part in parts if part.is_running and (not child or part.children())]
        if what == "worker child":
            # Celery ends by itself where a process dies before the worker is ready.
            living = [part for part in living if part.has_said(READY)]
        if not living:
            return None
        part = living[int(pick * len(living))]
        if child:
            return _kill_one(part.children(), pick)
        part.kill()
        return part.start

    def fallen(self) -> list[Part]:
        """What ended by itself, which nothing here should."""
        return [part for part in self._parts() if part.has_fallen]

    def start_missing(self) -> None:
        """Start what does not run."""
        for part in self._parts():
            if not part.is_running:
                part.start()

    def stop(self) -> None:
        """Everything; what has ended already is not asked twice."""
        for part in (*self._others, *self._parts()):
            part.stop()

    def _parts(self) -> list[Part]:
        return [self.beat, self.web, *self.workers, self.cloud_part]

    def _kill_database(self, *, alone: bool) -> Callable[[], None] | None:
        postgres = self.servers.postgres
        if postgres.child is None or not postgres.child.is_running:
            return None
        if alone:
            postgres.child.kill_alone(ORPHAN_SECONDS)
        else:
            postgres.kill()
        return postgres.start

    def _part(self, name: str, *command: str, more: Mapping[str, str] | None = None) -> Part:
        log = self._data_dir / "logs" / f"{name}.log"
        environment = {**self.environment, **(more or {})}
        return Part(name, [sys.executable, "-m", *command], environment, log)

    def _web_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5):  # noqa: S310 our own
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _wait(self, part: Part, answers: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            if not part.is_running or time.monotonic() > deadline:
                raise RuntimeError(f"the {part.name} does not answer:\n{tail(part.log, 30)}")
            time.sleep(0.1)


def _kill_one(pids: list[int], pick: float) -> Callable[[], None] | None:
    """One process; who started it starts another one."""
    try:
        os.kill(pids[int(pick * len(pids))], signal.SIGKILL)
    except (ProcessLookupError, IndexError):
        return None
    return _nothing


def _nothing() -> None:
    """What was killed is started again by its own parent."""
