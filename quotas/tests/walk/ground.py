"""The site that every walk begins on: small, with tight bounds, and with something going on.

Groups decide and work, deputies stand in, totals are used in part, and lines wait at each level,
so that few steps lead from here to wherever a rule could be broken.
"""

from datetime import datetime, timedelta

from projects.models import Delegation, Project, Unit, UnitPlacement
from projects.states import Power, Role
from quotas.actions import decide, requests
from quotas.actions.delegations import Bound, delegate, name_deputy
from quotas.actions.ledger import issue
from quotas.actions.wishes import Wish
from quotas.models import Offering, Zone
from quotas.tests.site import NOW, Site, join, make_group, make_project, make_site

SINCE = NOW - timedelta(days=1)
MINUTE = timedelta(minutes=1)


def make_ground() -> Site:
    """The site with two more units, projects, zones of vCPU, and what happened there so far."""
    site = make_site(SINCE)
    for name, parent in (("trigger", "atlas"), ("daq", "atlas")):
        above = site.units[parent]
        site.units[name] = Unit.objects.create(
            slug=name, name=name, parent=above, path=f"{above.path}{name}/"
        )
    for unit in site.units.values():
        UnitPlacement.objects.create(
            unit=unit, parent=unit.parent, starts_at=NOW - timedelta(days=200)
        )
    zone = Zone.objects.create(
        region=site.vcpu.zone.region, slug="compute-b", name="compute-b", kind="compute"
    )
    slug = "geneva.compute-b.vcpu"
    site.offerings[slug] = Offering.objects.create(
        slug=slug, zone=zone, resource=site.vcpu.resource
    )
    issue(offering=site.offerings[slug], amount=5000, actor=None, now=SINCE)
    for depth, name in enumerate(("dana", "erin", "otto"), 4):
        Delegation.objects.filter(pk=site.delegations[name].pk).update(depth=depth)
    for project, place in (("p-two", "it"), ("p-three", "trigger")):
        join(make_project(site, project, place, SINCE), site.alice, Role.OWNER, SINCE)
    for name in ("otto", "erin"):
        held = site.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    moment = _hand_on(site, SINCE + MINUTE)
    _decide_and_wait(site, moment)
    return site


def _hand_on(site: Site, moment: datetime) -> datetime:
    """Coordinators, of whom there is one, decide for ATLAS like Dana; the board works in it.

    Below them Bob and the shifters of the trigger; Rita and Audrey stand in for two. All of it
    within tight bounds.
    """
    vcpu = site.vcpu.resource
    all_three = [Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES, Power.DECIDE_PROJECTS]
    coordinators = make_group("coordinators", site.mallory, since=SINCE)
    shifters = make_group("shifters", site.bob, since=SINCE)
    board = make_group("board", site.audrey, since=SINCE)
    join(site.project, board, Role.MEMBER, SINCE)
    ours = delegate(
        parent=site.delegations["erin"], grantor=site.erin, group=coordinators, powers=all_three,
        unit=site.units["atlas"], depth=3, starts_at=moment, ends_at=None, now=moment,
        bounds=[Bound(vcpu, None, 60, 30, 150, 10)],
    )  # fmt: skip
    moment += MINUTE
    to_bob = delegate(
        parent=ours, grantor=site.mallory, user=site.bob, powers=[Power.DECIDE_QUOTA],
        unit=site.units["trigger"], depth=1, starts_at=moment, ends_at=None, now=moment,
        bounds=[Bound(vcpu, None, 40, 30, 100, 30)],
    )  # fmt: skip
    moment += MINUTE
    dana = site.delegations["dana"]
    to_shifters = delegate(
        parent=Delegation.objects.get(pk=dana.pk), grantor=site.dana, group=shifters,
        powers=[Power.DECIDE_QUOTA], unit=site.units["trigger"], depth=1, starts_at=moment,
        ends_at=NOW + timedelta(days=60), now=moment,
        bounds=[Bound(site.space.resource, None, 20 * site.space.resource.step, 30, None, None)],
    )  # fmt: skip
    for holder, deputy, days in ((site.dana, site.rita, 12), (site.mallory, site.audrey, 20)):
        moment += MINUTE
        name_deputy(
            holder=holder, user=deputy, starts_at=moment, ends_at=NOW + timedelta(days=days),
            now=moment,
        )  # fmt: skip
    site.delegations |= {"coordinators": ours, "bob": to_bob, "shifters": to_shifters}
    return moment


def _decide_and_wait(site: Site, moment: datetime) -> None:
    """Bob used up a part of three totals; then lines wait for each level of deciders."""
    three, two = (Project.objects.get(slug=slug) for slug in ("p-three", "p-two"))
    other, ram = site.offerings["geneva.compute-b.vcpu"], site.offerings["geneva.compute-a.ram"]
    asked = requests.submit(
        project=three, wish=Wish({site.vcpu.slug: 30}, "ground"), actor=site.alice,
        now=moment + MINUTE,
    )  # fmt: skip
    line = asked.lines.get()
    decide.approve(
        quota_request=asked, granted={line.pk: 30}, seen={line.pk: 0}, version=asked.version,
        actor=site.bob, now=moment + 2 * MINUTE,
    )  # fmt: skip
    waiting = (
        (site.project, other, 50),  # for Dana and the coordinators
        (three, other, 45),  # for them, and the coordinators' Bob endorses it
        (three, site.space, 15),  # for the shifters
        (two, ram, 10),  # for Otto
    )
    for place, (project, offering, steps) in enumerate(waiting, 3):
        requests.submit(
            project=project, wish=Wish({offering.slug: steps * offering.resource.step}, "ground"),
            actor=site.alice, now=moment + place * MINUTE,
        )  # fmt: skip
