"""What tests leave in a Keystone that others use goes, and what others made stays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contrib.sandbox.control import RunningSandbox, running_sandbox
from contrib.testing.leftovers import Leftovers
from contrib.testing.plain import PlainClient


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RunningSandbox]:
    with running_sandbox(tmp_path) as sandbox:
        yield sandbox


@pytest.fixture
def plain(own: RunningSandbox) -> PlainClient:
    return PlainClient(own.clouds_yaml, "sandbox")


@pytest.fixture
def leftovers(own: RunningSandbox, tmp_path: Path) -> Leftovers:
    return Leftovers(tmp_path / "note", own.clouds_yaml, "sandbox")


def make(plain: PlainClient, *names: str) -> None:
    for name in names:
        body = {"project": {"name": name, "domain_id": "default"}}
        plain.done("POST", "identity", "/projects", body)


def names(plain: PlainClient) -> set[str]:
    return {row["name"] for row in plain.projects()}


def test_only_what_came_since_and_is_named_as_by_a_test_is_deleted(
    plain: PlainClient, leftovers: Leftovers
) -> None:
    make(plain, "p-0123456789ab")
    leftovers.remember()
    make(plain, "atlas-89abcdef01", "telescope")
    leftovers.clear()
    assert names(plain) == {"admin", "p-0123456789ab", "telescope"}


def test_what_a_killed_run_left_goes_with_the_next(
    plain: PlainClient, leftovers: Leftovers
) -> None:
    leftovers.remember()
    make(plain, "p-0123456789ab")
    leftovers.remember()
    leftovers.clear()
    assert names(plain) == {"admin"}
    make(plain, "p-0123456789ab")
    leftovers.remember()
    leftovers.clear()
    assert names(plain) == {"admin", "p-0123456789ab"}


def test_one_that_stays_is_a_warning_and_the_next_runs(
    own: RunningSandbox, plain: PlainClient, leftovers: Leftovers
) -> None:
    leftovers.remember()
    make(plain, "p-0123456789ab", "p-1123456789ab")
    own.add_fault(
        "status", service="identity", method="DELETE", status=500, message="busy", count=1
    )
    with pytest.warns(UserWarning, match=r"are left in Keystone. 1 of 2, the first: p-.*busy"):
        leftovers.clear()
    assert len(names(plain)) == 2
    leftovers.remember()
    leftovers.clear()
    assert names(plain) == {"admin"}


def test_a_keystone_that_deletes_none_is_an_error(
    own: RunningSandbox, plain: PlainClient, leftovers: Leftovers
) -> None:
    leftovers.remember()
    make(plain, "p-0123456789ab")
    own.add_fault("status", service="identity", method="DELETE", status=403, message="no")
    with pytest.raises(RuntimeError, match="deletes none of 1 projects of tests: p-0123456789ab"):
        leftovers.clear()


def test_a_keystone_that_is_away_is_a_warning(own: RunningSandbox, leftovers: Leftovers) -> None:
    leftovers.remember()
    own.stop()
    with pytest.warns(UserWarning, match="Keystone could not be asked"):
        leftovers.clear()
