"""A worker is stopped in the middle of a change and goes on after another took over.

Nothing that people read says *applied* while it is not so, and the true value is there in
the end. `Watcher` looks at rows and cloud all the time.
"""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from contrib.sandbox.bench_client import Pause
from contrib.testing.clouds import FaultySite
from portal.lib.servers.process import Child
from portal.testing.servers import DatabaseCopy
from quotas.states import TargetState
from quotas.tests.reliability.scenes import NOVA
from quotas.tests.reliability.steps import STEPS, Step
from quotas.tests.reliability.watcher import Watcher
from quotas.tests.reliability.works import VCPU, Piece, Works, new_piece, working

READ, WRITE = (
    next(step for step in STEPS[NOVA] if step.name == name) for name in ("read", "write")
)
# What is granted one after the other; the first is VCPU.
SECOND, THIRD = 24, 32
# Of the seconds that a lost lease is waited for, so many are left when a late write lands.
AFTERMATH = timedelta(seconds=3)


@pytest.fixture(scope="module")
def works(proxied_sandbox: FaultySite, module_database: DatabaseCopy) -> Iterator[Works]:
    with working(proxied_sandbox, proxied_sandbox.regions[0], module_database) as found:
        yield found


class Crew:
    """Workers that do one thing at a time: the first is stopped, the second takes over."""

    def __init__(self, works: Works) -> None:
        self._works = works
        self._first: Child | None = None
        self._second: Child | None = None

    def first(self, *, is_patient: bool = False) -> Child:
        """The second of the test before, as starting one takes seconds; a patient one is new."""
        if is_patient and self._second is not None:
            self._second.kill()
            self._second = None
        self._first = self._second or self._works.worker("victim", 1, is_patient=is_patient)
        self._second = None
        return self._first

    def second(self) -> None:
        self._second = self._works.worker("saviour", 1)

    def relieve(self) -> None:
        """Whoever was stopped has done its part."""
        if self._first is not None:
            self._first.kill()


@pytest.fixture(scope="module")
def all_workers(works: Works) -> Crew:
    return Crew(works)


@pytest.fixture
def crew(all_workers: Crew) -> Iterator[Crew]:
    yield all_workers
    all_workers.relieve()


def standing(works: Works) -> Piece:
    """Its project is there and its first grant applied."""
    piece = new_piece(works, NOVA)
    wait_for_applied(piece)
    assert piece.cores() == VCPU
    return piece


def grant(piece: Piece, amount: int) -> None:
    piece.grant(piece.works.site.vcpu, amount)


def wait_for_applied(piece: Piece) -> None:
    def is_applied() -> bool:
        target = piece.target()
        return target.state == TargetState.APPLIED and piece.deliveries()[-1].applied_at is not None

    piece.works.wait_for(is_applied, "applied")


def wait_for_takeover(piece: Piece) -> None:
    """The stopped worker's lease is over, and nobody was told otherwise."""
    piece.works.wait_for(lambda: piece.target().state == TargetState.DIRTY, "the lease is over")


def wait_within_the_aftermath(piece: Piece) -> None:
    """A while into the time in which the lost lease's calls may still have effect; and if
    there were no such time: until another has called the target applied."""

    def is_within() -> bool:
        target = piece.target()
        if target.dirty_until is None:
            return target.applied_generation == target.generation
        return target.dirty_until - timezone.now() < AFTERMATH

    piece.works.wait_for(is_within, "the lease was over for a while")


def stop_at(piece: Piece, worker: Child, when: str, step: Step) -> Pause:
    """Stop the worker while this step of the second grant is held."""
    pause = piece.hold(when, step)
    grant(piece, SECOND)
    pause.wait_until_held(30)
    worker.suspend()
    return pause


def written(piece: Piece) -> list[int]:
    """The values that came to Nova for the project, in order."""
    calls = piece.works.cloud.proxy.calls(service="compute", method="PUT")
    return [
        call["body"]["quota_set"]["cores"] for call in calls if piece.external_id in call["path"]
    ]


@pytest.mark.parametrize("is_patient", [False, True], ids=["by its clock", "by the database"])
def test_a_worker_stopped_between_read_and_write_does_not_write_when_it_goes_on(
    works: Works, crew: Crew, is_patient: bool
) -> None:
    # A patient one believes that its lease and its call have minutes left: the database's
    # word alone keeps it from writing.
    first = crew.first(is_patient=is_patient)
    piece = standing(works)
    with Watcher(piece):
        pause = stop_at(piece, first, "after", READ)
        pause.release()  # the answer is there; nobody reads it
        if is_patient:
            works.end_leases()
        crew.second()
        wait_for_takeover(piece)
        grant(piece, THIRD)
        wait_for_applied(piece)
        assert written(piece) == [VCPU, THIRD]
        first.resume()
        # It found out, and asks for another reading all the same.
        works.wait_for(lambda: piece.target().state == TargetState.DIRTY, "its word is heard")
        works.let_time_pass()
        wait_for_applied(piece)
    assert written(piece) == [VCPU, THIRD]
    assert piece.cores() == THIRD


@pytest.mark.parametrize("goes_on", [True, False], ids=["goes on", "never comes back"])
def test_a_write_that_lands_after_its_lease_is_read_before_anything_is_called_applied(
    works: Works, crew: Crew, goes_on: bool
) -> None:
    first = crew.first()
    piece = standing(works)
    with Watcher(piece):
        pause = stop_at(piece, first, "before", WRITE)
        crew.second()
        wait_for_takeover(piece)
        grant(piece, THIRD)
        wait_within_the_aftermath(piece)
        pause.release()
        works.wait_for(lambda: piece.cores() == SECOND, "the old write is done")
        if goes_on:
            first.resume()
        wait_for_applied(piece)
        assert piece.cores() == THIRD
    assert written(piece) == [VCPU, SECOND, THIRD]


def test_a_write_that_lands_between_anothers_write_and_its_reading_back_is_mended(
    works: Works, crew: Crew
) -> None:
    first = crew.first()
    piece = standing(works)
    with Watcher(piece):
        old = stop_at(piece, first, "before", WRITE)
        wait_for_new = piece.hold("after", WRITE)
        crew.second()
        wait_for_takeover(piece)
        grant(piece, THIRD)
        wait_for_new.wait_until_held(30)
        old.release()
        works.wait_for(lambda: piece.cores() == SECOND, "the old write is done")
        wait_for_new.release()
        wait_for_applied(piece)
    assert piece.cores() == THIRD


def test_a_write_that_lands_later_than_any_lease_is_mended_when_its_worker_goes_on(
    works: Works, crew: Crew
) -> None:
    # What nobody can know: the service kept a request for longer than two leases. The word
    # of its worker is what leads to a reading, or else the next sweep for drift.
    first = crew.first()
    piece = standing(works)
    pause = stop_at(piece, first, "before", WRITE)
    crew.second()
    wait_for_takeover(piece)
    grant(piece, THIRD)
    wait_for_applied(piece)
    pause.release()
    works.wait_for(lambda: piece.cores() == SECOND, "the old write is done")
    first.resume()
    works.wait_for(lambda: piece.cores() == THIRD, "the true value is back")
    wait_for_applied(piece)
