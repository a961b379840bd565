"""Processes that share a run: a file is one's alone, and so is the real OpenStack."""

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from portal.testing.spread import LONG, turn_of
from portal.tests.conftest import ROOT

SUITE = """
import os
from pathlib import Path

import pytest

def leave(word):
    Path("marks", f"{{word}}-{{os.getpid()}}").touch()

@pytest.mark.parametrize("number", range(4))
def test_plain(number):
    leave("{file}")

@pytest.mark.needs("openstack")
@pytest.mark.parametrize("number", range(2))
def test_on_openstack(number):
    leave("openstack")
"""
FILES = ("test_a", "test_b", "test_c")


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    (folder / ".remit-installed").touch()
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", "-pportal.testing.needs", "-pportal.testing.spread",
            "-pno:django", "-q", *more, ".",
        ],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "OPENSTACK_STATE": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_file_and_the_real_openstack_are_one_process_s_alone(tmp_path: Path) -> None:
    for file in FILES:
        (tmp_path / f"{file}.py").write_text(SUITE.format(file=file))
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = needs(what): x\n")
    (tmp_path / "marks").mkdir()
    done = run(tmp_path, "-n2", "--dist=loadfile", "--no-loadscope-reorder")
    assert done.returncode == 0, done.stdout
    assert "18 passed" in done.stdout
    processes = defaultdict(set)
    for mark in (tmp_path / "marks").iterdir():
        word, _, pid = mark.name.rpartition("-")
        processes[word].add(pid)
    assert {word: len(pids) for word, pids in processes.items()} == dict.fromkeys(
        ("openstack", *FILES), 1
    )
    assert len(set.union(*processes.values())) == 2


def test_what_takes_long_begins_before_what_is_short() -> None:
    """Files that are not there any more, or were renamed, would begin last and nobody saw it."""
    ids = ["portal/tests/test_env.py::a", f"{LONG[1]}.py::a", f"{LONG[0]}.py::a", "x_openstack.py"]
    assert sorted(ids, key=turn_of) == ids[::-1]
    assert [each for each in LONG if not (ROOT / each).is_dir() and not _file(each).exists()] == []


def _file(path: str) -> Path:
    return ROOT / f"{path}.py"


def test_a_test_that_needs_openstack_says_so_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "test_x.py").write_text(
        SUITE.format(file="x").replace("test_on_openstack", "test_on_it")
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = needs(what): x\n")
    done = run(tmp_path)
    assert done.returncode != 0
    assert "test_on_it[0] needs openstack: its name must say so" in done.stdout + done.stderr
