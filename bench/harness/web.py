"""Remit's web server as it is measured: one gunicorn with the settings of production."""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal.lib.servers.process import Child, tail
from portal.lib.servers.valkey import free_port

from .client import Client
from .places import CACHE, HOST, ROOT

START_SECONDS = 60


@dataclass(frozen=True)
class Web:
    """A server that answers; `master` is gunicorn's own process, its workers are below it."""

    port: int
    master: Child

    @property
    def workers(self) -> list[int]:
        """Process ids of those that answer."""
        return self.master.descendants()


@contextmanager
def web(environment: Mapping[str, str], *, processes: int = 1, threads: int = 4) -> Iterator[Web]:
    """Serve for as long as the block lasts; Remit and the floors in the same process."""
    port = free_port()
    log: Path = CACHE / f"web-{port}.log"
    own = {"PORT": str(port), "WEB_PROCESSES": str(processes), "WEB_THREADS": str(threads)}
    child = Child(
        [sys.executable, "-m", "gunicorn", "--config", "portal/gunicorn_conf.py",
         "--keep-alive", "60", "bench.harness.wsgi"],
        log=log, cwd=ROOT, env=os.environ | dict(environment) | own,
    )  # fmt: skip
    try:
        _wait_until_it_answers(child, port)
        yield Web(port, child)
    finally:
        child.kill()
        log.unlink(missing_ok=True)


def _wait_until_it_answers(child: Child, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            if Client(HOST, port).get("/livez").status == 200:
                return
        except OSError:
            pass
        if not child.is_running or time.monotonic() > deadline:
            raise RuntimeError(f"The web server does not answer:\n{tail(child.log, 20)}")
        time.sleep(0.1)
