"""A small site and its cast, for tests: made of rows and of the verbs themselves.

Alice owns the project, Bob is a member, Dana holds a delegation, Erin is the head of the
unit above, Otto operates the cloud, Mallory is a stranger, Rita only reads, Audrey audits.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from projects.models import (
    Delegation,
    Group,
    GroupMembership,
    Membership,
    Project,
    ProjectPlacement,
    Unit,
    User,
)
from projects.states import Power, Role
from quotas.actions.targets import ensure_targets
from quotas.models import (
    Account,
    Contribution,
    DelegationBound,
    Endpoint,
    Limit,
    Offering,
    Region,
    Resource,
    Zone,
)
from quotas.tests.funded import write_ledger

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
GIB = 2**30
CAST = ("alice", "bob", "dana", "erin", "otto", "mallory", "rita", "audrey")


@dataclass
class Site:
    """The rows that tests talk about."""

    people: dict[str, User] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    offerings: dict[str, Offering] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    delegations: dict[str, Delegation] = field(default_factory=dict)

    def __getattr__(self, name: str) -> User:
        found: User | None = self.__dict__.get("people", {}).get(name)
        if found is None:
            raise AttributeError(name)
        return found

    @property
    def project(self) -> Project:
        return Project.objects.select_related("unit").get(slug="atlas-reco")

    @property
    def vcpu(self) -> Offering:
        return self.offerings["geneva.compute-a.vcpu"]

    @property
    def space(self) -> Offering:
        return self.offerings["geneva.storage-a.space"]

    def quota(self, offering: Offering, project: Project | None = None) -> int:
        """The balance of a project's account, 0 where there is none."""
        account = Account.objects.filter(offering=offering, project=project or self.project).first()
        return account.balance if account else 0

    def envelope(self, offering: Offering, unit: str = "atlas") -> int:
        return Account.objects.get(offering=offering, unit=self.units[unit]).balance

    def pool(self, offering: Offering) -> int:
        return Account.objects.get(offering=offering, holder="pool").balance


def make_site(now: datetime = NOW) -> Site:
    """One region with two zones, three units, one project, the cast and funded envelopes."""
    site = Site()
    for name in CAST:
        site.people[name] = User.objects.create(
            subject=name, name=name.capitalize(), is_operator=name == "otto", password="!"
        )
    _make_units(site, now)
    _make_catalogue(site)
    _make_delegations(site, now - timedelta(days=100))
    project = make_project(site, "atlas-reco", "atlas", now)
    for name, role in (
        ("alice", Role.OWNER), ("bob", Role.MEMBER), ("rita", Role.READER),
    ):  # fmt: skip
        join(project, site.people[name], role, now)
    write_ledger(site.offerings.values(), site.units, now)
    return site


def _make_units(site: Site, now: datetime) -> None:
    parent = None
    for slug, path in (("org", "org/"), ("ep", "org/ep/"), ("atlas", "org/ep/atlas/")):
        parent = Unit.objects.create(slug=slug, name=slug.upper(), parent=parent, path=path)
        site.units[slug] = parent
    site.units["it"] = Unit.objects.create(
        slug="it", name="IT", parent=site.units["org"], path="org/it/"
    )


def _make_catalogue(site: Site) -> None:
    region = Region.objects.create(slug="geneva", name="geneva")
    keystone = Endpoint.objects.create(
        slug="keystone", name="Keystone", driver="keystone", cloud="sandbox"
    )
    nova, cinder = (
        Endpoint.objects.create(
            slug=f"{driver}-geneva", name=f"{driver.capitalize()} geneva", region=region,
            driver=driver, cloud="sandbox", region_name="geneva", identity=keystone,
        )
        for driver in ("nova", "cinder")
    )  # fmt: skip
    site.endpoints = {each.slug: each for each in (keystone, nova, cinder)}
    compute = Zone.objects.create(region=region, slug="compute-a", name="compute-a", kind="compute")
    storage = Zone.objects.create(region=region, slug="storage-a", name="storage-a", kind="storage")
    kinds = {
        "vcpu": (compute, "vCPU", "", 1, [(nova, "cores", 1)]),
        "ram": (compute, "RAM", "B", GIB, [(nova, "ram", 2**20)]),
        "space": (
            storage, "Volume space", "B", GIB,
            [(cinder, "gigabytes_storage-a", GIB), (cinder, "gigabytes", GIB)],
        ),
    }  # fmt: skip
    for order, (slug, (zone, name, unit, step, keys)) in enumerate(kinds.items()):
        resource = Resource.objects.create(slug=slug, name=name, unit=unit, step=step, order=order)
        offering = Offering.objects.create(
            slug=f"geneva.{zone.slug}.{slug}", zone=zone, resource=resource
        )
        site.offerings[offering.slug] = offering
        for endpoint, key, limit_step in keys:
            limit = Limit.objects.create(
                endpoint=endpoint, key=key, name=key, unit=unit, step=limit_step
            )
            Contribution.objects.create(offering=offering, limit=limit)


def _make_delegations(site: Site, since: datetime) -> None:
    """Otto at the root, Erin for EP, Dana for ATLAS with 128 steps of anything a decision."""
    powers = [Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES]
    chain = (("otto", "org", None), ("erin", "ep", None), ("dana", "atlas", 128))
    parent: Delegation | None = None
    for name, unit, most in chain:
        delegation = Delegation.objects.create(
            parent=parent,
            ancestors=parent.chain_ids if parent else [],
            grantor=parent.user if parent else None,
            user=site.people[name],
            powers=powers,
            unit=site.units[unit],
            depth=3,
            starts_at=since,
            created_at=since,
        )
        site.delegations[name] = parent = delegation
        if most is None:
            DelegationBound.objects.create(delegation=delegation)
            continue
        for resource in Resource.objects.all():
            DelegationBound.objects.create(
                delegation=delegation, resource=resource, per_decision=most * resource.step
            )
    site.delegations["audrey"] = Delegation.objects.create(
        user=site.people["audrey"], powers=[Power.AUDIT], unit=site.units["org"],
        starts_at=since, created_at=since,
    )  # fmt: skip


def make_helper(site: Site) -> User:
    """Hilda of the helpdesk, who asks for others in EP and may do nothing else."""
    hilda = User.objects.create(subject="hilda", name="Hilda", password="!")
    site.people["hilda"] = hilda
    parent = site.delegations["erin"]
    site.delegations["hilda"] = Delegation.objects.create(
        parent=parent, ancestors=parent.chain_ids, grantor=site.people["erin"], user=hilda,
        powers=[Power.ASK_FOR_OTHERS], unit=site.units["ep"], starts_at=parent.starts_at,
        created_at=parent.created_at,
    )  # fmt: skip
    return hilda


def make_project(site: Site, slug: str, unit: str, now: datetime) -> Project:
    """An active project with its targets."""
    project = Project.objects.create(
        slug=slug, name=slug, unit=site.units[unit], created_at=now, description=f"{slug} tests"
    )
    ProjectPlacement.objects.create(project=project, unit=site.units[unit], starts_at=now)
    ensure_targets([project])
    return project


def join(project: Project, holder: User | Group, role: Role, now: datetime) -> Membership:
    """Give a person or a group a role from `now` on."""
    kind = {"user": holder} if isinstance(holder, User) else {"group": holder}
    return Membership.objects.create(project=project, role=role, starts_at=now, **kind)


def make_group(name: str, *people: User, since: datetime = NOW) -> Group:
    group = Group.objects.create(external_id=name, name=name)
    for person in people:
        GroupMembership.objects.create(group=group, user=person, starts_at=since)
    return group
