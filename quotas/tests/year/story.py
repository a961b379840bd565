"""What people do in the year: each day on which somebody does something, and what."""

from collections.abc import Callable
from datetime import date
from functools import partial

from projects.models import Project, ProjectChange, Unit
from projects.states import ChangeState, Power, Role
from quotas.actions.delegations import Bound, delegate
from quotas.actions.leaving import leave_site
from quotas.actions.lives import keep
from quotas.actions.loans import extend_loan
from quotas.actions.orphans import offer_orphan
from quotas.actions.project_changes import accept, ask_extension
from quotas.actions.project_holds import hold
from quotas.actions.requests import submit
from quotas.actions.wishes import Wish
from quotas.models import Loan, Resource
from quotas.tests.site import join, make_group
from quotas.tests.test_proposing import opens_projects
from quotas.tests.year.world import World, on

YEAR = 366
MUCH_LATER = date(2029, 1, 1)


def begin(world: World) -> None:
    """Eleven projects; Erin and Otto decide projects, too."""
    site = world.site
    opens_projects(site, "otto", "erin")
    # The shared sandbox knows another of this name.
    Project.objects.update(name="year-of-atlas")
    Unit.objects.filter(slug="atlas").update(steward=site.mallory)
    Unit.objects.filter(slug="ep").update(steward=site.rita)
    for name, supervisor in (("vera", ""), ("walt", "audrey"), ("xena", "audrey")):
        world.person(name, supervisor)
    for slug, ends in (("ended", 100), ("renewed", 120), ("held", 90), ("asked", 80)):
        world.project(slug, "bob", ends=ends)
        world.give(slug, 8)
    # Who manages through a group is told of an end, who only works there is not.
    join(world.get("ended"), make_group("chiefs", site.audrey), Role.MANAGER, world.now)
    join(world.get("ended"), site.rita, Role.MEMBER, world.now)
    for slug, until in (("returned", 100), ("overdue", 130), ("extended", 120)):
        world.project(slug, "alice")
        world.give(slug, 4)
        world.give(slug, 14, until=until)
    world.project("vera-work", "vera")
    world.project("walt-work", "walt", unit="ep")
    world.project("xena-own", "xena", is_personal=True)
    world.give("xena-own", 2)
    _vera_decides(world)


def _vera_decides(world: World) -> None:
    site = world.site
    site.delegations["vera"] = delegate(
        parent=site.delegations["dana"], grantor=site.dana, user=site.people["vera"],
        powers=[Power.DECIDE_QUOTA], unit=site.units["atlas"], depth=0, starts_at=world.now,
        ends_at=None, now=world.now,
        bounds=[Bound(each, per_decision=64 * each.step) for each in Resource.objects.all()],
    )  # fmt: skip


def _use(slug: str, cores: int) -> Callable[[World], None]:
    return lambda world: world.use(slug, cores)


def _renew(until: int, world: World) -> None:
    asked = ask_extension(
        project=world.get("renewed"), until_on=on(until), actor=world.site.bob, now=world.now
    )
    assert asked is None


def _hold(world: World) -> None:
    hold(
        project=world.get("held"), reason="An audit looks at it.", until_on=on(150),
        actor=world.site.otto, now=world.now,
    )  # fmt: skip


def _keep(world: World) -> None:
    keep(project=world.get("held"), ends_on=on(300), actor=world.site.bob, now=world.now)


def _ask_long(world: World) -> None:
    asked = ask_extension(
        project=world.get("asked"), until_on=MUCH_LATER, actor=world.site.bob, now=world.now
    )
    assert asked is not None


def _answer(slug: str, name: str, world: World) -> None:
    """Somebody agrees to what waits for them."""
    change = ProjectChange.objects.get(project__slug=slug, state=ChangeState.OPEN)
    accept(change=change, version=change.version, actor=world.site.people[name], now=world.now)


def _lend_on(world: World) -> None:
    loan = Loan.objects.get(account__project__slug="extended", outstanding__gt=0)
    extend_loan(loan=loan, until_on=on(240), seen=10, actor=world.site.dana, now=world.now)


def _leaves(name: str, world: World) -> None:
    """As the directory's reading says it."""
    assert leave_site(user=world.site.people[name], actor=None, now=world.now)


def _ask_vera(world: World) -> None:
    submit(
        project=world.get("renewed"), wish=Wish({world.site.vcpu.slug: 12}, "more"),
        actor=world.site.bob, now=world.now,
    )  # fmt: skip


def _offer_orphan(world: World) -> None:
    offer_orphan(
        project=world.get("walt-work"), user=world.site.bob, actor=world.site.erin, now=world.now
    )


HAPPENS: dict[int, Callable[[World], None]] = {
    0: begin,
    1: _use("ended", 3),
    2: _use("overdue", 9),
    40: _hold,
    48: _ask_vera,
    50: partial(_leaves, "vera"),
    52: partial(_answer, "vera-work", "mallory"),
    60: partial(_leaves, "walt"),
    70: _ask_long,
    71: partial(_leaves, "xena"),
    110: partial(_renew, 250),
    115: _lend_on,
    131: partial(_answer, "asked", "erin"),
    150: _use("ended", 0),
    155: _keep,
    160: _use("overdue", 6),
    200: _use("overdue", 0),
    210: _offer_orphan,
    211: partial(_answer, "walt-work", "bob"),
    245: partial(_renew, 245 + 365),
}
