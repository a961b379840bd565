"""That a part does not begin with the load of the part before."""

import os

import pytest

from bench.harness import rest
from bench.harness.machine import BUSY


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the machine has to do, look by look; the last for good. It has two cores."""
    found = [5.0]

    def load() -> tuple[float, float, float]:
        return (found.pop(0) if len(found) > 1 else found[0], 0.0, 0.0)

    monkeypatch.delenv(BUSY, raising=False)
    monkeypatch.setattr(os, "getloadavg", load)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    monkeypatch.setattr(rest, "LOOK_SECONDS", 0.01)
    return found


def test_it_waits_until_less_is_to_do(loads: list[float]) -> None:
    loads[:] = [5.0, 4.0, 2.0, 1.6, 1.4]

    assert rest.rest()
    assert loads == [1.4]


def test_one_that_stays_busy_is_told_and_measured(
    loads: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    loads[:] = [1.6]

    assert not rest.rest(seconds=0.05)
    assert "load 1.6 after 0.05 s; at rest is 1.5 or less" in capsys.readouterr().err


def test_one_that_may_be_busy_is_not_waited_for(
    loads: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BUSY, "1")

    assert rest.rest()
    assert loads == [5.0]
