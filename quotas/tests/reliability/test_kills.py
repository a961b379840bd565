"""A worker is killed at each single call of a change; another finishes, and nothing is wrong.

All points of a cloud are tried at once: one worker with a process for each, every one of them
held at its own point when SIGKILL comes. `after`: the service did it, and the answer never
arrives. `before`: the service has the request, and does it only when another worker has
finished: a late write.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from contrib.sandbox.bench_client import Pause
from contrib.testing.clouds import FaultySite
from portal.testing.servers import DatabaseCopy
from projects.models import Notice
from quotas.models import Delivery, Reading, Target
from quotas.queries.accounts import audit
from quotas.states import TargetState
from quotas.tests.reliability.scenes import CINDER, KEYSTONE, NOVA
from quotas.tests.reliability.steps import ANONYMOUS, STEPS, Step
from quotas.tests.reliability.works import GIBIBYTES, VCPU, Piece, Works, new_piece, working


@dataclass(frozen=True)
class Point:
    """Where the worker is killed: around this step of a change at this endpoint."""

    endpoint: str
    step: Step
    when: str

    def __str__(self) -> str:
        return f"{self.endpoint.split('-')[0]}, {self.when} {self.step.name}"


def points() -> list[Point]:
    """After each call, and before each that writes."""
    return [
        Point(endpoint, step, when)
        for endpoint, steps in STEPS.items()
        for step in steps
        for when in (("before", "after") if step.is_write else ("after",))
    ]


POINTS = points()
SAMPLE = [
    point
    for point in POINTS
    if (point.endpoint, point.step.name)
    in {(KEYSTONE, "make"), (KEYSTONE, "grant"), (NOVA, "write"), (NOVA, "read back"),
        (CINDER, "write")}
]  # fmt: skip
_MAKE = next(step for step in STEPS[KEYSTONE] if step.name == "make")


class Killing:
    """Each point with a project of its own; what was so when the worker died."""

    def __init__(self, works: Works, chosen: list[Point]) -> None:
        self.works = works
        self.pieces = {point: new_piece(works, point.endpoint) for point in chosen}
        self.pauses: dict[Point, Pause] = {}
        self.states_at_death: dict[Point, str] = {}
        self.applied_at_death: set[int] = set()
        self.late_answers: list[int | None] = []

    def happen(self) -> None:
        victim = self.works.worker("victim", len(self.pieces) + 2, is_patient=True)
        self._hold_all()
        self.works.worker("saviour", 4)
        self._note()
        victim.kill()
        for point, pause in self.pauses.items():
            if point.when == "after":
                pause.release()
        self.works.end_leases()
        self._wait_until_applied()
        self._let_late_writes_go()

    def _hold_all(self) -> None:
        """Every project at its point. What follows its making waits there until its id is known."""
        at_birth: dict[Point, Pause] = {}
        for point, piece in self.pieces.items():
            if point.step.name in ("find by tag", "make"):
                self.pauses[point] = piece.hold(point.when, point.step)
            else:
                at_birth[point] = piece.hold("after", _MAKE)
        for pause in (*self.pauses.values(), *at_birth.values()):
            pause.wait_until_held(30)
        # One at a time, with nobody else on the way: these calls do not say for whom they are.
        for point in sorted(at_birth, key=lambda each: each.step.name not in ANONYMOUS):
            self.pauses[point] = self.pieces[point].hold(point.when, point.step)
            at_birth[point].release()
            if point.step.name in ANONYMOUS:
                self.pauses[point].wait_until_held(30)
        for pause in self.pauses.values():
            pause.wait_until_held(30)

    def _note(self) -> None:
        self.states_at_death = {point: piece.target().state for point, piece in self.pieces.items()}
        applied = Delivery.objects.filter(applied_at__isnull=False)
        self.applied_at_death = set(applied.values_list("target_id", flat=True))

    def _wait_until_applied(self) -> None:
        self.works.wait_for(
            lambda: not Target.objects.exclude(state=TargetState.APPLIED).exists(),
            "all targets are applied",
        )

    def _let_late_writes_go(self) -> None:
        """Their service does them now; their answers go to nobody."""
        proxy = self.works.cloud.proxy
        held = {call["number"] for call in proxy.calls() if call["status"] is None}
        for point, pause in self.pauses.items():
            if point.when == "before":
                pause.release()

        def answers() -> list[int | None]:
            return [call["status"] for call in proxy.calls() if call["number"] in held]

        self.works.wait_for(lambda: None not in answers(), "late writes are done")
        self.late_answers = answers()


def _killing(cloud: FaultySite, copy: DatabaseCopy, chosen: list[Point]) -> Iterator[Killing]:
    with working(cloud, cloud.regions[0], copy) as works:
        killing = Killing(works, chosen)
        killing.happen()
        yield killing


@pytest.fixture(scope="module")
def killing(proxied_sandbox: FaultySite, module_database: DatabaseCopy) -> Iterator[Killing]:
    yield from _killing(proxied_sandbox, module_database, POINTS)


def check(killing: Killing, point: Point) -> None:
    """Exactly one project, right values, right roles, right states; true only once read back."""
    piece = killing.pieces[point]
    assert killing.states_at_death[point] == TargetState.LEASED
    assert piece.target().pk not in killing.applied_at_death
    (project,) = piece.in_keystone
    assert project["id"] == piece.external_id
    assert project["name"] == piece.project.name
    _check_values(piece)
    for target in Target.objects.filter(project=piece.project):
        assert target.state == TargetState.APPLIED
        assert target.applied_generation == target.generation
        assert (target.lease_token, target.error_words) == (None, "")
    _check_deliveries(piece)
    _check_writes(killing, piece)


def _check_values(piece: Piece) -> None:
    plain, people = piece.works.cloud.plain, piece.works.people
    if piece.endpoint in (KEYSTONE, NOVA):
        limits = plain.compute_limits(piece.works.region, piece.external_id)
        assert (limits["cores"], limits["ram"]) == (VCPU, 0)
    if piece.endpoint in (KEYSTONE, CINDER):
        volume_type = piece.works.cloud.volume_types[0]
        limits = plain.volume_limits(piece.works.region, piece.external_id)
        assert (limits["gigabytes"], limits[f"gigabytes_{volume_type}"]) == (
            GIBIBYTES, GIBIBYTES,
        )  # fmt: skip
    roles = plain.done("GET", "identity", "/roles")["roles"]
    member = next(role["id"] for role in roles if role["name"] == "member")
    granted = {(people["alice"], member)} if piece.endpoint == KEYSTONE else set()
    assert piece.roles() == granted


def _check_deliveries(piece: Piece) -> None:
    deliveries = piece.deliveries()
    assert len(deliveries) == (2 if piece.endpoint == KEYSTONE else 1)
    for delivery in deliveries:
        readings = Reading.objects.filter(target=delivery.target)
        assert delivery.applied_at is not None
        assert all(delivery.applied_at >= reading.read_at for reading in readings)


def _check_writes(killing: Killing, piece: Piece) -> None:
    """At most once by each of the two workers, and never another value."""
    calls = killing.works.cloud.proxy.calls()
    made = [
        call for call in calls
        if call["method"] == "POST" and piece.tag in str(call["body"]) and call["status"] == 201
    ]  # fmt: skip
    assert len(made) == 1
    puts = [call for call in calls if call["method"] == "PUT" and piece.external_id in call["path"]]
    for service in {call["service"] for call in puts}:
        bodies = [str(call["body"]) for call in puts if call["service"] == service]
        assert len(bodies) <= 2
        assert len(set(bodies)) == 1


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_worker_killed_at_a_call_leaves_one_project_and_the_right_values(
    killing: Killing, point: Point
) -> None:
    check(killing, point)


def test_late_writes_came_after_all_was_applied_and_the_second_project_was_refused(
    killing: Killing,
) -> None:
    late = [point for point in POINTS if point.when == "before"]
    assert len(killing.late_answers) == len(late) == 4
    assert killing.late_answers.count(409) == 1
    assert audit() == []


def test_who_asked_was_told_once_of_each_decision_and_by_one_letter(killing: Killing) -> None:
    killing.works.send_letters()
    for point, piece in killing.pieces.items():
        rows = Notice.objects.filter(event__project=piece.project)
        told = sorted(rows.values_list("person__subject", "event__verb"))
        opened = [("rita", "project opened")] if point.endpoint == KEYSTONE else []
        asked = "alice" if point.endpoint == KEYSTONE else "bob"
        assert told == [(asked, "approved"), *opened], point
