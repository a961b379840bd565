"""How each sort of failure arrives, on the sandbox's fault bench."""

import threading
import time
from typing import Any

import pytest

from contrib.sandbox.control import RunningSandbox, running_sandbox
from contrib.testing.clouds import SandboxSite
from quotas.backends import BackendError, Figure, IdentityProject, Kind
from quotas.backends.openstack import forget
from quotas.backends.tests.conftest import TIMEOUT, Region, make_project, region_of


@pytest.fixture(autouse=True)
def _quiet_bench(sandbox: RunningSandbox) -> None:
    """Every test starts and ends without faults."""


def write_fails(region: Region, project: IdentityProject, *, timeout: float = 5.0) -> BackendError:
    with pytest.raises(BackendError) as excinfo:
        region.nova.write(project.external_id, {"cores": 33}, timeout=timeout)
    return excinfo.value


def read_fails(region: Region, project: IdentityProject) -> BackendError:
    with pytest.raises(BackendError) as excinfo:
        region.nova.read(project.external_id, timeout=5.0)
    return excinfo.value


def cores(region: Region, project: IdentityProject) -> int | None:
    return region.nova.read(project.external_id, ["cores"], timeout=5.0)["cores"].limit


STATUSES = [
    (400, Kind.REFUSED, "bad_request", False),
    (401, Kind.REFUSED, "credentials", False),
    (403, Kind.REFUSED, "forbidden", False),
    (404, Kind.REFUSED, "not_found", False),
    (406, Kind.TRANSIENT, "version", False),
    (409, Kind.TRANSIENT, "conflict", False),
    (413, Kind.TRANSIENT, "rate_limited", False),
    (418, Kind.REFUSED, "unexpected", False),
    (429, Kind.TRANSIENT, "rate_limited", False),
    (301, Kind.REFUSED, "unexpected", False),
    (500, Kind.TRANSIENT, "server_error", True),
    (502, Kind.TRANSIENT, "unavailable", True),
    (503, Kind.TRANSIENT, "unavailable", True),
    (504, Kind.TRANSIENT, "unavailable", True),
]


@pytest.mark.parametrize(("status", "kind", "code", "uncertain"), STATUSES)
def test_a_status_is_sorted_with_the_words_of_the_service(
    sandbox: RunningSandbox,
    bench_region: Region,
    bench_project: IdentityProject,
    status: int,
    kind: Kind,
    code: str,
    uncertain: bool,
) -> None:
    words = f"Because of {status}."
    sandbox.add_fault("status", service="compute", method="PUT", status=status, message=words)
    error = write_fails(bench_region, bench_project)
    assert (error.kind, error.code, error.http_status, error.words, error.uncertain) == (
        kind,
        code,
        status,
        words,
        uncertain,
    )


