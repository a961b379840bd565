"""pytest plugin: `needs("chromium")` skips where a thing is missing, and says so at the end.

REQUIRE_ALL=1 turns every skip into a failure of the whole run.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE_MODULES = ROOT / ".cache" / "node" / "node_modules"
AXE = NODE_MODULES / "axe-core" / "axe.min.js"

_skipped: dict[str, list[str]] = {}


def _chromium() -> str:
    return "" if shutil.which("chromium") else "chromium is not installed: make test-system"


def _axe() -> str:
    return "" if AXE.exists() else "axe-core is not there: make test-system, then make test"


def _node() -> str:
    return "" if shutil.which("node") else "node is not installed: make test-system"


def _provider() -> str:
    if not (NODE_MODULES / "oidc-provider").exists() or not shutil.which("node"):
        return "oidc-provider is not there: make test-system, then make test"
    return ""


def _curl() -> str:
    return "" if shutil.which("curl") else "curl is not installed: make test-system"


def _openstack() -> str:
    # Where contrib/testing/openstack.py keeps them; the mark is the last thing it makes.
    default = Path.home() / ".cache" / "remit-cloud"
    state = Path(os.environ.get("OPENSTACK_STATE", default)).expanduser()
    if not (state / ".remit-installed").exists():
        return "the OpenStack services are not installed: make test-system"
    return ""


def _ceph() -> str:
    # Its daemons are started by hand, which only root may.
    if not shutil.which("radosgw") or not shutil.which("ceph-osd"):
        return "Ceph is not installed: make test-system"
    return _root()


def _slapd() -> str:
    if importlib.util.find_spec("ldap") is None:
        return "python-ldap is not there: make test-system, then make test"
    found = shutil.which("slapd", path="/usr/sbin:/usr/bin")
    return "" if found else "slapd is not installed: make test-system"


def _root() -> str:
    return "" if os.geteuid() == 0 else "only root can change users"


_CHECKS: dict[str, Callable[[], str]] = {
    "axe": _axe,
    "ceph": _ceph,
    "chromium": _chromium,
    "curl": _curl,
    "node": _node,
    "openstack": _openstack,
    "provider": _provider,
    "slapd": _slapd,
    "root": _root,
}


@cache
def missing(need: str) -> str:
    """Why this machine lacks it; empty when it is there."""
    return _CHECKS[need]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        for need in marker.args:
            if need not in _CHECKS:
                raise pytest.UsageError(f"{item.nodeid} needs {need!r}: not in {__name__}")
            if reason := missing(need):
                pytest.skip(reason)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _skipped.setdefault(reason.removeprefix("Skipped: "), []).append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped and isinstance(report.longrepr, tuple):
        _skipped.setdefault(report.longrepr[2].removeprefix("Skipped: "), []).append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if _skipped and _require_all() and exitstatus in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


# After pytest's own summary, so that the list is the last thing on the screen.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
    yield
    if not _skipped:
        terminalreporter.section("everything could run here")
        return
    verdict = "a failure, as REQUIRE_ALL=1" if _require_all() else "skipped"
    terminalreporter.section(f"what could not run here, and why ({verdict})")
    for reason, nodes in sorted(_skipped.items()):
        terminalreporter.write_line(reason)
        for node in nodes:
            terminalreporter.write_line(f"    {node}")


def _require_all() -> bool:
    return os.environ.get("REQUIRE_ALL", "") == "1"
