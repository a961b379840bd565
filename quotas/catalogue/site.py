"""What a site's file says, as plain records; each knows its line. No queries, no checks."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Resource:
    slug: str
    name: str
    unit: str
    step: int
    is_access: bool
    order: int
    line: int


@dataclass(frozen=True)
class Region:
    slug: str
    name: str
    order: int
    line: int


@dataclass(frozen=True)
class Zone:
    region: str
    slug: str
    name: str
    kind: str
    order: int
    line: int

    @property
    def key(self) -> str:
        """As offerings and sentences call it: "geneva.compute-a"."""
        return f"{self.region}.{self.slug}"


@dataclass(frozen=True)
class Manners:
    """How an endpoint is treated: calls at once and a second (None: the setting's), drift."""

    concurrency: int | None = None
    calls_per_second: int | None = None
    drift: str = "report"


@dataclass(frozen=True)
class Endpoint:
    """`region` and `identity` are slugs; empty: none, as with an identity endpoint."""

    slug: str
    name: str
    region: str
    driver: str
    cloud: str
    region_name: str
    identity: str
    options: dict[str, Any]
    manners: Manners
    line: int


@dataclass(frozen=True)
class Limit:
    endpoint: str
    key: str
    name: str
    unit: str
    step: int
    order: int
    line: int


@dataclass(frozen=True)
class Feed:
    """An offering feeds a limit: (endpoint, key, factor)."""

    endpoint: str
    key: str
    factor: int
    line: int


@dataclass(frozen=True)
class Offering:
    region: str
    zone: str
    resource: str
    feeds: tuple[Feed, ...]
    line: int

    @property
    def slug(self) -> str:
        return f"{self.region}.{self.zone}.{self.resource}"


@dataclass(frozen=True)
class Capacity:
    offering: str
    amount: int
    overcommit: Decimal
    as_of: date
    line: int


@dataclass(frozen=True)
class Preset:
    """`increases`: {offering slug: base units}."""

    slug: str
    name: str
    region: str
    order: int
    increases: dict[str, int]
    line: int


@dataclass(frozen=True)
class Unit:
    slug: str
    name: str
    parent: str
    line: int


@dataclass(frozen=True)
class ExternalId:
    """What an identity endpoint calls somebody; `identity` is its slug, empty: the only one."""

    identity: str
    value: str
    line: int


@dataclass(frozen=True)
class Person:
    """`handle` is how this file calls them; `password` opens a local account once."""

    handle: str
    issuer: str
    subject: str
    name: str
    mail: str
    password: str
    external_ids: tuple[ExternalId, ...]
    line: int


@dataclass(frozen=True)
class Group:
    """`members` are handles, {handle: line}; None: the file does not say who is in it."""

    handle: str
    issuer: str
    external_id: str
    name: str
    members: dict[str, int] | None
    external_ids: tuple[ExternalId, ...]
    line: int


@dataclass(frozen=True)
class Role:
    """`holder` is a person's handle, or a group's with `is_group`; `role` "": it ends."""

    holder: str
    is_group: bool
    role: str
    line: int


@dataclass(frozen=True)
class Project:
    slug: str
    name: str
    unit: str
    description: str
    kind: str
    roles: tuple[Role, ...]
    line: int


@dataclass(frozen=True)
class Holiday:
    on: date
    name: str
    line: int


@dataclass
class Site:
    """Everything that a file says, in its order."""

    resources: dict[str, Resource] = field(default_factory=dict)
    regions: dict[str, Region] = field(default_factory=dict)
    zones: dict[str, Zone] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    limits: dict[tuple[str, str], Limit] = field(default_factory=dict)
    offerings: dict[str, Offering] = field(default_factory=dict)
    capacities: list[Capacity] = field(default_factory=list)
    presets: dict[str, Preset] = field(default_factory=dict)
    units: dict[str, Unit] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    # By their days; None: the file says nothing about them.
    holidays: dict[date, Holiday] | None = None
