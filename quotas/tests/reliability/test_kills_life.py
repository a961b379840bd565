"""As test_kills, for what a standing project goes through: somebody leaves, a pause, the end.

A worker is killed at each call of it in Keystone; another finishes: right roles, disabled by us,
gone where it is to be gone, and nothing done twice with another outcome.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from contrib.sandbox.bench_client import Pause
from contrib.testing.clouds import FaultySite
from portal.testing.servers import DatabaseCopy
from projects.models import Notice
from quotas.actions import lives
from quotas.actions.emptying import end_countdowns
from quotas.actions.members import set_member
from quotas.models import Delivery, Endpoint, ProjectHandle, RoleGrant, Target
from quotas.states import TargetState
from quotas.tests.reliability.scenes import KEYSTONE
from quotas.tests.reliability.steps import Step
from quotas.tests.reliability.works import Piece, Works, new_piece, working
from quotas.tests.site import NOW

LATER = NOW + timedelta(hours=1)
OPTIONS = {"roles": {"owner": ["member"], "reader": ["reader"]}, "delete_closed": True}

_ASK, _ROLES = "/projects/{id}$", r"/role_assignments\?.*{id}"
_TAKE_BACK = Step("take back", "identity", "DELETE", "/projects/{id}/users/.*/roles/")
_DISABLE = Step("disable", "identity", "PATCH", _ASK)
STEPS = {
    "leave": [
        Step("ask", "identity", "GET", _ASK),
        Step("read roles", "identity", "GET", _ROLES),
        _TAKE_BACK,
        Step("read roles back", "identity", "GET", _ROLES, nth=1),
    ],
    "suspend": [_DISABLE, Step("read back", "identity", "GET", _ASK, nth=1)],
    "close": [
        _DISABLE,
        _TAKE_BACK,
        Step("delete", "identity", "DELETE", _ASK),
        Step("ask whether it is gone", "identity", "GET", _ASK, nth=2),
    ],
}


@dataclass(frozen=True)
class Point:
    act: str
    step: Step
    when: str

    def __str__(self) -> str:
        return f"{self.act}, {self.when} {self.step.name}"


POINTS = [
    Point(act, step, when)
    for act, steps in STEPS.items()
    for step in steps
    for when in (("before", "after") if step.is_write else ("after",))
]


def _leave(piece: Piece) -> None:
    site = piece.works.site
    set_member(project=piece.project, user=site.rita, role=None, actor=site.alice, now=LATER)


def _suspend(piece: Piece) -> None:
    lives.suspend(project=piece.project, reason="to see", actor=piece.works.site.otto, now=LATER)


def _close(piece: Piece) -> None:
    """Alice closes it, and its countdown is over: all goes back. Its limits are test_kills'."""
    limits = Target.objects.filter(project=piece.project, endpoint__identity__isnull=False)
    Delivery.objects.filter(target__in=limits).delete()
    limits.delete()
    lives.close(project=piece.project, actor=piece.works.site.alice, now=LATER)
    end_countdowns(LATER + timedelta(days=20))


ACTS: dict[str, Callable[[Piece], None]] = {
    "leave": _leave, "suspend": _suspend, "close": _close
}  # fmt: skip


class Killing:
    """Each point with a standing project of its own; what was so when the worker died."""

    def __init__(self, works: Works, chosen: list[Point]) -> None:
        self.works = works
        Endpoint.objects.filter(slug=KEYSTONE).update(options=OPTIONS)
        self.pieces = {point: new_piece(works, KEYSTONE) for point in chosen}
        self.states_at_death: dict[Point, str] = {}
        self.ids: dict[Point, str] = {}

    def happen(self) -> None:
        builder = self.works.worker("builder", 4)
        self._wait_until_applied()
        builder.kill()
        self.ids = {point: piece.external_id for point, piece in self.pieces.items()}
        pauses = {point: piece.hold(point.when, point.step) for point, piece in self.pieces.items()}
        for point, piece in self.pieces.items():
            ACTS[point.act](piece)
        victim = self.works.worker("victim", len(self.pieces) + 2, is_patient=True)
        for pause in pauses.values():
            pause.wait_until_held(90)
        self.works.worker("saviour", 4)
        self.states_at_death = {point: piece.target().state for point, piece in self.pieces.items()}
        victim.kill()
        self._release(pauses, "after")
        self.works.end_leases()
        self._wait_until_applied()
        self._release(pauses, "before")
        proxy = self.works.cloud.proxy
        self.works.wait_for(
            lambda: all(call["status"] is not None for call in proxy.calls()),
            "late writes are done",
        )

    def _release(self, pauses: dict[Point, Pause], when: str) -> None:
        for point, pause in pauses.items():
            if point.when == when:
                pause.release()

    def _wait_until_applied(self) -> None:
        self.works.wait_for(
            lambda: not Target.objects.exclude(state=TargetState.APPLIED).exists(),
            "all targets are applied",
        )


def _killing(cloud: FaultySite, copy: DatabaseCopy, chosen: list[Point]) -> Iterator[Killing]:
    with working(cloud, cloud.regions[0], copy) as works:
        killing = Killing(works, chosen)
        killing.happen()
        yield killing


@pytest.fixture(scope="module")
def killing(proxied_sandbox: FaultySite, module_database: DatabaseCopy) -> Iterator[Killing]:
    yield from _killing(proxied_sandbox, module_database, POINTS)


def check(killing: Killing, point: Point) -> None:
    piece, external_id = killing.pieces[point], killing.ids[point]
    plain, people = killing.works.cloud.plain, killing.works.people
    assert killing.states_at_death[point] == TargetState.LEASED
    target = piece.target()
    assert (target.state, target.error_words) == (TargetState.APPLIED, "")
    alice, rita = ("user", people["alice"], "member"), ("user", people["rita"], "reader")
    if point.act == "close":
        assert plain.project(external_id) is None
        assert piece.in_keystone == []
        assert not ProjectHandle.objects.filter(project=piece.project).exists()
        return
    (project,) = piece.in_keystone
    assert project["id"] == external_id
    assert project["enabled"] is (point.act == "leave")
    is_ours = ProjectHandle.objects.get(project=piece.project).disabled_at is not None
    assert is_ours is (point.act == "suspend")
    wanted = {alice} if point.act == "leave" else {alice, rita}
    assert plain.granted(external_id) == wanted
    notes = RoleGrant.objects.filter(handle__project=piece.project)
    assert {(each.external_id, each.role) for each in notes} == {
        (holder, role) for _kind, holder, role in wanted
    }


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_a_worker_killed_at_a_call_leaves_what_was_decided(killing: Killing, point: Point) -> None:
    check(killing, point)


# {what is done: {who: what they are told of it, besides that it was opened}}
TOLD = {
    "leave": {"rita": ["role ended"]},
    "suspend": {"alice": ["project suspended"], "rita": ["project suspended"]},
    "close": {
        "alice": ["project closed"],
        "rita": ["project closed", "project closing"],
    },
}


def test_each_of_them_was_told_once_and_by_one_letter(killing: Killing) -> None:
    killing.works.send_letters()
    for point, piece in killing.pieces.items():
        rows = Notice.objects.filter(event__project=piece.project, event__at__gte=LATER)
        told: dict[str, list[str]] = {}
        for name, verb in rows.order_by("event__verb").values_list(
            "person__subject", "event__verb"
        ):
            told.setdefault(name, []).append(verb)
        assert told == TOLD[point.act], point
