"""A real RADOS gateway for tests: `ceph_clouds` is a clouds.yaml whose cloud `ceph` holds it.

One state directory serves every run on a machine. What runs before stays; what a run started it
ends. Tests make users of their own and leave them: the store is in memory.
"""

import fcntl
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

PROGRAM = Path(__file__).resolve().parents[1] / "clouds" / "ceph-up"
STATE = Path(os.environ.get("CEPH_UP_DIR", Path.home() / ".cache" / "remit-ceph")).absolute()
CLOUD = "ceph"


def run(*arguments: str) -> str:
    """Run `ceph-up`; its output. Raises RuntimeError with what it said."""
    done = subprocess.run(
        [str(PROGRAM), *arguments],
        env={**os.environ, "CEPH_UP_DIR": str(STATE)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"ceph-up {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _is_up() -> bool:
    try:
        run("status")
    except RuntimeError:
        return False
    return True


@contextmanager
def running() -> Iterator[Mapping[str, str]]:
    """The gateway runs inside; what `ceph-up env` says, by name."""
    STATE.mkdir(parents=True, exist_ok=True)
    # Beside the directory: `ceph-up` takes one that holds what it did not make for another's.
    with open(STATE.with_name(f"{STATE.name}.users"), "w") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        was_up = _is_up()
        if not was_up:
            run("up")
        try:
            lines = run("env").splitlines()
            pairs = (line.removeprefix("export ").partition("=") for line in lines)
            yield {name: value for name, _, value in pairs}
        finally:
            if not was_up:
                run("down")


@pytest.fixture(scope="session")
def ceph_clouds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A real gateway; mark the test `needs("ceph")`."""
    with running() as found:
        gateway = {
            "url": found["RGW_URL"],
            "access_key": found["RGW_ADMIN_ACCESS_KEY"],
            "secret_key": found["RGW_ADMIN_SECRET_KEY"],
        }
        path = tmp_path_factory.mktemp("ceph") / "clouds.yaml"
        path.write_text(yaml.safe_dump({"clouds": {CLOUD: {"rgw": gateway}}}))
        path.chmod(0o600)
        yield path
