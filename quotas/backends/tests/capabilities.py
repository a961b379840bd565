"""Limits that lie in Keystone, and access to flavors and volume types, as the conformance suite
handles them."""

import urllib.parse
import uuid
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from contrib.testing.clouds import Site
from quotas.backends import QuotaDriver
from quotas.backends.access import FlavorAccessDriver, TypeAccessDriver
from quotas.backends.conformance import Below, Subject, Unknown
from quotas.backends.keystone_limits import KeystoneLimitsDriver
from quotas.backends.tests.subjects import CloudSubject


class KeystoneLimitsSubject(CloudSubject):
    """Limits of Nova in Keystone. Nova itself need not enforce them to be asked what is used."""

    driver_class, service, override, bench = KeystoneLimitsDriver, "identity", "identity", "compute"
    keys: Sequence[str] = ("servers", "class:VCPU", "class:MEMORY_MB")
    usable: Sequence[str] = ("servers", "class:VCPU")
    missing: Sequence[str] = ("class:NOT_REGISTERED",)
    below = Below.TAKEN
    unknown = Unknown.REFUSED

    def __init__(self, site: Site, number: int, folder: Path) -> None:
        super().__init__(site, number, folder)
        where = {"service_id": self._compute, "region_id": self.region}
        query = urllib.parse.urlencode(where)
        rows = self.ask("GET", f"/registered_limits?{query}")["registered_limits"]
        known = {row["resource_name"] for row in rows}
        wanted = [
            {**where, "resource_name": key, "default_limit": 10}
            for key in self.keys
            if key not in known
        ]
        if wanted:
            self.ask("POST", "/registered_limits", {"registered_limits": wanted})

    @property
    def endpoint(self) -> str:
        return str(self.plain._identity)

    @cached_property
    def _compute(self) -> str:
        return str(self.ask("GET", "/services?type=compute")["services"][0]["id"])

    def limits(self, project_id: str) -> Mapping[str, int]:
        where = {"service_id": self._compute, "region_id": self.region}
        query = urllib.parse.urlencode(where)
        registered = self.ask("GET", f"/registered_limits?{query}")["registered_limits"]
        found = {row["resource_name"]: row["default_limit"] for row in registered}
        rows = self.ask("GET", f"/limits?{query}&project_id={project_id}")["limits"]
        return found | {row["resource_name"]: row["resource_limit"] for row in rows}

    def use(self, project_id: str, key: str, count: int) -> None:
        self.site.set_instances(self.region, project_id, count)


class AccessSubject(CloudSubject):
    """Things that were made for the test; one that is public is missing from what can be set."""

    unknown = Unknown.ANSWERED
    what: ClassVar[str]
    public: ClassVar[str]
    path: ClassVar[str]
    access: ClassVar[tuple[str, str, str]]

    def __init__(self, site: Site, number: int, folder: Path) -> None:
        super().__init__(site, number, folder)
        self.ids = {name: self.made(name) for name in self._names}

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(f"private-{uuid.uuid4().hex[:12]}" for _ in range(2))

    @property
    def keys(self) -> Sequence[str]:  # type: ignore[override]  # of this run
        return self._names

    def made(self, name: str, *, is_public: bool = False) -> str:
        body = {self.what: {"name": name, self.public: is_public, **self.fields()}}
        return str(self.ask("POST", self.path, body)[self.what]["id"])

    def fields(self) -> dict[str, Any]:
        return {}

    def limits(self, project_id: str) -> Mapping[str, int]:
        tail, name, project = self.access
        found = {}
        for key, each in self.ids.items():
            rows = self.ask("GET", f"{self.path}/{each}/{tail}")[name]
            found[key] = int(project_id in {row[project] for row in rows})
        return found


class FlavorAccessSubject(AccessSubject):
    driver_class, service, override, bench = FlavorAccessDriver, "compute", "compute", "compute"
    unknown = Unknown.READ
    what, public, path = "flavor", "os-flavor-access:is_public", "/flavors"
    access = ("os-flavor-access", "flavor_access", "tenant_id")

    def fields(self) -> dict[str, Any]:
        return {"ram": 64, "vcpus": 1, "disk": 0}


class TypeAccessSubject(AccessSubject):
    driver_class, service, override, bench = TypeAccessDriver, "volumev3", "block_storage", "volume"
    what, public, path = "volume_type", "os-volume-type-access:is_public", "/types"
    access = ("os-volume-type-access", "volume_type_access", "project_id")


def public_one(subject: Subject) -> tuple[QuotaDriver, str]:
    """The driver, and the name of something that is for everybody."""
    assert isinstance(subject, AccessSubject)
    name = f"public-{uuid.uuid4().hex[:12]}"
    subject.made(name, is_public=True)
    return subject.driver(subject.address), name
