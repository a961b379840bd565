"""Remit's own processes on a test's own database: web, worker, beat.

`running_site(copy, clouds_yaml)` starts what is asked for; every process ends with it.
The times are short, so that a test waits for states and not for them.
"""

import os
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from portal.celery import WORKER_ARGUMENTS
from portal.lib.servers.process import Child, tail
from portal.lib.servers.valkey import free_port
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
QUICK = {
    "LEASE_SECONDS": "20",
    "CALL_TIMEOUT_SECONDS": "15",
    "SWEEP_SECONDS": "0.5",
    "OBSERVE_SECONDS": "2",
    "OBSERVE_EACH_SECONDS": "2",
    "RETRY_BASE_SECONDS": "0.5",
    "RETRY_CAP_SECONDS": "3",
    "REFUSED_RECHECK_SECONDS": "2",
    "BROKER_PAUSE_SECONDS": "0.5",
    "LOG_LEVEL": "INFO",
}


class RunningSite:
    """A site's processes; `url` is where its web server answers."""

    def __init__(
        self,
        copy: DatabaseCopy,
        clouds_yaml: Path,
        folder: Path,
        stack: ExitStack,
        settings: Mapping[str, str],
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._stack = stack
        self._clouds_yaml = clouds_yaml
        self._environment = copy.environment | QUICK | dict(settings) | {"PORT": str(self.port)}

    def start_web(self) -> Child:
        """Return once it answers."""
        web = self._start(
            "web", "gunicorn", "--config", "portal/gunicorn_conf.py", "portal.wsgi",
            more={"WEB_PROCESSES": "1", "WEB_THREADS": "8"},
        )  # fmt: skip

        def answers() -> bool:
            assert web.is_running, tail(web.log, 20)
            try:
                with urllib.request.urlopen(f"{self.url}/livez", timeout=5):
                    return True
            except (urllib.error.URLError, OSError):
                return False

        wait_until(answers, 30, "the web server answers")
        return web

    def start_worker(
        self,
        concurrency: int = 2,
        *,
        name: str = "worker",
        queues: str = "apply,observe,notify,call,mail",
        settings: Mapping[str, str] | None = None,
    ) -> Child:
        """A worker, of all queues by default; it alone knows the clouds' credentials.

        settings: environment variables for it alone.
        """
        return self._start(
            name, "celery", "--app", "portal", *WORKER_ARGUMENTS,
            f"--queues={queues}", f"--concurrency={concurrency}",
            more={"CLOUDS_YAML": str(self._clouds_yaml), **(settings or {})},
        )  # fmt: skip

    def start_beat(self) -> Child:
        return self._start(
            "beat", "celery", "--app", "portal", "beat", "--pidfile", "",
            "--schedule", str(self._folder / "schedule"),
        )  # fmt: skip

    def log(self, name: str, most: int = 4000) -> str:
        """The last that a process said, for the message of a failing test."""
        path = self._folder / f"{name}.log"
        return path.read_text(errors="replace")[-most:] if path.exists() else ""

    def _start(self, name: str, *command: str, more: Mapping[str, str] | None = None) -> Child:
        child = Child(
            [sys.executable, "-m", *command],
            log=self._folder / f"{name}.log",
            env={**os.environ, **self._environment, **(more or {})},
            cwd=ROOT,
        )
        # Not asked to end: what it does is over, and its database goes with it.
        self._stack.callback(child.kill)
        return child


@contextmanager
def running_site(copy: DatabaseCopy, clouds_yaml: Path, **settings: str) -> Iterator[RunningSite]:
    """A site whose processes are started one by one and all end here.

    settings: variables of the environment, beside or instead of those above.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="remit-site-"))
        yield RunningSite(copy, clouds_yaml, Path(folder), stack, settings)
