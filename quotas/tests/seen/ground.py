"""A random site: whatever rows the constraints allow, made without verbs.

Units whose paths begin alike, several tops, groups within roles and delegations, chains with ended,
revoked and deputised links, and periods that are over or to come.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from projects.models import (
    Delegation,
    Event,
    Group,
    GroupMembership,
    Membership,
    Project,
    Unit,
    User,
)
from projects.states import Power, Role
from quotas.models import (
    Account,
    Assignment,
    Holder,
    Offering,
    QuotaRequest,
    Region,
    RequestLine,
    Resource,
    Zone,
)
from quotas.states import AssignmentKind, LineState
from quotas.tests.site import NOW

# What begins alike, sorts differently from language to language, or means something to LIKE.
SLUGS = ("a", "a0", "a-1", "a_", "ab", "aa", "b", "b1", "b-", "c", "a1", "bz")
LONG_AGO = NOW - timedelta(days=60)


@dataclass
class Ground:
    """The rows of one random site, as the database has them."""

    chance: Random
    units: list[Unit] = field(default_factory=list)
    people: list[User] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)
    offerings: list[Offering] = field(default_factory=list)

    def maybe(self, percent: int) -> bool:
        return self.chance.randrange(100) < percent

    def period(self) -> dict[str, datetime | None]:
        """Mostly in force; else over since this moment, or to come."""
        if self.maybe(75):
            until = self.chance.choice([None, NOW + timedelta(seconds=1)])
            return {"starts_at": self.chance.choice([LONG_AGO, NOW]), "ends_at": until}
        if self.maybe(50):
            return {"starts_at": LONG_AGO, "ends_at": NOW}
        return {"starts_at": NOW + timedelta(seconds=1), "ends_at": None}

    def holder(self) -> dict[str, User | Group]:
        if self.maybe(35):
            return {"group": self.chance.choice(self.groups)}
        return {"user": self.chance.choice(self.people)}


def make_ground(seed: int) -> Ground:
    ground = Ground(Random(seed))
    _make_units(ground)
    _make_people(ground)
    _make_projects(ground)
    _make_delegations(ground)
    _make_requests(ground)
    _make_events(ground)
    _make_accounts(ground)
    return ground


def _make_units(ground: Ground) -> None:
    slugs = list(SLUGS)
    ground.chance.shuffle(slugs)
    tops = ground.chance.randrange(1, 4)
    for number, slug in enumerate(slugs):
        parent = None if number < tops else ground.chance.choice(ground.units)
        path = f"{parent.path if parent else ''}{slug}/"
        ground.units.append(Unit.objects.create(slug=slug, name=slug, parent=parent, path=path))
    # A top that is closed is no part of the whole that an auditor audits.
    if tops > 1 and ground.maybe(30):
        Unit.objects.filter(pk=ground.units[0].pk).update(retired_at=LONG_AGO)


def _make_people(ground: Ground) -> None:
    ground.people = User.objects.bulk_create(
        User(subject=f"p{number}", name=f"p{number}", password="!", is_operator=number == 0)
        for number in range(6)
    )
    ground.groups = Group.objects.bulk_create(
        Group(external_id=f"g{number}", name=f"g{number}") for number in range(3)
    )
    GroupMembership.objects.bulk_create(
        GroupMembership(group=group, user=user, **ground.period())
        for group in ground.groups
        for user in ground.people
        if ground.maybe(30)
    )


def _make_projects(ground: Ground) -> None:
    ground.projects = Project.objects.bulk_create(
        Project(slug=f"s{number}", name=f"s{number}", unit=ground.chance.choice(ground.units),
                created_at=LONG_AGO)
        for number in range(10)
    )  # fmt: skip
    Membership.objects.bulk_create(
        Membership(
            project=project, user=user, group=group, role=ground.chance.choice(Role.values),
            **ground.period(),
        )
        for project in ground.projects
        for user, group in [
            *((each, None) for each in ground.people if ground.maybe(8)),
            *((None, each) for each in ground.groups if ground.maybe(10)),
        ]
    )  # fmt: skip


def _make_delegations(ground: Ground) -> None:
    made: list[Delegation] = []
    for __ in range(22):
        parent = ground.chance.choice(made) if made and ground.maybe(70) else None
        if parent is None:
            unit = ground.chance.choice(ground.units)
        else:
            # Now and then elsewhere: the unit was moved since.
            below = [each for each in ground.units if each.path.startswith(parent.unit.path)]
            unit = ground.chance.choice(ground.units if ground.maybe(8) else below)
        terms: dict[str, Any] = {
            "unit": unit, "created_at": LONG_AGO, "depth": 1, **ground.holder(), **ground.period(),
            "powers": ground.chance.sample(Power.values, ground.chance.randrange(1, 4)),
            "revoked_at": ground.chance.choice([NOW, NOW + timedelta(hours=1)])
            if ground.maybe(10) else None,
        }  # fmt: skip
        if parent is not None:
            grantor = parent.user or ground.chance.choice(ground.people)
            terms |= {"parent": parent, "ancestors": parent.chain_ids, "grantor": grantor}
            if "user" in terms and terms["ends_at"] is not None and ground.maybe(60):
                terms["is_deputy"] = True
        made.append(Delegation.objects.create(**terms))


def _make_requests(ground: Ground) -> None:
    region = Region.objects.create(slug="r", name="r")
    zone = Zone.objects.create(region=region, slug="z", name="z", kind="compute")
    for slug in ("cpu", "ram"):
        resource = Resource.objects.create(slug=slug, name=slug, step=1)
        ground.offerings.append(
            Offering.objects.create(slug=f"r.z.{slug}", zone=zone, resource=resource)
        )
    delegations = list(Delegation.objects.all().order_by("pk"))
    for project in ground.projects:
        asked = QuotaRequest.objects.create(
            project=project, requester=ground.chance.choice(ground.people),
            asked_by=ground.chance.choice([None, *ground.people]), created_at=NOW, updated_at=NOW,
            submitted_at=None if ground.maybe(25) else NOW,
        )  # fmt: skip
        for offering in ground.offerings:
            state = ground.chance.choice([LineState.OPEN, LineState.OPEN, LineState.GRANTED])
            line = RequestLine.objects.create(
                request=asked, project=project, offering=offering, wanted=5, balance_seen=0,
                state=state,
            )  # fmt: skip
            Assignment.objects.bulk_create(
                Assignment(
                    line=line, delegation=each, user=each.user, group=each.group,
                    kind=ground.chance.choice(AssignmentKind.values), **ground.period(),
                )
                for each in ground.chance.sample(delegations, 4)
            )  # fmt: skip


def _make_events(ground: Ground) -> None:
    Event.objects.bulk_create(
        Event(
            verb="tried", at=NOW, actor=ground.chance.choice([None, *ground.people]),
            project=ground.chance.choice([None, *ground.projects]),
            unit=ground.chance.choice([None, *ground.units]),
        )
        for __ in range(25)
    )  # fmt: skip


def _make_accounts(ground: Ground) -> None:
    """Everything adds up to zero; of one offering perhaps nothing was issued yet."""
    for offering in ground.offerings:
        held = [
            *(Account(offering=offering, holder=Holder.UNIT, unit=each)
              for each in ground.units if ground.maybe(50)),
            *(Account(offering=offering, holder=Holder.PROJECT, project=each)
              for each in ground.projects if ground.maybe(70)),
            Account(offering=offering, holder=Holder.POOL),
        ]  # fmt: skip
        for each in held:
            each.balance = ground.chance.randrange(0, 50)
        issued = sum(each.balance for each in held)
        Account.objects.bulk_create(
            [*held, Account(offering=offering, holder=Holder.SITE, balance=-issued)]
        )
