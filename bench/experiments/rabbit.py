"""A RabbitMQ on loopback alone, for as long as a block lasts."""

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal.lib.servers.account import servers_account
from portal.lib.servers.process import Child, tail
from portal.lib.servers.valkey import HOST, free_port

START_SECONDS = 90
# As Debian's package lays it; the script of that name on the PATH changes the user by itself.
PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class NoRabbit(LookupError):
    """One sentence for whoever wanted to measure it."""


@dataclass(frozen=True)
class Rabbit:
    """A broker that answers; `process` and what it has started is all of it."""

    url: str
    process: Child


@contextmanager
def rabbit() -> Iterator[Rabbit]:
    """Raises NoRabbit. Its files and its own epmd go with it."""
    epmd = shutil.which("epmd")
    if epmd is None or not PROGRAM.exists():
        raise NoRabbit("RabbitMQ is not installed: `apt-get install rabbitmq-server`.")
    account = servers_account()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="remit-rabbit-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        port, epmd_port, own_port = free_port(), free_port(), free_port()
        (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = {HOST}:{port}\n")
        (folder / "env.conf").write_text("")
        (folder / "log").touch()
        for path in (folder, *folder.iterdir()):
            if account is not None:
                os.chown(path, account.uid, account.gid)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "ERL_EPMD_ADDRESS": HOST,
            "ERL_EPMD_PORT": str(epmd_port),
            "RABBITMQ_NODENAME": "remit@localhost",
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_MNESIA_BASE": str(folder),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_DIST_PORT": str(own_port),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }
        for command in ([epmd, "-address", HOST, "-port", str(epmd_port)], [str(PROGRAM)]):
            child = Child(
                command, log=folder / "log", stop_signal=signal.SIGTERM,
                death_signal=signal.SIGTERM, account=account, cwd=folder, env=environment,
            )  # fmt: skip
            stack.callback(child.kill)
        _wait_until_it_answers(child, port)
        yield Rabbit(f"amqp://guest:guest@{HOST}:{port}//", child)


def _wait_until_it_answers(child: Child, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with socket.create_connection((HOST, port), timeout=1):
                return
        except OSError:
            if not child.is_running or time.monotonic() > deadline:
                raise NoRabbit(f"RabbitMQ does not answer: {tail(child.log, 10)}") from None
            time.sleep(0.2)
