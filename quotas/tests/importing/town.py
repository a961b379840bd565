"""A cloud of two regions that was there before Remit, with each contradiction once."""

from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command

from contrib.sandbox.control import RunningSandbox
from contrib.testing.plain import PlainClient
from projects.models import Membership, Project
from quotas.models import Account, ProjectHandle

GIB = 2**30
REGIONS = ("geneva", "prevessin")
HOSTILE = "evil\x1b[31m\u202eatlas"
PLAIN_COUNT = 5

SITE = """
resources:
  vcpu: vCPU
  ram: {name: RAM, unit: B, step: 1GiB}
  space: {name: Volume space, unit: B, step: 1GiB}
identity:
  keystone:
    name: Keystone
    driver: keystone
    cloud: sandbox
    region_name: geneva
    roles: {owner: member, manager: member, member: member, reader: reader}
    people: {by: name, field: subject}
    groups: {by: name}
services:
  nova:
    name: Nova in <region>
    driver: nova
    cloud: sandbox
    identity: keystone
    limits:
      cores: vCPU
      ram: {name: RAM, unit: B, step: 1MiB}
      instances: Instances
  cinder:
    name: Cinder in <region>
    driver: cinder
    cloud: sandbox
    identity: keystone
    limits:
      gigabytes: {name: Volume space, unit: B, step: 1GiB}
      gigabytes_<type>: {name: Volume space in <zone>, unit: B, step: 1GiB}
offers:
  compute:
    vcpu: {nova: cores}
    ram: {nova: ram}
  storage:
    space: {cinder: [gigabytes, gigabytes_<type>]}
regions:
  geneva:
    name: Geneva
    services: [nova, cinder]
    zones:
      compute: [compute-a, compute-b]
      storage: [storage-a, storage-b]
  prevessin:
    name: Prevessin
    services: [nova, cinder]
    zones:
      compute: [compute-a, compute-b]
      storage: [storage-a, storage-b]
units:
  org:
    name: Organisation
    units: {atlas: ATLAS, it: IT}
people:
  alice: {name: Alice}
  bob: {name: Bob}
  otto: {name: Otto}
groups:
  atlas-dq: {name: atlas-dq, members: [bob]}
"""

# What an operator says first: everything but numbers for what is unlimited.
RULES = """
rules:
  - {name: admin, leave_out: true}
  - {name: "atlas-*", unit: atlas}
  - {name: "evil*", unit: atlas}
  - {tag: "unit:it", unit: it}
split:
  nova-*.cores: {compute-a: 3, compute-b: 1}
  nova-*.ram: compute-a
unfed: {"nova-*.instances": keep}
roles: {service: "-"}
accept: [no owner]
"""


# Unit, people with roles, quota, whether it is the project of the cloud, how often it has our tag.
Taken = tuple[str, list[tuple[str, str]], dict[str, int], bool, int]


@dataclass
class Town:
    """The cloud, and the ids of its projects by name."""

    sandbox: RunningSandbox
    plain: PlainClient
    ids: dict[str, str]
    people: dict[str, str]

    def make(self, name: str, **fields: object) -> str:
        body = {"project": {"name": name, "domain_id": "default", **fields}}
        self.ids[name] = self.plain.done("POST", "identity", "/projects", body)["project"]["id"]
        for region in REGIONS:
            self.limit_volumes(name, region, gigabytes=300, storage_a=100, storage_b=200)
        return self.ids[name]

    def limit_cores(self, name: str, region: str, **limits: int) -> None:
        path = f"/os-quota-sets/{self.ids[name]}"
        self.plain.done("PUT", "compute", path, {"quota_set": limits}, region=region)

    def limit_volumes(self, name: str, region: str, **limits: int) -> None:
        keys = {
            key if key == "gigabytes" else f"gigabytes_{key.replace('_', '-')}": each
            for key, each in limits.items()
        }
        path = f"/os-quota-sets/{self.ids[name]}"
        self.plain.done("PUT", "volumev3", path, {"quota_set": keys}, region=region)

    def grant(self, name: str, kind: str, holder: str, role: str) -> None:
        rows = self.plain.done("GET", "identity", "/roles")["roles"]
        role_id = next(row["id"] for row in rows if row["name"] == role)
        path = f"/projects/{self.ids[name]}/{kind}/{holder}/roles/{role_id}"
        self.plain.done("PUT", "identity", path)

    def tags(self, name: str) -> list[str]:
        found = self.plain.project(self.ids[name])
        assert found is not None
        return list(found["tags"])

    def writes(self) -> list[tuple[str, str]]:
        """What was changed in the cloud since calls were forgotten."""
        return [
            (call["method"], call["path"])
            for call in self.sandbox.calls()
            if call["method"] != "GET" and not call["path"].endswith("/auth/tokens")
        ]


