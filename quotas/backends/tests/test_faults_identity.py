"""How each sort of failure of an identity service arrives, at every call that a driver makes."""

from collections.abc import Callable
from typing import Any

import pytest

from contrib.sandbox.control import RunningSandbox, running_sandbox
from contrib.testing.clouds import SandboxSite
from quotas.backends import BackendError, Holder, HolderKind, IdentityProject, Kind
from quotas.backends.keystone import KeystoneDriver
from quotas.backends.tests.conftest import Region, make_project, region_of

Call = Callable[[KeystoneDriver, IdentityProject, Holder], Any]
SECONDS = 5.0

READS: dict[str, tuple[str, Call]] = {
    "find": ("/projects", lambda driver, project, _: driver.find("remit:x", timeout=SECONDS)),
    "find_by_name": (
        "/projects", lambda driver, project, _: driver.find_by_name("x", timeout=SECONDS),
    ),
    "get": (
        "/projects/", lambda driver, project, _: driver.get(project.external_id, timeout=SECONDS),
    ),
    "roles": (
        "/role_assignments",
        lambda driver, project, _: driver.roles(project.external_id, timeout=SECONDS),
    ),
}  # fmt: skip
WRITES: dict[str, tuple[str, str, Call]] = {
    "create": (
        "POST", "/projects",
        lambda driver, project, _: driver.create(
            name=f"{project.name}-2", description="", tag="remit:x", timeout=SECONDS
        ),
    ),
    "update": (
        "PATCH", "/projects/",
        lambda driver, project, _: driver.update(
            project.external_id, description="x", timeout=SECONDS
        ),
    ),
    "add_tag": (
        "PUT", "/tags/",
        lambda driver, project, _: driver.add_tag(project.external_id, "x", timeout=SECONDS),
    ),
    "grant": (
        "PUT", "/roles/",
        lambda driver, project, person: driver.grant(
            project.external_id, person, "member", timeout=SECONDS
        ),
    ),
}  # fmt: skip

# Fault, how it is sorted, and whether a write may have happened.
FAULTS: list[tuple[dict[str, Any], Kind, str, bool]] = [
    ({"kind": "status", "status": 401}, Kind.REFUSED, "credentials", False),
    ({"kind": "status", "status": 403}, Kind.REFUSED, "forbidden", False),
    ({"kind": "status", "status": 404}, Kind.REFUSED, "not_found", False),
    ({"kind": "status", "status": 409}, Kind.TRANSIENT, "conflict", False),
    ({"kind": "status", "status": 429, "retry_after": 7}, Kind.TRANSIENT, "rate_limited", False),
    ({"kind": "status", "status": 500}, Kind.TRANSIENT, "server_error", True),
    ({"kind": "status", "status": 503}, Kind.TRANSIENT, "unavailable", True),
    ({"kind": "drop"}, Kind.UNREACHABLE, "dropped", True),
    ({"kind": "half_body"}, Kind.TRANSIENT, "broken_answer", True),
    ({"kind": "wrong_json"}, Kind.TRANSIENT, "broken_answer", True),
]
FAULT_NAMES = [str(each[0].get("status", each[0]["kind"])) for each in FAULTS]
# These two are answered without a body, so there is none to break.
BODYLESS = ("add_tag", "grant")


@pytest.fixture
def person(sandbox_site: SandboxSite, new_tag: str) -> Holder:
    return Holder(HolderKind.USER, sandbox_site.plain.new_user(new_tag))


@pytest.mark.parametrize(("fault", "kind", "code", "_uncertain"), FAULTS, ids=FAULT_NAMES)
@pytest.mark.parametrize("verb", READS)
def test_a_read_that_fails_is_sorted(
    sandbox: RunningSandbox,
    bench_region: Region,
    bench_project: IdentityProject,
    person: Holder,
    verb: str,
    fault: dict[str, Any],
    kind: Kind,
    code: str,
    _uncertain: bool,
) -> None:
    path, call = READS[verb]
    sandbox.add_fault(service="identity", method="GET", path=path, **fault)
    with pytest.raises(BackendError) as excinfo:
        call(bench_region.identity, bench_project, person)
    error = excinfo.value
    assert (error.kind, error.code, error.uncertain) == (kind, code, False)
    assert error.retry_after == fault.get("retry_after")


@pytest.mark.parametrize(
    ("verb", "fault", "kind", "code", "uncertain"),
    [
        pytest.param(verb, *fault, id=f"{verb}-{name}")
        for verb in WRITES
        for fault, name in zip(FAULTS, FAULT_NAMES, strict=True)
        if not (verb in BODYLESS and name in ("half_body", "wrong_json"))
    ],
)
def test_a_write_that_fails_is_sorted_and_says_whether_it_may_have_happened(
    sandbox: RunningSandbox,
    bench_region: Region,
    bench_project: IdentityProject,
    person: Holder,
    verb: str,
    fault: dict[str, Any],
    kind: Kind,
    code: str,
    uncertain: bool,
) -> None:
    method, path, call = WRITES[verb]
    sandbox.forget_calls()
    sandbox.add_fault(service="identity", method=method, path=path, **fault)
    with pytest.raises(BackendError) as excinfo:
        call(bench_region.identity, bench_project, person)
    error = excinfo.value
    assert (error.kind, error.code, error.uncertain) == (kind, code, uncertain)
    # An expired token is replaced once; nothing else is tried again here.
    sent = [each for each in sandbox.calls(service="identity", method=method)
            if path in each["path"] and "auth" not in each["path"]]  # fmt: skip
    assert len(sent) == (2 if code == "credentials" else 1)


@pytest.mark.parametrize("verb", WRITES)
def test_a_write_that_hangs_ends_in_time_and_is_uncertain(
    sandbox: RunningSandbox,
    bench_region: Region,
    bench_project: IdentityProject,
    person: Holder,
    verb: str,
) -> None:
    method, path, call = WRITES[verb]
    bench_region.identity.get(bench_project.external_id, timeout=SECONDS)
    with sandbox.add_fault("hang", service="identity", method=method, path=path, seconds=60):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"{__name__}.SECONDS", 0.5)
            with pytest.raises(BackendError) as excinfo:
                call(bench_region.identity, bench_project, person)
    error = excinfo.value
    assert (error.kind, error.code, error.uncertain) == (Kind.UNREACHABLE, "timeout", True)


def test_nobody_listens(tmp_path: Any, new_tag: str) -> None:
    with running_sandbox(tmp_path) as own:
        region = region_of(SandboxSite(own), "geneva")
        project = make_project(region, new_tag)
        own.stop()
        for call in (*(call for _, call in READS.values()), *(each[2] for each in WRITES.values())):
            with pytest.raises(BackendError) as excinfo:
                call(region.identity, project, Holder(HolderKind.USER, "0"))
            error = excinfo.value
            assert (error.kind, error.code, error.uncertain) == (
                Kind.UNREACHABLE, "no_connection", False,
            )  # fmt: skip


def test_assignments_of_another_shape_are_a_broken_answer(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject, person: Holder
) -> None:
    bench_region.identity.grant(bench_project.external_id, person, "member", timeout=SECONDS)
    sandbox.add_fault("wrong_json", service="identity", method="GET", path="/roles")
    with pytest.raises(BackendError) as excinfo:
        bench_region.identity.roles(bench_project.external_id, timeout=SECONDS)
    assert (excinfo.value.kind, excinfo.value.code) == (Kind.TRANSIENT, "broken_answer")