def test_a_service_that_could_not_say_its_versions_is_asked_for_them_again(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    service = bench_region.nova._service

    def known_keys() -> Any:
        path = f"/os-quota-sets/{bench_project.external_id}"
        return service.call("GET", path, timeout=5.0)["quota_set"]

    forget(service.config)
    # A key of the first version, which is spoken where none is asked for.
    with sandbox.add_fault("status", service="compute", path=r"^(?!.*os-quota-sets)", status=503):
        assert "fixed_ips" in known_keys()
    assert "fixed_ips" not in known_keys()


def test_the_client_library_does_not_try_again(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    bench_region.nova.read(bench_project.external_id, timeout=5.0)
    for kind, more in (("status", {"status": 503}), ("drop", {}), ("half_body", {})):
        sandbox.reset()
        sandbox.add_fault(kind, service="compute", method="PUT", **more)
        write_fails(bench_region, bench_project)
        assert len(sandbox.calls(service="compute", method="PUT")) == 1


def test_retry_after_is_kept(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    sandbox.add_fault("status", service="compute", method="GET", status=429, retry_after=17)
    assert read_fails(bench_region, bench_project).retry_after == 17


def test_a_read_is_never_uncertain(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    for kind in ("drop", "half_body", "not_json", "wrong_json"):
        sandbox.reset()
        sandbox.add_fault(kind, service="compute", method="GET", path="detail")
        assert not read_fails(bench_region, bench_project).uncertain


CUT = [
    ("drop", Kind.UNREACHABLE, "dropped", False),
    ("drop_after", Kind.UNREACHABLE, "dropped", True),
    ("half_body", Kind.TRANSIENT, "broken_answer", True),
    ("not_json", Kind.TRANSIENT, "broken_answer", False),
    ("wrong_json", Kind.TRANSIENT, "broken_answer", False),
]


@pytest.mark.parametrize(("fault", "kind", "code", "happened"), CUT)
def test_a_write_whose_answer_is_lost_is_uncertain(
    sandbox: RunningSandbox,
    bench_region: Region,
    bench_project: IdentityProject,
    fault: str,
    kind: Kind,
    code: str,
    happened: bool,
) -> None:
    sandbox.add_fault(fault, service="compute", method="PUT", count=1)
    error = write_fails(bench_region, bench_project)
    assert (error.kind, error.code, error.uncertain) == (kind, code, True)
    assert cores(bench_region, bench_project) == (33 if happened else 20)


@pytest.mark.parametrize("fault", ["hang", "drip", "slow"])
def test_a_call_ends_on_time_whatever_the_service_does(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject, fault: str
) -> None:
    bench_region.nova.read(bench_project.external_id, timeout=5.0)
    # Dripping resets the timeout of every read of the socket; only a clock ends it.
    seconds = 0.1 if fault == "drip" else 60
    with sandbox.add_fault(fault, service="compute", method="PUT", seconds=seconds):
        error = write_fails(bench_region, bench_project, timeout=0.4)
    assert (error.kind, error.code, error.uncertain) == (Kind.UNREACHABLE, "timeout", True)


def test_nothing_is_sent_once_the_time_is_over(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    """Signing in may use up the time; then the write must not leave."""
    bench_region.nova.read(bench_project.external_id, timeout=5.0)
    sandbox.expire_tokens()
    sandbox.forget_calls()
    with sandbox.pause(service="identity", path="/auth/tokens") as pause:
        error = write_fails(bench_region, bench_project, timeout=0.4)
        pause.wait_until_held()
    assert (error.kind, error.code) == (Kind.UNREACHABLE, "timeout")
    assert cores(bench_region, bench_project) == 20
    # One that was answered with 401, and none after signing in.
    assert [call["status"] for call in sandbox.calls(method="PUT")] == [401]


def test_a_token_that_ran_out_is_fetched_once(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    bench_region.nova.read(bench_project.external_id, timeout=5.0)
    sandbox.expire_tokens()
    sandbox.forget_calls()
    bench_region.nova.write(bench_project.external_id, {"cores": 7}, timeout=5.0)
    assert [(call["method"], call["status"]) for call in sandbox.calls()] == [
        ("PUT", 401),
        ("POST", 201),
        ("PUT", 200),
    ]
    assert cores(bench_region, bench_project) == 7


def test_a_token_that_is_refused_twice_is_the_end(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    sandbox.add_fault("status", service="compute", method="PUT", status=401)
    assert write_fails(bench_region, bench_project).code == "credentials"
    assert len(sandbox.calls(method="PUT")) == 2


def test_an_identity_service_in_trouble_is_sorted_like_the_others(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    for fault, kind, code in (
        ({"kind": "status", "status": 503}, Kind.TRANSIENT, "unavailable"),
        ({"kind": "not_json"}, Kind.TRANSIENT, "broken_answer"),
        ({"kind": "wrong_json"}, Kind.TRANSIENT, "broken_answer"),
        ({"kind": "half_body"}, Kind.TRANSIENT, "broken_answer"),
        ({"kind": "drop"}, Kind.UNREACHABLE, "dropped"),
    ):
        sandbox.reset()
        sandbox.expire_tokens()
        sandbox.add_fault(service="identity", path="/auth/tokens", **fault)
        error = write_fails(bench_region, bench_project)
        assert (error.kind, error.code, error.uncertain) == (kind, code, False), fault


def test_a_yes_that_changes_nothing_is_seen_by_reading_back(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    """What Nova with unified limits does."""
    sandbox.add_fault("ignore", service="compute", method="PUT")
    bench_region.nova.write(bench_project.external_id, {"cores": 7}, timeout=5.0)
    assert cores(bench_region, bench_project) == 20


def test_figures_that_are_no_numbers_are_a_broken_answer(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    sandbox.add_fault("wrong_json", service="volume", method="GET")
    with pytest.raises(BackendError) as excinfo:
        bench_region.cinder.read(bench_project.external_id, timeout=5.0)
    assert (excinfo.value.kind, excinfo.value.code) == (Kind.TRANSIENT, "broken_answer")
    assert excinfo.value.words.startswith("not the answer of this API: {'welcome'")


def test_reservations_are_read_and_count_towards_the_floor(
    sandbox: RunningSandbox, bench_region: Region, bench_project: IdentityProject
) -> None:
    sandbox.set_usage(
        bench_project.external_id, "geneva", "compute", {"cores": 4}, reserved={"cores": 2}
    )
    found = bench_region.nova.read(bench_project.external_id, ["cores"], timeout=5.0)
    assert found == {"cores": Figure(20, 4, 2)}
    assert found["cores"].floor == 6


def test_nothing_listens(tmp_path: Any, new_tag: str) -> None:
    with running_sandbox(tmp_path) as own:
        region = region_of(SandboxSite(own), "geneva")
        project = make_project(region, new_tag)
        region.nova.read(project.external_id, timeout=5.0)
        own.stop()
        error = write_fails(region, project)
        assert (error.kind, error.code, error.uncertain) == (
            Kind.UNREACHABLE,
            "no_connection",
            False,
        )
        assert error.words == "compute of sandbox geneva: Connection refused"
        own.start()
        # The sandbox forgot all tokens and kept the project.
        region.nova.write(project.external_id, {"cores": 7}, timeout=5.0)
        assert cores(region, project) == 7


def test_two_at_once_make_one_project(
    sandbox: RunningSandbox, sandbox_site: SandboxSite, bench_region: Region, new_tag: str
) -> None:
    """Both find nothing, both create; the second finds what the first made."""
    made: list[IdentityProject] = []

    def ensure() -> None:
        made.append(
            bench_region.identity.ensure(
                name=new_tag[-12:], description="", tag=new_tag, timeout=TIMEOUT
            )
        )

    threads = [threading.Thread(target=ensure) for _ in range(2)]
    with sandbox.pause(service="identity", method="POST", path="/projects") as pause:
        for thread in threads:
            thread.start()
        pause.wait_until_held(count=2)
    for thread in threads:
        thread.join(TIMEOUT)
    assert made[0] == made[1]
    assert len(sandbox_site.plain.projects_with(new_tag)) == 1


def test_a_create_that_comes_late_leaves_one(
    sandbox: RunningSandbox, sandbox_site: SandboxSite, bench_region: Region, new_tag: str
) -> None:
    """A killed worker's call lands after another found nothing and before it creates."""
    name, made = new_tag[-12:], []
    ask = {"name": name, "description": "", "tag": new_tag, "timeout": TIMEOUT}
    late = {"project": {"name": name, "tags": [new_tag], "domain_id": "default"}}
    thread = threading.Thread(target=lambda: made.append(bench_region.identity.ensure(**ask)))  # type: ignore[arg-type]  # by name
    with sandbox.pause(service="identity", method="POST", path="/projects", count=1) as pause:
        thread.start()
        pause.wait_until_held()
        first = sandbox_site.plain.done("POST", "identity", "/projects", late)["project"]["id"]
    thread.join(TIMEOUT)
    assert [each.external_id for each in made] == [first]
    assert [row["id"] for row in sandbox_site.plain.projects_with(new_tag)] == [first]


def test_a_create_whose_answer_was_lost_is_found_again(
    sandbox: RunningSandbox, sandbox_site: SandboxSite, bench_region: Region, new_tag: str
) -> None:
    sandbox.add_fault("drop_after", service="identity", method="POST", path="/projects", count=1)
    ask = {"name": new_tag[-12:], "description": "", "tag": new_tag, "timeout": 5.0}
    with pytest.raises(BackendError) as excinfo:
        bench_region.identity.ensure(**ask)  # type: ignore[arg-type]  # by name
    assert (excinfo.value.code, excinfo.value.uncertain) == ("dropped", True)
    found = bench_region.identity.ensure(**ask)  # type: ignore[arg-type]  # by name
    rows = sandbox_site.plain.projects_with(new_tag)
    assert [row["id"] for row in rows] == [found.external_id]


def test_all_of_ensure_is_bounded_by_one_timeout(
    sandbox: RunningSandbox, bench_region: Region, new_tag: str
) -> None:
    bench_region.identity.find(new_tag, timeout=5.0)
    sandbox.set_latency("identity", 0.4)
    began = time.monotonic()
    with pytest.raises(BackendError) as excinfo:
        bench_region.identity.ensure(name=new_tag[-12:], description="", tag=new_tag, timeout=0.6)
    assert excinfo.value.code == "timeout"
    # Three calls with a timeout each would take 0.8 s and succeed.
    assert time.monotonic() - began < 5
