"""Which user may run the servers, and which of our folders can that user reach?

PostgreSQL refuses to run as root. Root therefore lends it a user of its own; where that
user cannot reach the data folder or the programs, they live in a folder that it can
reach. Folders that belong to somebody else are never opened.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from portal.lib.servers.process import Account

SYSTEM_USER = "remit-servers"
SYSTEM_HOME = Path("/var/lib/remit-servers")


class ServersError(Exception):
    """One sentence for the person who wanted to start the servers."""


def servers_account() -> Account | None:
    """The user to run the servers as; None: whoever we are (never root)."""
    if os.geteuid() != 0:
        try:
            pwd.getpwuid(os.geteuid())
        except KeyError:
            raise ServersError(
                f"PostgreSQL needs a named user, but uid {os.geteuid()} has no entry in "
                "/etc/passwd; add one, or set DATABASE_URL."
            ) from None
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _add_system_user()
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _add_system_user() -> pwd.struct_passwd:
    options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    try:
        subprocess.run(
            ["useradd", *options, "--home-dir", str(SYSTEM_HOME), SYSTEM_USER],
            check=True,
            capture_output=True,
        )
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError, KeyError):
        pass
    try:  # a second supervisor may have made it at the same moment
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        raise ServersError(
            "PostgreSQL does not run as root and the user "
            f"{SYSTEM_USER} could not be made; run as another user, or set DATABASE_URL."
        ) from None


def can_reach(folder: Path, account: Account | None) -> bool:
    """Whether this user can enter the folder; asked of the kernel, which knows ACLs too."""
    return _succeeds(["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)], account)


def can_run(program: Path, account: Account | None) -> bool:
    return _succeeds([str(program), "--version"], account)


def _succeeds(command: list[str], account: Account | None) -> bool:
    try:
        outcome = subprocess.run(
            command,
            cwd="/",
            capture_output=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            check=False,
        )
    except OSError:
        return False
    return outcome.returncode == 0


def reachable_tree(tree: Path, program: str, account: Account | None) -> Path:
    """`tree`, or a copy of it where `account` can run `tree/program`."""
    if can_run(tree / program, account):
        return tree
    if account is None:
        raise ServersError(f"{tree / program} does not run here; install the requirements again.")
    source = tree / program
    stat = source.stat()
    copy = _system_home() / "programs" / f"{tree.name}-{stat.st_size}-{stat.st_mtime_ns}"
    if not copy.exists():
        copy.parent.mkdir(mode=0o755, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=copy.parent))
        shutil.copytree(tree, unfinished / "tree", symlinks=True)
        try:
            (unfinished / "tree").rename(copy)
        except OSError:  # somebody else was first
            pass
        shutil.rmtree(unfinished, ignore_errors=True)
    if not can_run(copy / program, account):
        raise ServersError(f"{copy / program} does not run as {account.name}; see {SYSTEM_HOME}.")
    return copy


def own_folder(path: Path, account: Account | None) -> Path:
    """`path` as a folder of `account` with mode 0700, made now if it is not there.

    Where the account cannot reach `path`, it becomes a symbolic link to a folder that it
    can: deleting the link is forgetting the data.
    """
    if not path.exists():
        if path.is_symlink():
            path.unlink()
        if can_reach(path.parent, account):
            path.mkdir(mode=0o700)
        else:
            path.symlink_to(tempfile.mkdtemp(dir=_system_home()))
        if account:
            os.chown(path, account.uid, account.gid)
    real = path.resolve()
    if not can_reach(real, account):
        raise ServersError(
            f"The database's folder {real} cannot be entered by the user "
            f"{account.name if account else os.geteuid()} that runs it; mend the modes of the "
            "folders above it, or choose another DATA_DIR."
        )
    return real


def _system_home() -> Path:
    SYSTEM_HOME.mkdir(mode=0o755, exist_ok=True)
    return SYSTEM_HOME
