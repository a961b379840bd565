"""Who owns the embedded servers of a DATA_DIR, and where does everybody else find them?

The owner holds a lock for as long as it lives; the servers die with it. Others read
DATA_DIR/servers.json and never start or stop anything.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from portal.lib.servers.account import ServersError, servers_account
from portal.lib.servers.postgres import Postgres
from portal.lib.servers.valkey import Valkey


@dataclass(frozen=True)
class Addresses:
    """What DATA_DIR/servers.json holds."""

    database_url: str
    broker_url: str
    socket_folder: str
    pid: int


@dataclass(frozen=True)
class Servers:
    """Both servers, running. `postgres` and `broker` have start, stop, kill, suspend, resume."""

    postgres: Postgres
    broker: Valkey

    @property
    def database_url(self) -> str:
        return self.postgres.url

    @property
    def broker_url(self) -> str:
        return self.broker.url


@contextmanager
def embedded_servers(data_dir: Path, *, durable: bool = True) -> Iterator[Servers]:
    """Own and run both servers for as long as the block lasts.

    durable False trades safety of the files for speed, for tests. Raises ServersError:
    one sentence. Call from the main thread: the servers die with the thread that starts
    them.
    """
    data_dir = data_dir.absolute()
    with ExitStack() as stack:
        make_data_dir(data_dir)
        stack.enter_context(_owned(data_dir))
        _sweep_up_after_a_crash(data_dir)
        logs = data_dir / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        account = servers_account()
        postgres = Postgres(
            data_dir / "postgres",
            log=_fresh_log(logs / "postgres.log"),
            account=account,
            durable=durable,
        )
        stack.callback(postgres.close)
        broker = Valkey(log=_fresh_log(logs / "valkey.log"), account=account)
        stack.callback(broker.stop)
        broker.start()
        postgres.start()
        servers = Servers(postgres=postgres, broker=broker)
        _publish(data_dir, servers)
        stack.callback((data_dir / "servers.json").unlink, missing_ok=True)
        yield servers


def make_data_dir(data_dir: Path) -> None:
    """The folder is closed; for root it can be passed through, as the servers' user must."""
    if not data_dir.exists():
        data_dir.mkdir(parents=True)
        data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)


def read_addresses(data_dir: Path) -> Addresses | None:
    """Where the servers of this DATA_DIR listen; None when nobody runs them."""
    try:
        addresses = Addresses(**json.loads((data_dir / "servers.json").read_text()))
    except (FileNotFoundError, PermissionError, ValueError, TypeError):
        return None
    try:
        os.kill(addresses.pid, 0)
    except ProcessLookupError:  # its owner crashed
        return None
    except PermissionError:
        pass
    return addresses


@contextmanager
def _owned(data_dir: Path) -> Iterator[None]:
    """Hold DATA_DIR's lock; the kernel lets go of it when we die, whatever the cause."""
    # O_CLOEXEC is Python's default: no server can inherit the lock and outlive us with it.
    descriptor = os.open(data_dir / "servers.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 20).decode().strip() or "unknown"
            raise ServersError(
                f"The servers of {data_dir} already run, owned by process {owner}: stop that "
                "one, or choose another DATA_DIR."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _sweep_up_after_a_crash(data_dir: Path) -> None:
    """The lock is ours, so an address that is still written down leads nowhere."""
    path = data_dir / "servers.json"
    try:
        folder = Path(json.loads(path.read_text())["socket_folder"])
    except (OSError, ValueError, KeyError, TypeError):
        folder = None
    # Deleting is only for what we know to have made.
    if folder is not None and folder.name.startswith("remit-") and not folder.is_symlink():
        shutil.rmtree(folder, ignore_errors=True)
    path.unlink(missing_ok=True)


def _publish(data_dir: Path, servers: Servers) -> None:
    addresses = Addresses(
        database_url=servers.database_url,
        broker_url=servers.broker_url,
        socket_folder=str(servers.postgres.socket_folder),
        pid=os.getpid(),
    )
    unfinished = data_dir / "servers.json.new"
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(addresses), file, indent=2)
    unfinished.rename(data_dir / "servers.json")


def _fresh_log(path: Path) -> Path:
    """One run, one log; the run before it is kept beside."""
    if path.exists():
        path.rename(path.with_suffix(".old.log"))
    path.touch(mode=0o600)
    return path
