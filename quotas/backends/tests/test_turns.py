"""Each call of many waits for its turn, whoever makes them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from quotas.backends.deadline import Deadline, taking_turns


def test_each_call_has_its_turn_and_ends_in_time() -> None:
    seen: list[str] = []

    @contextmanager
    def turn() -> Iterator[None]:
        seen.append("in")
        yield
        seen.append("out")

    with taking_turns(turn, 0.5):
        for _call in range(2):
            with Deadline(60) as deadline:
                assert seen[-1] == "in"
                assert deadline.left() <= 0.5
    assert seen == ["in", "out", "in", "out"]
    with Deadline(60) as deadline:
        assert deadline.left() > 1
    assert len(seen) == 4


def test_no_turn_ends_the_work_and_a_failure_gives_it_back() -> None:
    held: list[int] = []

    @contextmanager
    def turn() -> Iterator[None]:
        if len(held) == 2:
            raise LookupError
        held.append(1)
        try:
            yield
        finally:
            held.append(-1)

    with taking_turns(turn, 0.5), pytest.raises(LookupError):
        with pytest.raises(OSError, match="lost"), Deadline(60):
            raise OSError("lost")
        assert sum(held) == 0
        with Deadline(60):
            pass
