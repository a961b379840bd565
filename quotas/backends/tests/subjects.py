"""The services behind our drivers, as the conformance suite handles them: on the sandbox, and on
real services of two releases.
"""

import urllib.parse
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import yaml

from contrib.testing.cells import CelledNova
from contrib.testing.clouds import SandboxSite, Site
from contrib.testing.plain import PlainClient
from contrib.testing.rows import change
from quotas.backends import EndpointConfig, QuotaDriver
from quotas.backends.cinder import CinderDriver
from quotas.backends.conformance import Below, Subject, Unknown
from quotas.backends.manila import ManilaDriver
from quotas.backends.neutron import NeutronDriver
from quotas.backends.nova import NovaDriver
from quotas.backends.octavia import OctaviaDriver


class CloudSubject(Subject):
    """A service of one region of a site. `service` is the catalogue's type; `override` what
    clouds.yaml calls the service; `bench` what the sandbox does."""

    driver_class: ClassVar[Any]
    service: ClassVar[str]
    override: ClassVar[str]
    bench: ClassVar[str]

    def __init__(self, site: Site, number: int, folder: Path) -> None:
        self.site = site
        self.region = site.regions[number]
        self.is_newer = number == 1
        self.is_sandbox = isinstance(site, SandboxSite)
        self._folder = folder
        self._made: list[Path] = []
        found = urllib.parse.urlsplit(self.endpoint)
        self.address = f"{found.scheme}://{found.netloc}"

    @property
    def plain(self) -> PlainClient:
        return self.site.plain

    @property
    def endpoint(self) -> str:
        """The service's address by the catalogue."""
        return self.plain.endpoints[self.service, self.region]

    def driver(self, address: str, **options: Any) -> QuotaDriver:
        """Through a clouds.yaml of its own, in which the service is at the address."""
        found = yaml.safe_load(self.site.clouds_yaml.read_text())
        path = urllib.parse.urlsplit(self.endpoint).path
        found["clouds"][self.site.cloud][f"{self.override}_endpoint_override"] = address + path
        file = self._folder / f"{uuid.uuid4().hex}.yaml"
        file.write_text(yaml.safe_dump(found))
        made: QuotaDriver = self.driver_class(
            EndpointConfig(
                slug="subject",
                driver=self.driver_class.__name__,
                cloud=self.site.cloud,
                region_name=self.region,
                options=options,
                clouds_file=str(file),
            )
        )
        return made

    def new_project(self) -> str:
        body = {"project": {"name": f"p-{uuid.uuid4().hex[:20]}", "domain_id": "default"}}
        made = self.plain.done("POST", "identity", "/projects", body)
        return str(made["project"]["id"])

    def gone_project(self) -> str:
        project = self.new_project()
        self.plain.done("DELETE", "identity", f"/projects/{project}")
        return project

    def limits(self, project_id: str) -> Mapping[str, int]:
        found = dict(self.ask("GET", f"/os-quota-sets/{project_id}")["quota_set"])
        found.pop("id", None)
        return found

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A call past the driver that must succeed."""
        return self.plain.done(method, self.service, path, body, region=self.region)

    def use(self, project_id: str, key: str, count: int) -> None:
        if isinstance(self.site, SandboxSite):
            self.site.sandbox.set_usage(project_id, self.region, self.bench, {key: count})
        else:
            self.use_really(project_id, key, count)

    def use_really(self, project_id: str, key: str, count: int) -> None:
        raise NotImplementedError

    @cached_property
    def admin_role(self) -> str:
        roles = self.plain.done("GET", "identity", "/roles")["roles"]
        return str(next(role["id"] for role in roles if role["name"] == "admin"))

    def inside(self, project_id: str) -> PlainClient:
        """Signed in to the project itself, where a service takes its projects from the token."""
        grant = f"/projects/{project_id}/users/{self.plain.user_id}/roles/{self.admin_role}"
        self.plain.done("PUT", "identity", grant)
        return PlainClient(self.site.clouds_yaml, self.site.cloud, project_id=project_id)


class NovaSubject(CloudSubject):
    driver_class, service, override, bench = NovaDriver, "compute", "compute", "compute"
    keys: Sequence[str] = ("cores", "ram", "instances")
    usable: Sequence[str] = ("instances", "cores")

    def __init__(self, site: Site, number: int, folder: Path) -> None:
        super().__init__(site, number, folder)
        self._instances: dict[str, int] = {}

    def use(self, project_id: str, key: str, count: int) -> None:
        # Each has one core: as many of these. To make them takes seconds on real services.
        if self._instances.get(project_id) != count:
            self.site.set_instances(self.region, project_id, count)
            self._instances[project_id] = count

    @contextmanager
    def short_of_a_part(self) -> Iterator[None]:
        assert isinstance(self.site, SandboxSite)
        self.site.sandbox.set_cell_down(self.region)
        try:
            yield
        finally:
            self.site.sandbox.set_cell_down(self.region, is_down=False)


class CelledNovaSubject(CloudSubject):
    """A real Nova with two cells (contrib/testing/cells.py)."""

    driver_class, service, override = NovaDriver, "compute", "compute"
    keys: Sequence[str] = NovaSubject.keys
    usable: Sequence[str] = ("instances",)

    def __init__(self, site: Site, number: int, folder: Path, nova: CelledNova) -> None:
        super().__init__(site, number, folder)
        self._nova = nova
        self.address = nova.address

    def use(self, project_id: str, key: str, count: int) -> None:
        self._nova.add_instances(project_id, count)

    def short_of_a_part(self) -> AbstractContextManager[None]:
        return self._nova.cell_down()


class CinderSubject(CloudSubject):
    driver_class, service, override, bench = CinderDriver, "volumev3", "block_storage", "volume"
    below = Below.EITHER
    unknown = Unknown.ANSWERED
    missing: Sequence[str] = ("gigabytes_no-such-type", "volumes_no-such-type")

    @property
    def volume_type(self) -> str:
        return self.site.volume_types[0]

    @property
    def keys(self) -> Sequence[str]:  # type: ignore[override]  # of the site
        return ("volumes", "gigabytes", f"gigabytes_{self.volume_type}")

    @property
    def usable(self) -> Sequence[str]:  # type: ignore[override]  # of the site
        return ("volumes", f"gigabytes_{self.volume_type}")

    def use(self, project_id: str, key: str, count: int) -> None:
        self.site.set_volumes(self.region, project_id, count, gib=1, volume_type=self.volume_type)


class NeutronSubject(CloudSubject):
    driver_class, service, override, bench = NeutronDriver, "network", "network", "network"
    keys: Sequence[str] = ("network", "port", "security_group_rule")
    usable: Sequence[str] = ("network", "router")
    unknown = Unknown.ANSWERED

    @property
    def below(self) -> Below:  # type: ignore[override]  # of the release
        return Below.REFUSED if self.is_newer else Below.TAKEN

    def limits(self, project_id: str) -> Mapping[str, int]:
        return dict(self.ask("GET", f"/v2.0/quotas/{project_id}")["quota"])

    def use_really(self, project_id: str, key: str, count: int) -> None:
        path = f"/v2.0/{key}s"
        rows = self.ask("GET", f"{path}?project_id={project_id}&fields=id")[f"{key}s"]
        for row in rows[count:]:
            self.ask("DELETE", f"{path}/{row['id']}")
        for _ in range(count - len(rows)):
            self.ask("POST", path, {key: {"name": "used", "project_id": project_id}})


class ManilaSubject(CloudSubject):
    driver_class, service, override, bench = ManilaDriver, "sharev2", "shared_file_system", "share"
    keys: Sequence[str] = ("shares", "gigabytes", "snapshots")
    usable: Sequence[str] = ("shares", "gigabytes")
    missing: Sequence[str] = ("gigabytes_no-such-type", "shares_no-such-type")
    unknown = Unknown.ANSWERED

    @property
    def share_type(self) -> str:
        return "storage-a" if self.is_sandbox else "zone-a"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return _with_version(self.plain).done(method, self.service, path, body, region=self.region)

    def limits(self, project_id: str) -> Mapping[str, int]:
        found = dict(self.ask("GET", f"/quota-sets/{project_id}")["quota_set"])
        found.pop("id")
        return found

    def use(self, project_id: str, key: str, count: int) -> None:
        if isinstance(self.site, SandboxSite):
            used = {f"{kind}_{self.share_type}": count for kind in ("shares", "gigabytes")}
            self.site.sandbox.set_usage(project_id, self.region, self.bench, used)
            return
        inside = _with_version(self.inside(project_id))
        rows = inside.done("GET", self.service, "/shares", region=self.region)["shares"]
        for row in rows[count:]:
            path = f"/shares/{row['id']}/action"
            inside.done("POST", self.service, path, {"force_delete": None}, region=self.region)
        for _ in range(count - len(rows)):
            share = {"share_proto": "NFS", "size": 1, "share_type": self.share_type}
            inside.done("POST", self.service, "/shares", {"share": share}, region=self.region)

    def replicate(self, project_id: str) -> str:
        """The project has one share of 2 GiB that is replicated, once so far; its type."""
        if isinstance(self.site, SandboxSite):
            used = {"shares": 1, "gigabytes": 2, "share_replicas": 1, "replica_gigabytes": 2}
            of_type = {f"{key}_{self.share_type}": value for key, value in used.items()}
            self.site.sandbox.set_usage(project_id, self.region, self.bench, of_type)
            return self.share_type
        name = f"replicated-{uuid.uuid4().hex[:12]}"
        specs = {"driver_handles_share_servers": "false", "replication_type": "dr"}
        self.ask("POST", "/types", {"share_type": {"name": name, "extra_specs": specs}})
        inside = _with_version(self.inside(project_id))
        share = {"share_proto": "NFS", "size": 2, "share_type": name}
        made = inside.done("POST", self.service, "/shares", {"share": share}, region=self.region)
        # Counted from the first moment, and listed once an agent has made it.
        statement = "UPDATE share_instances SET replica_state = 'active' WHERE share_id = %s"
        assert change(self.region, "manila", statement, made["share"]["id"]) == 1
        return name


class ShareTypeSubject(ManilaSubject):
    """The limits of a share type, in projects whose own are as high as can be."""

    @property
    def keys(self) -> Sequence[str]:  # type: ignore[override]  # of the site
        return tuple(f"{kind}_{self.share_type}" for kind in ("shares", "gigabytes"))

    @property
    def usable(self) -> Sequence[str]:  # type: ignore[override]  # of the site
        return self.keys

    def limits(self, project_id: str) -> Mapping[str, int]:
        path = f"/quota-sets/{project_id}?share_type={self.share_type}"
        found = dict(self.ask("GET", path)["quota_set"])
        found.pop("id")
        return {f"{key}_{self.share_type}": value for key, value in found.items()}

    def new_project(self) -> str:
        return self._opened(super().new_project())

    def gone_project(self) -> str:
        return self._opened(super().gone_project())

    def _opened(self, project_id: str) -> str:
        most = dict.fromkeys(("shares", "gigabytes"), 2**31 - 1)
        self.ask("PUT", f"/quota-sets/{project_id}", {"quota_set": most})
        return project_id


class OctaviaSubject(CloudSubject):
    driver_class, service, override = OctaviaDriver, "load-balancer", "load_balancer"
    bench = "balancer"
    keys: Sequence[str] = ("load_balancer", "l7rule", "member")
    usable: Sequence[str] = ("load_balancer", "pool", "member")
    below = Below.TAKEN
    unknown = Unknown.ANSWERED

    def limits(self, project_id: str) -> Mapping[str, int]:
        return dict(self.ask("GET", f"/v2/lbaas/quotas/{project_id}")["quota"])

    def use(self, project_id: str, key: str, count: int) -> None:
        if isinstance(self.site, SandboxSite):
            used = {"pool": 1, key: count} if key == "member" else {key: count}
            self.site.sandbox.set_usage(project_id, self.region, self.bench, used)
            return
        name = {"load_balancer": "loadbalancers", "pool": "pools"}.get(key)
        if name is None:
            self._use_members(project_id, count)
            return
        path = f"/v2/lbaas/{name}"
        rows = self.ask("GET", f"{path}?project_id={project_id}")[name]
        for row in rows[count:]:
            self.ask("DELETE", f"{path}/{row['id']}")
        for _ in range(count - len(rows)):
            self._make(project_id, key)

    def _make(self, project_id: str, key: str) -> str:
        if key == "load_balancer":
            subnet = self._subnet(project_id)
            body: dict[str, Any] = {"loadbalancer": {"vip_subnet_id": subnet}}
        else:
            rows = self.ask("GET", f"/v2/lbaas/loadbalancers?project_id={project_id}")
            balancers = [row["id"] for row in rows["loadbalancers"]]
            balancer = balancers[0] if balancers else self._make(project_id, "load_balancer")
            pool = {"lb_algorithm": "ROUND_ROBIN", "protocol": "HTTP", "loadbalancer_id": balancer}
            body = {"pool": pool}
        what = next(iter(body))
        body[what]["project_id"] = project_id
        made = self.ask("POST", f"/v2/lbaas/{what}s", body)[what]
        return str(made["id"])

    def _use_members(self, project_id: str, count: int) -> None:
        # Anew each time: nobody removes the row of a member here, and its pool would go on listing
        # it, as no real one does.
        self.use(project_id, "pool", 0)
        pool = self._make(project_id, "pool")
        for number in range(count):
            member = {"address": f"192.0.2.{number + 1}", "protocol_port": 80}
            fields = {"member": {**member, "project_id": project_id}}
            self.ask("POST", f"/v2/lbaas/pools/{pool}/members", fields)

    def _subnet(self, project_id: str) -> str:
        def network(path: str, body: Any) -> Any:
            return self.plain.done("POST", "network", path, body, region=self.region)

        fields = {"name": "vip", "project_id": project_id}
        made = network("/v2.0/networks", {"network": fields})["network"]
        subnet = {**fields, "network_id": made["id"], "ip_version": 4, "cidr": "198.51.100.0/24"}
        return str(network("/v2.0/subnets", {"subnet": subnet})["subnet"]["id"])


def _with_version(plain: PlainClient) -> PlainClient:
    """Manila answers nothing about quotas without a version."""
    plain.headers["X-OpenStack-Manila-API-Version"] = "2.62"
    return plain