def build(sandbox: RunningSandbox) -> Town:
    """Projects of every kind, and people, some of whom Remit knows."""
    town = Town(sandbox, PlainClient(sandbox.clouds_yaml, "sandbox"), {}, {})
    for number in range(PLAIN_COUNT):
        town.make(f"atlas-{number:02}")
    town.make("atlas-endless")
    town.limit_cores("atlas-endless", "geneva", cores=-1)
    town.make("atlas-total")
    town.limit_volumes("atlas-total", "geneva", gigabytes=1000)
    town.make("atlas-odd")
    town.limit_cores("atlas-odd", "geneva", ram=1000)
    town.make("atlas-over")
    sandbox.set_usage(town.ids["atlas-over"], "geneva", "compute", {"cores": 30})
    town.make("atlas-huge")
    town.limit_cores("atlas-huge", "prevessin", cores=5000)
    town.make("atlas-clash")
    town.make("atlas-foreign", tags=["remit:another"])
    town.make("atlas-off", enabled=False)
    town.make("nowhere", tags=["unit:unknown"])
    town.make(HOSTILE)
    town.make("Tagged one", tags=["unit:it", "by-hand"], description="Two\nlines")
    for name in ("alice", "bob", "zoe"):
        town.people[name] = town.plain.new_user(name)
    group = town.plain.new_group("atlas-dq")
    town.grant("Tagged one", "users", town.people["alice"], "member")
    town.grant("Tagged one", "users", town.people["alice"], "reader")
    town.grant("Tagged one", "users", town.people["alice"], "service")
    town.grant("Tagged one", "users", town.people["bob"], "reader")
    town.grant("Tagged one", "users", town.people["zoe"], "member")
    town.grant("Tagged one", "groups", group, "member")
    return town


def load_site(folder: Path) -> None:
    """The site's file, enough in the pool, and an envelope with too little for one."""
    file = folder / "site.yaml"
    file.write_text(SITE)
    call_command("load_catalogue", str(file), "--yes", verbosity=0, stdout=_Null())
    everything = ["*.*.vcpu=100000", "*.*.ram=100TiB", "*.*.space=1000TiB"]
    call_command("fund", "--pool", *everything, stdout=_Null())
    call_command("fund", "--unit", "atlas", "prevessin.compute-a.vcpu=1000", stdout=_Null())


class _Null:
    def write(self, text: str) -> None:
        pass


def quotas_of(name: str) -> dict[str, int]:
    """{offering's slug: balance} of what a project has."""
    rows = Account.objects.filter(project__name=name, balance__gt=0)
    return dict(rows.order_by("offering__slug").values_list("offering__slug", "balance"))


def plain_quota(**other: int) -> dict[str, int]:
    """What a project with the cloud's usual limits has; others by region_zone_resource."""
    found: dict[str, int] = {}
    for region in REGIONS:
        found |= {
            f"{region}.compute-a.vcpu": 15,
            f"{region}.compute-b.vcpu": 5,
            f"{region}.compute-a.ram": 50 * GIB,
            f"{region}.storage-a.space": 100 * GIB,
            f"{region}.storage-b.space": 200 * GIB,
        }
    changed = {_slug(key): each for key, each in other.items()}
    return {key: each for key, each in (found | changed).items() if each}


def _slug(key: str) -> str:
    region, zone, resource = key.split("_")
    return f"{region}.{'compute' if resource != 'space' else 'storage'}-{zone}.{resource}"


def taken(town: Town) -> dict[str, Taken]:
    """All that an import made, by projects' names: unit, people, quota, and whether each is one
    project with its tag in the cloud."""
    found: dict[str, Taken] = {}
    for project in Project.objects.filter(handles__isnull=False).order_by("name").distinct():
        handle = ProjectHandle.objects.get(project=project)
        cloud = town.plain.project(handle.external_id)
        assert cloud is not None
        members = Membership.objects.filter(project=project, ends_at=None).order_by("role", "pk")
        found[project.name] = (
            project.unit.slug,
            sorted((str(each.user or each.group), str(each.role)) for each in members),
            quotas_of(project.name),
            handle.external_id == town.ids[project.name],
            cloud["tags"].count(project.tag),
        )
    return found
