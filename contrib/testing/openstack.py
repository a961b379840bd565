"""Real OpenStack services for tests and for `make cloud`: `python -m contrib.testing.openstack`.

One state directory and one set of processes serve every test run on a machine. The
first user starts them, the last one stops them, unless they ran before, and deletes the
projects that tests have left there.
"""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contrib.testing.leftovers import Leftovers

PROGRAM = Path(__file__).resolve().parents[1] / "clouds" / "openstack-up"
STATE = Path(os.environ.get("OPENSTACK_STATE", Path.home() / ".cache" / "remit-cloud")).absolute()
REGIONS = ("region-one", "region-two")  # Xena and 2026.1
VOLUME_TYPES = ("zone-a", "zone-b", "zone-c")
CLOUD = "admin"
CLOUDS_YAML = STATE / "clouds.yaml"
INSTALLED = STATE / ".remit-installed"
_STARTED = STATE / ".started-by-tests"
_BEFORE = STATE / ".projects-before-tests"


def environment() -> dict[str, str]:
    """What `openstack-up` runs with, unless the environment says otherwise."""
    return {
        "OPENSTACK_PORT": "17000",
        "OPENSTACK_SERVICES": "placement nova cinder neutron manila octavia",
        **os.environ,
        "OPENSTACK_STATE": str(STATE),
    }


def run(*arguments: str) -> str:
    """Run `openstack-up`; its output. Raises RuntimeError with the end of it."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"openstack-up {' '.join(arguments)}:\n{done.stdout[-3000:]}")
    return done.stdout


class Instances:
    """Makes instances in a region as rows; one process for all, as Nova's code takes seconds to
    load. `close` removes them and ends it."""

    def __init__(self, region: str) -> None:
        self._projects: set[str] = set()
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "instances", region],
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def make(self, project_id: str, count: int, *, ram: int) -> None:
        """Instead of those that were made before."""
        self._projects.add(project_id)
        told, answers = self._process.stdin, self._process.stdout
        if told is None or answers is None:
            raise RuntimeError("it was not asked for its pipes")
        told.write(f"{project_id} {count} 1 {ram} 1\n")
        told.flush()
        for line in iter(answers.readline, "done\n"):
            if not line:
                raise RuntimeError(f"openstack-up instances ended with {self._process.wait()}")

    def close(self) -> None:
        # Nova would list and count them for ever, of projects that are gone.
        for project_id in sorted(self._projects):
            self.make(project_id, 0, ram=0)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait(20)


def install() -> None:
    """Packages, virtual environments and databases: minutes at first, then nothing."""
    STATE.mkdir(parents=True, exist_ok=True)
    with _locked("lock"):
        # Not through `run`: it takes minutes, and tells how it goes.
        subprocess.run([sys.executable, str(PROGRAM), "install"], env=environment(), check=True)
        INSTALLED.touch()


def is_up() -> bool:
    try:
        run("status")
    except RuntimeError:
        return False
    return True


@contextmanager
def running() -> Iterator[None]:
    """The services run inside."""
    # Not above: `make cloud` runs this module where nothing of ours is installed yet.
    from contrib.testing.leftovers import Leftovers

    STATE.mkdir(parents=True, exist_ok=True)
    leftovers = Leftovers(_BEFORE, CLOUDS_YAML, CLOUD)
    with open(STATE / ".users", "w") as users:
        with _locked("lock"):
            is_first = _is_unused(users)
            fcntl.flock(users, fcntl.LOCK_SH)
            if not is_up():
                _STARTED.touch()
                run("up")
            if is_first:
                leftovers.remember()
        try:
            yield
        finally:
            with _locked("lock"):
                fcntl.flock(users, fcntl.LOCK_UN)
                if _is_unused(users):
                    _leave(leftovers)


def _leave(leftovers: "Leftovers") -> None:
    """As the last one."""
    try:
        leftovers.clear()
    finally:
        if _STARTED.exists():
            run("down")
            _STARTED.unlink()


def _is_unused(users: object) -> bool:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]  # a file
    except OSError:
        return False
    return True


@contextmanager
def _locked(name: str) -> Iterator[None]:
    with open(STATE / f".{name}", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> int:
    """install | up | down | reset | status, with the state and services of the tests."""
    if len(sys.argv) < 2 or sys.argv[1] == "install":
        install()
        return 0
    STATE.mkdir(parents=True, exist_ok=True)
    _STARTED.unlink(missing_ok=True)  # whoever starts or stops it by hand owns it
    command = [sys.executable, str(PROGRAM), *sys.argv[1:]]
    return subprocess.run(command, env=environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
