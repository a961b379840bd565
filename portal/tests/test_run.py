"""`make run`: one start, what it survives, what it leaves; and its refusals, a sentence each."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.lib.servers import read_addresses
from portal.lib.servers.process import Child, _parents, _stat
from portal.lib.servers.valkey import free_port
from portal.testing import wait_until
from portal.tests.conftest import ROOT

COMMAND = [sys.executable, "-m", "portal.lib.run"]


class Site:
    """One `make run`; its words are what a person would see."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.port = int(environment["PORT"])
        self.log = log
        self.child = Child(COMMAND, log=log, cwd=ROOT, env=environment)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=2) as page:
                return bool(page.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def wait_for_the_address(self) -> None:
        def told() -> bool:
            assert self.child.is_running, self.log.read_text()
            return f"Remit answers at http://127.0.0.1:{self.port}/" in self.log.read_text()

        wait_until(told, 120, "the address is told")

    def family(self) -> list[int]:
        return self.child._family()

    def end(self, how: signal.Signals) -> int:
        os.kill(self.child.pid, how)
        return self.child.popen.wait(60)


@pytest.fixture
def environment(bare_environment: dict[str, str]) -> dict[str, str]:
    return bare_environment | {"PORT": str(free_port())}


@pytest.fixture
def start(environment: dict[str, str], tmp_path: Path) -> Iterator[object]:
    sites: list[Site] = []

    def one_more() -> Site:
        sites.append(Site(environment, tmp_path / f"run-{len(sites)}.log"))
        return sites[-1]

    yield one_more
    for site in sites:
        site.child.stop()


def manage(environment: dict[str, str], *arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def test_run_from_nothing_to_its_end_and_again(
    start: object, environment: dict[str, str], data_dir: Path
) -> None:
    site: Site = start()  # type: ignore[operator]  # the fixture's function
    site.wait_for_the_address()
    assert site.answers()

    # Another process with this DATA_DIR talks to the same database.
    table = "from django.db import connection as c; c.cursor().execute('CREATE TABLE kept ()')"
    manage(environment, "shell", "-c", table)

    # A web server that dies comes back, and one is told so.
    parents = _parents()
    (web,) = [
        pid
        for pid, parent in parents.items()
        if parent == site.child.pid and "gunicorn" in Path(f"/proc/{pid}/cmdline").read_text()
    ]
    os.kill(web, signal.SIGKILL)
    wait_until(lambda: "The web server ended" in site.log.read_text(), 30, "its end is told")
    wait_until(site.answers, 60, "the web server is back")

    family = site.family()
    assert len(family) > 6
    assert site.end(signal.SIGINT) == 0
    wait_until(lambda: not any(_stat(pid) for pid in family), 10, "all processes have ended")
    assert read_addresses(data_dir) is None
    assert site.log.read_text().rstrip().endswith("Stopped; the data stays.")

    again: Site = start()  # type: ignore[operator]  # the fixture's function
    again.wait_for_the_address()
    assert "Loading the demo site" not in again.log.read_text()
    found = "from django.db import connection as c; print('kept' in c.introspection.table_names())"
    assert manage(environment, "shell", "-v", "0", "-c", found).strip() == "True"
    family = again.family()
    assert again.end(signal.SIGTERM) == 0
    wait_until(lambda: not any(_stat(pid) for pid in family), 10, "all processes have ended")


def refused(environment: dict[str, str], **more: str) -> str:
    done = subprocess.run(
        COMMAND, cwd=ROOT, env=environment | more, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stderr.strip()


def test_taken_port_is_one_sentence(environment: dict[str, str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(environment["PORT"])))
        taken.listen()
        port = int(environment["PORT"])
        assert refused(environment) == (
            f"Port {port} is taken, perhaps by another `make run`: choose another, "
            f"as in PORT={port + 1} make run."
        )


def test_port_that_is_none_is_one_sentence(environment: dict[str, str]) -> None:
    assert refused(environment, PORT="web") == (
        "PORT is 'web', not a whole number: use 1 to 65535."
    )


def test_database_of_ones_own_is_one_sentence(environment: dict[str, str]) -> None:
    sentence = refused(environment, DATABASE_URL="postgresql://remit@db.example/remit")
    assert sentence.startswith("`make run` brings a database and a broker of its own: unset")


def test_folder_that_is_in_use_is_one_sentence(environment: dict[str, str], data_dir: Path) -> None:
    from portal.lib.servers import embedded_servers

    with embedded_servers(data_dir, durable=False):
        assert refused(environment).startswith(f"The servers of {data_dir} already run, owned by")


BOOTSTRAP = "import sys; sys.path.insert(0, 'portal/lib'); import bootstrap as b; {}; b.main()"


def bootstrap(change: str, *files: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The real script, with one fact about this machine changed."""
    return subprocess.run(
        [sys.executable, "-c", BOOTSTRAP.format(change), *files],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_old_python_is_one_sentence() -> None:
    done = bootstrap("b.OLDEST = (4, 0)", "requirements.txt")
    assert done.returncode == 1
    assert done.stderr.startswith("Remit needs Python 3.11 or newer, and this is 3.")
    assert len(done.stderr.splitlines()) == 1


def test_no_network_is_one_sentence(tmp_path: Path) -> None:
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("remit-no-such-distribution==1\n")
    done = bootstrap(
        "None",
        str(wanted),
        PIP_INDEX_URL=f"http://127.0.0.1:{free_port()}/simple",
        PIP_EXTRA_INDEX_URL="",
        PIP_CONFIG_FILE=os.devnull,
        PIP_RETRIES="0",
    )
    assert done.returncode == 1
    assert done.stderr.startswith("The package index could not be reached: check the network")
    assert len(done.stderr.splitlines()) == 1


def write_wheel(folder: Path, name: str) -> None:
    """A package with nothing in it, so that pip needs no index."""
    facts = f"{name}-1.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{facts}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        wheel.writestr(f"{facts}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{facts}/RECORD", "")


def test_first_install_tells_a_line_a_phase_and_a_failure_pips_own_words(tmp_path: Path) -> None:
    for name in ("first", "second"):
        write_wheel(tmp_path, name)
    wanted = tmp_path / "requirements.txt"
    wanted.write_text(f"# offline\n--no-index\n--find-links {tmp_path}\nfirst==1\nsecond==1\n")
    own = f"b.VENV = b.Path({str(tmp_path / 'venv')!r})"
    done = bootstrap(own, str(wanted))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "Making .venv …",
        "Installing requirements.txt into .venv, 2 packages and what they need: "
        "one to five minutes the first time …",
        "  Fetched; unpacking 2 packages …",
    ]
    assert bootstrap(own, str(wanted)).stdout == ""

    wanted.write_text("--no-index\nremit-no-such-distribution==1\n")
    done = bootstrap(own, str(wanted))
    assert done.returncode == 1
    assert "No matching distribution found for remit-no-such-distribution==1" in done.stderr


def test_installed_requirements_are_not_installed_again(tmp_path: Path) -> None:
    """Also the digest: it must not change from one process to the next."""
    ask = "import json; print(json.dumps(str(b.fingerprint(b.ROOT / 'requirements-dev.txt'))))"
    answers = {bootstrap(ask).stdout for _ in range(2)}
    assert len(answers) == 1
    assert len(json.loads(answers.pop())) == 64


def test_a_package_of_ours_is_installed_again_when_what_it_needs_changes(tmp_path: Path) -> None:
    package = tmp_path / "client"
    package.mkdir()
    wanted = tmp_path / "requirements.txt"
    wanted.write_text("-e ./client  # ours\n")
    digests = set()
    for needs in ("click", "requests"):
        (package / "pyproject.toml").write_text(needs)
        digests.add(bootstrap(f"print(b.fingerprint(b.Path({str(wanted)!r})))").stdout)
    assert len(digests) == 2
