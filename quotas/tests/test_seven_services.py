"""One request over seven services in two regions, of which one does not answer: six are applied,
one is tried again, then all is true; and every page says so at each moment.

On the sandbox, and on real OpenStack of both releases with a real gateway.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.db.models.functions import Now
from django.test import Client
from pytest_django import Settings

from contrib.testing.clouds import FaultySite
from contrib.testing.plain import PlainClient
from projects.models import Project, User
from quotas.backends.tests.storage import StorageSubject
from quotas.delivery.converge import converge
from quotas.models import Account, ProjectHandle, QuotaRequest, Target
from quotas.queries.accounts import audit
from quotas.states import TargetState
from quotas.tests.api import Caller

FILE = Path(__file__).parents[2] / "contrib" / "clouds" / "services.yaml"
SLUG = "telescope"
REGIONS = ("region-one", "region-two")
GIB, TIB = 2**30, 2**40
# Of each region: what is asked for of each service.
ASKED = {
    "nova": {"compute-a.vcpu": 64},
    "cinder": {"storage-a.space": 2 * TIB},
    "neutron": {"network.networks": 3, "network.floating-ips": 8},
    "octavia": {"network.load-balancers": 2},
    "manila": {"shares-a.share-space": 500 * GIB},
    "rgw": {"objects.object-space": 5 * TIB, "objects.buckets": 10},
    "flavors": {"compute-a.gpu": 1},
}
SERVICES = list(ASKED)
LINES = sum(map(len, ASKED.values())) * len(REGIONS)
DOWN = "manila"
# What the services then say, in their own units.
GRANTED = {
    "nova": {"cores": 64},
    "cinder": {"gigabytes": 2048, "gigabytes_type": 2048},
    "neutron": {"network": 3, "subnet": 6, "floatingip": 8},
    "octavia": {"load_balancer": 2, "listener": 8},
    "manila": {"gigabytes": 500, "gigabytes_type": 500},
    "rgw": {"size": 5 * 2**30, "buckets": 10},
    "flavors": {"gpu.large": 1},
}


@dataclass
class Stage:
    """The site of the file, its cloud behind the fault proxy, and its project in both."""

    cloud: FaultySite
    clouds_yaml: Path
    folder: Path

    @property
    def plain(self) -> PlainClient:
        return self.cloud.plain

    @cached_property
    def external_id(self) -> str:
        return ProjectHandle.objects.get().external_id

    def endpoints(self, service: str) -> list[str]:
        return [f"{service}-{region}" for region in self.cloud.regions]

    def target(self, endpoint: str) -> Target:
        return Target.objects.select_related("endpoint").get(endpoint__slug=endpoint)

    def work(self, *services: str) -> list[str]:
        """Whatever these services waited for is over: converge them; the states they end in."""
        found = []
        for endpoint in (each for service in services for each in self.endpoints(service)):
            found.append(self.work_at(endpoint))
        return found

    def work_at(self, endpoint: str) -> str:
        rows = Target.objects.filter(endpoint__slug=endpoint)
        rows.exclude(next_try_at=None).update(next_try_at=Now())
        converge(rows.get().pk)
        return rows.get().state

    def figures(self, service: str, region: str) -> dict[str, int]:
        """What a service says of the project, asked past the proxy and without a driver."""
        return {"flavors": self._flavors, "rgw": self._storage}.get(
            service, lambda region: self._limits(service, region)
        )(region)

    def _limits(self, service: str, region: str) -> dict[str, int]:
        kind, path, name = {
            "nova": ("compute", "/os-quota-sets/{}", "quota_set"),
            "cinder": ("volumev3", "/os-quota-sets/{}", "quota_set"),
            "neutron": ("network", "/v2.0/quotas/{}", "quota"),
            "octavia": ("load-balancer", "/v2/lbaas/quotas/{}", "quota"),
            "manila": ("sharev2", "/quota-sets/{}", "quota_set"),
        }[service]
        self.plain.headers["X-OpenStack-Manila-API-Version"] = "2.53"
        path = path.format(self.external_id)
        found: dict[str, int] = self.plain.done("GET", kind, path, region=region)[name]
        own_type = self.cloud.volume_types[0]
        if service == "cinder":
            found["gigabytes_type"] = found[f"gigabytes_{own_type}"]
        if service == "manila":
            query = f"{path}?share_type={own_type}"
            of_type = self.plain.done("GET", kind, query, region=region)[name]
            found["gigabytes_type"] = of_type["gigabytes"]
        return {key: found[key] for key in GRANTED[service]}

    def _flavors(self, region: str) -> dict[str, int]:
        path = f"/flavors/{flavor(self.plain, region)}/os-flavor-access"
        rows = self.plain.done("GET", "compute", path, region=region)["flavor_access"]
        return {"gpu.large": int(self.external_id in {row["tenant_id"] for row in rows})}

    def _storage(self, region: str) -> dict[str, int]:
        entry = yaml.safe_load(self.clouds_yaml.read_text())["clouds"][self.cloud.cloud]["rgw"]
        gateway = StorageSubject(
            self.clouds_yaml, self.cloud.cloud, region if region in entry else None, self.folder
        )
        number = self.cloud.regions.index(region)
        uid = f"{('one', 'two')[number]}-{self.external_id}"
        if gateway.admin("GET", "user", uid=uid).status_code == 404:
            return {"size": 0, "buckets": 0}
        found = gateway.limits(uid)
        return {key: found[key] for key in GRANTED["rgw"]}


def flavor(plain: PlainClient, region: str) -> str:
    """The id of the private flavor, which is made where there is none."""
    path = "/flavors?is_public=None"
    for row in plain.done("GET", "compute", path, region=region)["flavors"]:
        if row["name"] == "gpu.large":
            return str(row["id"])
    fields = {
        "name": "gpu.large", "ram": 512, "vcpus": 1, "disk": 1,
        "os-flavor-access:is_public": False,
    }  # fmt: skip
    made = plain.done("POST", "compute", "/flavors", {"flavor": fields}, region=region)
    return str(made["flavor"]["id"])


def load_site(cloud: FaultySite, folder: Path) -> None:
    """The file as an operator loads it, with this cloud's names in it; all has an envelope."""
    text = FILE.read_text().replace("cloud: admin", f"cloud: {cloud.cloud}")
    for ours, theirs in zip(REGIONS, cloud.regions, strict=True):
        text = text.replace(ours, theirs)
    file = folder / "site.yaml"
    file.write_text(text.replace("type: zone-a", f"type: {cloud.volume_types[0]}"))
    call_command("load_catalogue", str(file), "--yes", verbosity=0)
    call_command("grant_root", "dana", "erin", "--unit", "it", verbosity=0)
    amounts = ["*.vcpu=1000", "*.space=20T", "*.networks=100", "*.floating-ips=100",
               "*.load-balancers=100", "*.share-space=20T", "*.object-space=50T",
               "*.buckets=100", "*.gpu=4"]  # fmt: skip
    call_command("fund", "--pool", *amounts, verbosity=0)
    # A name of its own in the cloud, which keeps what earlier tests made.
    Project.objects.update(name=f"telescope-{uuid.uuid4().hex[:8]}")


