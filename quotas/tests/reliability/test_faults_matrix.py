"""Twelve faults at each step of a change: the right end, nothing lost, doubled or falsely true.

`ENDS` is the matrix. Each cell grants a change, meets its fault once at exactly that step,
and then goes on without it.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from contrib.sandbox.bench_client import Fault
from portal.testing.waiting import wait_until
from quotas.models import ProjectHandle
from quotas.states import EndpointState, ErrorKind, TargetState
from quotas.tests.reliability.scenes import CINDER, KEYSTONE, NOVA, Scene
from quotas.tests.site import GIB
from quotas.tests.test_decide import ask, grant

TRANSIENT, REFUSED, UNREACHABLE = ErrorKind.TRANSIENT, ErrorKind.REFUSED, ErrorKind.UNREACHABLE
GRANTED = 64

FAULTS: dict[str, dict[str, Any]] = {
    "connection refused": {"kind": "refuse"},
    "hang": {"kind": "hang"},
    "slow": {"kind": "slow", "seconds": 0.3},
    "401 expired token": {"kind": "expired"},
    "403": {"kind": "status", "status": 403, "message": "Policy says no."},
    "404 project": {"kind": "status", "status": 404, "message": "Project could not be found."},
    "409": {"kind": "status", "status": 409, "message": "Somebody else was quicker."},
    "429": {"kind": "status", "status": 429, "message": "Too many.", "retry_after": 1},
    "500": {"kind": "status", "status": 500, "message": "Unexpected API Error."},
    "503": {"kind": "status", "status": 503, "message": "Back in a minute."},
    "half-written body": {"kind": "half_body"},
    "wrong JSON": {"kind": "wrong_json"},
}
STEPS = ("read", "write", "read-back")


@dataclass(frozen=True)
class End:
    """How an attempt ends: the target's state, the error's kind, code and words; whether the
    cloud has the new value by then, and how many writes it takes until all is well."""

    state: str
    kind: str = ""
    code: str = ""
    words: str = ""
    is_written: bool = False
    writes: int = 1


def retrying(code: str, words: str, kind: str = TRANSIENT) -> dict[str, End]:
    """Nothing was done, or it was done before: the next try finds out."""
    return {
        "read": End(TargetState.RETRYING, kind, code, words),
        "write": End(TargetState.RETRYING, kind, code, words, writes=2),
        "read-back": End(TargetState.RETRYING, kind, code, words, is_written=True),
    }


def uncertain(
    code: str, words: str, kind: str = TRANSIENT, *, is_written: bool = False
) -> dict[str, End]:
    """The same, but a write may have happened, or may yet: it is read one lease later."""
    write = End(
        TargetState.DIRTY, kind, code, words, is_written=is_written, writes=1 if is_written else 2
    )
    return retrying(code, words, kind) | {"write": write}


def refused(code: str, words: str) -> dict[str, End]:
    return {
        "read": End(TargetState.REFUSED, REFUSED, code, words),
        "write": End(TargetState.REFUSED, REFUSED, code, words, writes=2),
        "read-back": End(TargetState.REFUSED, REFUSED, code, words, is_written=True),
    }


def applied(*, writes: int = 1) -> dict[str, End]:
    """The fault delayed it, no more; `writes` counts those that the service turned away."""
    end = End(TargetState.APPLIED, is_written=True)
    return {
        "read": end,
        "write": End(TargetState.APPLIED, is_written=True, writes=writes),
        "read-back": end,
    }


ENDS = {
    # Where nobody listens nothing can have happened: no need to wait for what might yet come.
    "connection refused": {
        **retrying("no_connection", "Connection refused", UNREACHABLE),
        "write": End(
            TargetState.RETRYING, UNREACHABLE, "no_connection", "Connection refused"
        ),
    },
    "hang": uncertain("timeout", "did not answer in time", UNREACHABLE),
    "slow": applied(),
    "401 expired token": applied(writes=2),
    "403": refused("forbidden", "Policy says no."),
    "404 project": refused("not_found", "Project could not be found."),
    "409": retrying("conflict", "Somebody else was quicker."),
    "429": retrying("rate_limited", "Too many."),
    "500": uncertain("server_error", "Unexpected API Error."),
    "503": uncertain("unavailable", "Back in a minute."),
    "half-written body": uncertain("broken_answer", "broke off", is_written=True),
    "wrong JSON": uncertain("broken_answer", "not the answer of this API"),
}  # fmt: skip
CELLS = [(fault, step) for fault in FAULTS for step in STEPS]
# On real services: faults that act there, that prevent the act, and that are cut from it.
SAMPLE = [
    ("connection refused", "write"),
    ("hang", "write"),
    ("401 expired token", "write"),
    ("503", "read-back"),
    ("half-written body", "write"),
    ("wrong JSON", "read"),
]


def inject(scene: Scene, fault: str, step: str) -> Fault:
    """The fault, once, at this step of the next attempt at Nova."""
    place = {"service": "compute", "region": scene.region, "path": "/os-quota-sets/"}
    more = FAULTS[fault]
    if more["kind"] == "refuse":
        return scene.cloud.proxy.add_fault(**more, **place, skip=STEPS.index(step))
    method = "PUT" if step == "write" else "GET"
    return scene.cloud.proxy.add_fault(
        **more, **place, method=method, skip=int(step == "read-back"), count=1
    )


def check_cell(scene: Scene, fault: str, step: str) -> None:
    end = ENDS[fault][step]
    space = scene.site.space
    grant(scene.site, ask(scene.site, {scene.site.vcpu.slug: GRANTED, space.slug: 10 * GIB}))
    injected = inject(scene, fault, step)
    assert scene.work(NOVA) == end.state
    target = scene.target(NOVA)
    assert (target.error_kind, target.error_code) == (end.kind, end.code)
    assert end.words in target.error_words
    is_applied = end.state == TargetState.APPLIED
    assert (scene.delivery(NOVA).applied_at is not None) == is_applied
    assert (target.applied_generation == target.generation) == is_applied
    assert scene.cores() == (GRANTED if end.is_written else 0)
    check_others_unharmed(scene)
    injected.remove()
    check_it_comes_true(scene, end.writes)


def check_others_unharmed(scene: Scene) -> None:
    """Cinder of the same project goes on, and nothing is held against it or Keystone."""
    assert scene.work(CINDER) == TargetState.APPLIED
    assert scene.delivery(CINDER).applied_at is not None
    assert scene.space() == 10
    for slug in (CINDER, KEYSTONE):
        endpoint = scene.endpoint(slug)
        assert (endpoint.state, endpoint.failure_count) == (EndpointState.OPEN, 0)


def check_it_comes_true(scene: Scene, writes: int) -> None:
    def attempt() -> bool:
        scene.let_time_pass()
        return scene.work(NOVA) == TargetState.APPLIED

    wait_until(attempt, 10, "applied once the fault is gone")
    target, delivery = scene.target(NOVA), scene.delivery(NOVA)
    assert target.applied_generation == target.generation
    assert (target.error_code, target.error_words, target.failure_count) == ("", "", 0)
    assert delivery.applied_at is not None
    assert scene.cores() == GRANTED
    assert scene.puts() == [{"quota_set": {"cores": GRANTED}}] * writes
    endpoint = scene.endpoint(NOVA)
    assert (endpoint.state, endpoint.failure_count) == (EndpointState.OPEN, 0)


@pytest.mark.parametrize(("fault", "step"), CELLS)
def test_a_fault_at_a_step_of_a_change(scene: Scene, fault: str, step: str) -> None:
    check_cell(scene, fault, step)


@pytest.mark.needs("openstack")
@pytest.mark.parametrize(("fault", "step"), SAMPLE)
def test_a_fault_before_real_services(real_scene: Scene, fault: str, step: str) -> None:
    check_cell(real_scene, fault, step)


def test_the_matrix_is_complete() -> None:
    assert len(CELLS) == 36
    assert [list(ends) for ends in ENDS.values()] == [list(STEPS)] * len(FAULTS)


# --- Three faults on each other driver -------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("503", End(TargetState.DIRTY, TRANSIENT, "unavailable", "Back in a minute.")),
        ("half-written body", End(TargetState.DIRTY, TRANSIENT, "broken_answer", "broke off")),
        ("403", End(TargetState.REFUSED, REFUSED, "forbidden", "Policy says no.")),
    ],
)
def test_a_fault_while_a_project_is_made(bare: Scene, fault: str, end: End) -> None:
    match: dict[str, Any] = {
        "service": "identity",
        "method": "POST",
        "path": "/projects$",
        "count": 1,
    }
    with bare.cloud.proxy.add_fault(**FAULTS[fault], **match):
        assert bare.work(KEYSTONE) == end.state
    target = bare.target(KEYSTONE)
    assert (target.error_kind, target.error_code) == (end.kind, end.code)
    assert end.words in target.error_words
    assert not ProjectHandle.objects.exists()
    assert bare.work(NOVA) == TargetState.WAITING
    assert bare.target(NOVA).failure_count == 0
    bare.let_time_pass()
    assert bare.work(KEYSTONE) == TargetState.APPLIED
    (found,) = bare.cloud.plain.projects_with(bare.site.project.tag)
    assert found["id"] == bare.external_id
    assert bare.work(NOVA) == TargetState.APPLIED


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("hang", End(TargetState.DIRTY, UNREACHABLE, "timeout", "did not answer", writes=2)),
        ("half-written body",
         End(TargetState.DIRTY, TRANSIENT, "broken_answer", "broke off", is_written=True)),
        ("409", End(TargetState.RETRYING, TRANSIENT, "conflict", "quicker", writes=2)),
    ],
)  # fmt: skip
def test_a_fault_while_volume_limits_are_written(scene: Scene, fault: str, end: End) -> None:
    grant(scene.site, ask(scene.site, {scene.site.vcpu.slug: 5, scene.site.space.slug: 10 * GIB}))
    match: dict[str, Any] = {
        "service": "volume",
        "region": scene.region,
        "method": "PUT",
        "count": 1,
    }
    with scene.cloud.proxy.add_fault(**FAULTS[fault], **match):
        assert scene.work(CINDER) == end.state
    target = scene.target(CINDER)
    assert (target.error_kind, target.error_code) == (end.kind, end.code)
    assert end.words in target.error_words
    assert scene.delivery(CINDER).applied_at is None
    assert scene.space() == (10 if end.is_written else 0)
    assert scene.work(NOVA) == TargetState.APPLIED
    assert scene.cores() == 5
    scene.let_time_pass()
    assert scene.work(CINDER) == TargetState.APPLIED
    assert scene.delivery(CINDER).applied_at is not None
    assert scene.space() == 10
    assert len(scene.puts("volume")) == end.writes
