"""The twelve faults at the quota drivers: what each call raises, and what may have happened."""

from dataclasses import dataclass
from typing import Any

import pytest

from contrib.sandbox.control import RunningSandbox, running_sandbox
from contrib.testing.clouds import SandboxSite
from quotas.backends import BackendError, IdentityProject, Kind
from quotas.backends.cinder import CinderDriver
from quotas.backends.nova import NovaDriver
from quotas.backends.tests.conftest import TIMEOUT, Region, make_project, region_of


@dataclass(frozen=True)
class Service:
    """A quota driver at its service, and a key to try."""

    name: str
    driver: NovaDriver | CinderDriver
    key: str

    def limit(self, project: IdentityProject) -> int | None:
        return self.driver.read(project.external_id, [self.key], timeout=TIMEOUT)[self.key].limit


def service_of(region: Region, name: str) -> Service:
    if name == "compute":
        return Service(name, region.nova, "cores")
    return Service(name, region.cinder, "volumes")


@pytest.fixture(params=["compute", "volume"])
def service(
    sandbox: RunningSandbox, bench_region: Region, request: pytest.FixtureRequest
) -> Service:
    return service_of(bench_region, request.param)


# Fault, kind, code, and whether a write that met it may have happened.
FAULTS: dict[str, tuple[dict[str, Any], Kind, str, bool]] = {
    "403": ({"kind": "status", "status": 403}, Kind.REFUSED, "forbidden", False),
    "404 project": ({"kind": "status", "status": 404}, Kind.REFUSED, "not_found", False),
    "409": ({"kind": "status", "status": 409}, Kind.TRANSIENT, "conflict", False),
    "429": (
        {"kind": "status", "status": 429, "retry_after": 7}, Kind.TRANSIENT, "rate_limited", False,
    ),
    "500": ({"kind": "status", "status": 500}, Kind.TRANSIENT, "server_error", True),
    "503": ({"kind": "status", "status": 503}, Kind.TRANSIENT, "unavailable", True),
    "half-written body": ({"kind": "half_body"}, Kind.TRANSIENT, "broken_answer", True),
    "wrong JSON": ({"kind": "wrong_json"}, Kind.TRANSIENT, "broken_answer", True),
    "hang": ({"kind": "hang"}, Kind.UNREACHABLE, "timeout", True),
    "slow beyond the timeout": (
        {"kind": "slow", "seconds": 60}, Kind.UNREACHABLE, "timeout", True,
    ),
}  # fmt: skip
CELLS = [pytest.param(*row, id=name) for name, row in FAULTS.items()]
SECONDS = 0.6  # enough for a call that is answered, soon over for one that is not


@pytest.mark.parametrize(("fault", "kind", "code", "_uncertain"), CELLS)
def test_a_read_that_fails_is_sorted(
    sandbox: RunningSandbox,
    service: Service,
    bench_project: IdentityProject,
    fault: dict[str, Any],
    kind: Kind,
    code: str,
    _uncertain: bool,
) -> None:
    service.limit(bench_project)
    with sandbox.add_fault(service=service.name, method="GET", path="os-quota-sets", **fault):
        with pytest.raises(BackendError) as excinfo:
            service.driver.read(bench_project.external_id, timeout=_seconds(fault))
    error = excinfo.value
    assert (error.kind, error.code, error.uncertain) == (kind, code, False)
    assert error.retry_after == fault.get("retry_after")


@pytest.mark.parametrize(("fault", "kind", "code", "uncertain"), CELLS)
def test_a_write_that_fails_is_sorted_and_says_whether_it_may_have_happened(
    sandbox: RunningSandbox,
    service: Service,
    bench_project: IdentityProject,
    fault: dict[str, Any],
    kind: Kind,
    code: str,
    uncertain: bool,
) -> None:
    service.limit(bench_project)
    with sandbox.add_fault(service=service.name, method="PUT", **fault):
        with pytest.raises(BackendError) as excinfo:
            service.driver.write(
                bench_project.external_id, {service.key: 33}, timeout=_seconds(fault)
            )
    error = excinfo.value
    assert (error.kind, error.code, error.uncertain) == (kind, code, uncertain)
    assert error.retry_after == fault.get("retry_after")


def _seconds(fault: dict[str, Any]) -> float:
    return SECONDS if fault["kind"] in ("hang", "slow") else TIMEOUT


def test_a_slow_answer_within_the_timeout_is_an_answer(
    sandbox: RunningSandbox, service: Service, bench_project: IdentityProject
) -> None:
    sandbox.add_fault("slow", service=service.name, method="PUT", seconds=0.2)
    service.driver.write(bench_project.external_id, {service.key: 33}, timeout=TIMEOUT)
    assert service.limit(bench_project) == 33


def test_a_token_that_expired_is_fetched_anew_and_the_call_made_once(
    sandbox: RunningSandbox, service: Service, bench_project: IdentityProject
) -> None:
    service.limit(bench_project)
    sandbox.forget_calls()
    sandbox.add_fault("expired", service=service.name, method="PUT")
    service.driver.write(bench_project.external_id, {service.key: 33}, timeout=TIMEOUT)
    puts = sandbox.calls(service=service.name, method="PUT")
    assert [call["status"] for call in puts] == [401, 200]
    assert service.limit(bench_project) == 33


@pytest.mark.parametrize("name", ["compute", "volume"])
def test_a_refused_connection_is_certain_not_to_have_happened(
    tmp_path: Any, new_tag: str, name: str
) -> None:
    with running_sandbox(tmp_path) as own:
        region = region_of(SandboxSite(own), "geneva")
        project = make_project(region, new_tag)
        service = service_of(region, name)
        service.limit(project)
        own.stop()
        for call in (
            lambda: service.limit(project),
            lambda: service.driver.write(project.external_id, {service.key: 3}, timeout=TIMEOUT),
        ):
            with pytest.raises(BackendError) as excinfo:
                call()
            error = excinfo.value
            assert (error.kind, error.code, error.uncertain) == (
                Kind.UNREACHABLE, "no_connection", False,
            )  # fmt: skip
        own.start()


def test_after_a_refused_version_it_is_asked_which_there_are(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    """A service that was set back to an older release answers 406 to what it said before."""
    bench_region.nova.read(bench_project.external_id, timeout=TIMEOUT)
    with sandbox.add_fault(
        "status", service="compute", path="os-quota-sets", status=406, message="Version 2.57"
    ):
        with pytest.raises(BackendError) as excinfo:
            bench_region.nova.read(bench_project.external_id, timeout=TIMEOUT)
    assert (excinfo.value.kind, excinfo.value.code) == (Kind.TRANSIENT, "version")
    sandbox.forget_calls()
    bench_region.nova.read(bench_project.external_id, timeout=TIMEOUT)
    asked = [call["path"] for call in sandbox.calls(service="compute")]
    assert len(asked) == 2
    assert "os-quota-sets" not in asked[0]
    assert "os-quota-sets" in asked[1]