@pytest.fixture(
    params=["sandbox", pytest.param("openstack", marks=pytest.mark.needs("openstack", "ceph"))]
)
def stage(
    request: pytest.FixtureRequest, database_copy: object, settings: Settings, tmp_path: Path
) -> Iterator[Stage]:
    """The project stands in the cloud, and has nothing there."""
    cloud: FaultySite = request.getfixturevalue(f"proxied_{request.param}")
    content = yaml.safe_load(cloud.clouds_yaml.read_text())
    if request.param == "openstack":
        gateways = yaml.safe_load(request.getfixturevalue("ceph_clouds").read_text())
        content["clouds"][cloud.cloud]["rgw"] = gateways["clouds"]["ceph"]["rgw"]
    clouds_yaml = tmp_path / "clouds.yaml"
    clouds_yaml.write_text(yaml.safe_dump(content))
    settings.CLOUDS_YAML = str(clouds_yaml)
    settings.CALL_TIMEOUT_SECONDS = 10
    cloud.proxy.reset()
    load_site(cloud, tmp_path)
    for region in cloud.regions:
        flavor(cloud.plain, region)
    standing = Stage(cloud, clouds_yaml, tmp_path)
    assert standing.work_at("keystone") == TargetState.APPLIED
    assert set(standing.work(*SERVICES)) == {TargetState.APPLIED}
    yield standing
    cloud.proxy.reset()


def person(name: str) -> Caller:
    client = Client()
    client.force_login(User.objects.local(name))
    return Caller(client)


