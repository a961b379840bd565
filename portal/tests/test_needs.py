"""What cannot run here is listed at the end of a run, and fails it when asked to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = "-pportal.testing.needs"
SUITE = """
import pytest

@pytest.mark.needs("chromium")
def test_that_needs_a_browser():
    pass

def test_that_needs_nothing():
    pass
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "test_suite.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = needs(what): x\n")
    return tmp_path


def run(suite: Path, path: str, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        [sys.executable, "-m", "pytest", PLUGIN, "-pno:django", "-q", *more, "."],
        cwd=suite,
        env={"PATH": path, "PYTHONPATH": root} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_missing_need_is_skipped_and_listed_last(suite: Path) -> None:
    done = run(suite, path="")
    assert done.returncode == 0
    end = done.stdout[done.stdout.index("what could not run here") :]
    assert "chromium is not installed: make test-system" in end
    assert "test_suite.py::test_that_needs_a_browser" in end


def test_missing_need_fails_the_run_when_all_is_required(suite: Path) -> None:
    done = run(suite, path="", REQUIRE_ALL="1")
    assert done.returncode == 1
    assert "a failure, as REQUIRE_ALL=1" in done.stdout


def test_missing_need_is_listed_once_and_fails_a_run_that_processes_share(suite: Path) -> None:
    done = run(suite, "", "-n2", REQUIRE_ALL="1")
    assert done.returncode == 1
    end = done.stdout[done.stdout.index("what could not run here") :]
    assert end.count("test_suite.py::test_that_needs_a_browser") == 1


def test_need_that_is_met_runs(suite: Path) -> None:
    programs = suite / "programs"
    programs.mkdir()
    (programs / "chromium").write_text("#!/bin/sh\n")
    (programs / "chromium").chmod(0o755)
    done = run(suite, path=f"{programs}{os.pathsep}{os.environ['PATH']}", REQUIRE_ALL="1")
    assert done.returncode == 0
    assert "everything could run here" in done.stdout


def test_unknown_need_is_an_error(suite: Path) -> None:
    (suite / "test_suite.py").write_text(SUITE.replace("chromium", "luck"))
    done = run(suite, path=os.environ["PATH"])
    assert done.returncode != 0
    assert "needs 'luck'" in done.stdout + done.stderr