def ask(stage: Stage, lines: dict[str, int]) -> QuotaRequest:
    """Alice asks over REST, and Dana grants all of it."""
    sent = {f"{region}.{key}": amount for region in stage.cloud.regions
            for key, amount in lines.items()}  # fmt: skip
    answer = person("alice").post(
        "requests/", {"project": SLUG, "lines": sent, "reason": "First light"}
    )
    assert answer.status_code == 201, answer.content
    asked = QuotaRequest.objects.get(pk=answer.json()["id"])
    rows = list(asked.lines.all())
    balances = {
        each.offering_id: each.balance for each in Account.objects.filter(project=asked.project)
    }
    answer = person("dana").post(f"requests/{asked.pk}/approve/", {
        "granted": {str(row.pk): row.wanted for row in rows},
        "seen": {str(row.pk): balances.get(row.offering_id, 0) for row in rows},
        "version": asked.version,
    })  # fmt: skip
    assert answer.status_code == 200, answer.content
    return asked


def words(path: str) -> str:
    """What Alice reads on a page."""
    answer = person("alice").client.get(path)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def rest(asked: QuotaRequest) -> tuple[str, dict[str, set[str]]]:
    """The request's state over REST, and {the state of its deliveries: their endpoints}."""
    body: dict[str, Any] = person("alice").get(f"requests/{asked.pk}/").json()
    found: dict[str, set[str]] = {}
    for line in body["lines"]:
        for delivery in line["deliveries"]:
            state = "read back" if delivery["applied_at"] else delivery["state"]
            found.setdefault(state, set()).add(delivery["endpoint"])
    return body["state"], found


def test_seven_services_in_two_regions_become_true_one_of_them_later(stage: Stage) -> None:
    region = stage.cloud.regions[1]
    silent = f"{DOWN}-{region}"
    others = {each for service in SERVICES for each in stage.endpoints(service)} - {silent}
    asked = ask(stage, {key: n for lines in ASKED.values() for key, n in lines.items()})

    # Decided, and nothing is said to be done.
    assert f"0 of {LINES} granted lines applied" in words(f"/requests/{asked.pk}/")
    state, found = rest(asked)
    assert (state, found.keys()) == ("applying", {"due"})

    with stage.cloud.proxy.add_fault("refuse", service="share", region=region):
        for endpoint in [*sorted(others), silent]:
            stage.work_at(endpoint)
        # In this region six are applied, and one is tried again.
        assert stage.target(silent).state == TargetState.RETRYING
        page = words(f"/requests/{asked.pk}/")
        assert f"{LINES - 1} of {LINES} granted lines applied" in page
        named = stage.target(silent).endpoint.name
        says = f"{named} has not taken the change yet; Remit tries again by itself"
        assert says in page
        assert says in words(f"/projects/{SLUG}/")
        assert rest(asked) == ("applying", {"read back": others, "retrying": {silent}})
        for service in SERVICES:
            for each in stage.cloud.regions:
                is_true = f"{service}-{each}" != silent
                wanted = GRANTED[service] if is_true else dict.fromkeys(GRANTED[service], 0)
                assert stage.figures(service, each) == wanted, (service, each)

    assert stage.work_at(silent) == TargetState.APPLIED
    assert stage.figures(DOWN, region) == GRANTED[DOWN]
    page = words(f"/requests/{asked.pk}/")
    assert f"{LINES} of {LINES} granted lines applied" in page
    assert says not in page + words(f"/projects/{SLUG}/")
    assert rest(asked) == ("applied", {"read back": others | {silent}})
    assert audit() == []


def test_an_access_is_granted_and_revoked_and_said_in_words(stage: Stage) -> None:
    regions = stage.cloud.regions
    ask(stage, ASKED["flavors"])
    assert set(stage.work("flavors")) == {TargetState.APPLIED}
    assert [stage.figures("flavors", each) for each in regions] == [{"gpu.large": 1}] * 2
    project = words(f"/projects/{SLUG}/")
    assert ">granted</data>" in project

    gone = ask(stage, {"compute-a.gpu": 0})
    assert set(stage.work("flavors")) == {TargetState.APPLIED}
    assert [stage.figures("flavors", each) for each in regions] == [{"gpu.large": 0}] * 2
    page = words(f"/requests/{gone.pk}/")
    assert "2 of 2 granted lines applied" in page
    assert ">not granted</data>" in page
