"""What the sandbox cloud holds, and how it outlives a restart.

One lock guards everything; each change is written to the state file as a whole, by
replacement, so that a kill at any moment leaves the file of before or of after.
"""

import json
import os
import secrets
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

DOMAIN = "default"
REGIONS = {"geneva": "xena", "prevessin": "2026.1"}
VOLUME_TYPES = ("storage-a", "storage-b", "storage-c")
SHARE_TYPES = ("storage-a", "storage-b", "storage-c")
# What only some projects may use: a flavor, and a volume type that nothing is counted of.
PRIVATE = {"Flavor": "gpu.large", "Volume type": "fast"}
ROLES = ("admin", "member", "reader", "service")


@dataclass
class Project:
    id: str
    name: str
    description: str = ""
    enabled: bool = True
    domain_id: str = DOMAIN
    parent_id: str = DOMAIN
    tags: list[str] = field(default_factory=list)


@dataclass
class User:
    id: str
    name: str
    password: str
    enabled: bool = True
    domain_id: str = DOMAIN
    # As Keystone shows it: [{"idp_id", "protocols": [{"protocol_id", "unique_id"}]}].
    federated: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Group:
    id: str
    name: str
    description: str = ""
    domain_id: str = DOMAIN


@dataclass(frozen=True)
class Token:
    user_id: str
    project_id: str | None
    roles: tuple[str, ...]


@dataclass
class Usage:
    """What a project uses of one key, in the service's units."""

    used: int = 0
    reserved: int = 0


@dataclass
class Offer:
    """A flavor or a volume type, and who may use it where it is private."""

    id: str
    name: str
    is_public: bool = True
    projects: list[str] = field(default_factory=list)


def _no_quota() -> dict[str, int]:
    return {"enabled": 0, "max_size": -1, "max_objects": -1}


@dataclass
class StorageUser:
    """A user of the object storage; buckets are {name: {object: bytes}}."""

    uid: str
    access_key: str = field(default_factory=lambda: secrets.token_hex(10).upper())
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(30))
    max_buckets: int = 1000
    quotas: dict[str, dict[str, int]] = field(
        default_factory=lambda: {"user": _no_quota(), "bucket": _no_quota()}
    )
    buckets: dict[str, dict[str, int]] = field(default_factory=dict)

    def total(self) -> tuple[int, int]:
        """Bytes and objects of all buckets."""
        sizes = [size for bucket in self.buckets.values() for size in bucket.values()]
        return sum(sizes), len(sizes)


@dataclass
class Gateway:
    """The object storage of a region; the keys are its administrator's."""

    access_key: str = field(default_factory=lambda: secrets.token_hex(10).upper())
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(30))
    users: dict[str, StorageUser] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """How Keystone lists.

    most: the projects of one answer, and the last at which a search by tag looks (the newer
    releases' `max_db_limit`). has_pages: one can ask for the next ones; without, `most` is the
    `list_limit` that older releases lack by default, and bounds every list.
    """

    most: int = 1000
    has_pages: bool = True


def new_id() -> str:
    return uuid.uuid4().hex


class Cloud:
    """The whole cloud. Hold `change()` while writing, `lock` while reading several things."""

    def __init__(self, path: Path | None, regions: dict[str, str] | None = None) -> None:
        self.lock = threading.RLock()
        self._path = path
        self.regions = dict(regions or REGIONS)
        self.listing = Listing()
        # The regions where a cell of Nova does not answer.
        self.regions_short_of_a_cell: set[str] = set()
        self.domains: dict[str, str] = {DOMAIN: "Default"}  # name by id
        self.projects: dict[str, Project] = {}
        self.users: dict[str, User] = {}
        self.groups: dict[str, Group] = {}
        self.roles: dict[str, str] = {}  # name by id
        self.grants: set[tuple[str, str, str]] = set()  # project, user or group, role ids
        # By "region/service/project", then by key: rows of their own, defaults are not here.
        self.limits: dict[str, dict[str, int]] = {}
        self.usage: dict[str, dict[str, Usage]] = {}
        # Keystone's registered limits and limits of projects, as it shows them.
        self.registered: list[dict[str, Any]] = []
        self.unified: list[dict[str, Any]] = []
        # By "region/kind", then by id.
        self.offers: dict[str, dict[str, Offer]] = {}
        self.gateways: dict[str, Gateway] = {}
        # Tokens live with the process: a restart makes every client sign in again.
        self.tokens: dict[str, Token] = {}
        if path is not None and path.exists():
            self._load(json.loads(path.read_text()))
        else:
            self._found()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Hold the lock, and write the state file at the end."""
        with self.lock:
            yield
            self._save()

    def limits_of(self, region: str, service: str, project_id: str) -> dict[str, int]:
        return self.limits.setdefault(f"{region}/{service}/{project_id}", {})

    def usage_of(self, region: str, service: str, project_id: str) -> dict[str, Usage]:
        return self.usage.setdefault(f"{region}/{service}/{project_id}", {})

    def holders(self, what: str, region: str, service: str) -> list[str]:
        """The projects of which there are "limits" or "usage" rows, by id; hold `lock`."""
        rows: dict[str, Any] = getattr(self, what)
        start = f"{region}/{service}/"
        return sorted(
            key.removeprefix(start) for key, row in rows.items() if row and key.startswith(start)
        )

    def project_called(self, name_or_id: str) -> Project | None:
        """By id, else by name."""
        with self.lock:
            named = (row for row in self.projects.values() if row.name == name_or_id)
            return self.projects.get(name_or_id) or next(named, None)

    def roles_of(self, user_id: str, project_id: str) -> tuple[str, ...]:
        return tuple(
            sorted(
                self.roles[role]
                for project, user, role in self.grants
                if project == project_id and user == user_id
            )
        )

    @property
    def admin(self) -> User:
        return next(user for user in self.users.values() if user.name == "admin")

    def gateway(self, region: str) -> Gateway:
        return self.gateways.setdefault(region, Gateway())

    def clouds_yaml(self, root: str) -> str:
        """A clouds.yaml with the one cloud `sandbox`, at this address. JSON is YAML."""
        login = {
            "auth_url": f"{root}/identity/v3",
            "username": self.admin.name,
            "password": self.admin.password,
            "project_name": "admin",
            "user_domain_id": DOMAIN,
            "project_domain_id": DOMAIN,
        }
        storage = {
            region: {
                "url": f"{root}/{region}/storage",
                "access_key": self.gateway(region).access_key,
                "secret_key": self.gateway(region).secret_key,
            }
            for region in sorted(self.regions)
        }
        cloud = {
            "auth": login,
            "regions": sorted(self.regions),
            "identity_api_version": "3",
            "rgw": storage,
        }
        return json.dumps({"clouds": {"sandbox": cloud}}, indent=2) + "\n"

    def _found(self) -> None:
        with self.change():
            self.roles = {new_id(): name for name in ROLES}
            admin = User(new_id(), "admin", secrets.token_urlsafe(18))
            home = Project(new_id(), "admin")
            self.users[admin.id] = admin
            self.projects[home.id] = home
            admin_role = next(key for key, name in self.roles.items() if name == "admin")
            self.grants.add((home.id, admin.id, admin_role))
            self._furnish()

    def _load(self, kept: dict[str, Any]) -> None:
        self.domains = dict(kept.get("domains", self.domains))
        self.projects = {row["id"]: Project(**row) for row in kept["projects"]}
        self.users = {row["id"]: User(**row) for row in kept["users"]}
        self.groups = {row["id"]: Group(**row) for row in kept.get("groups", [])}
        self.roles = dict(kept["roles"])
        self.grants = {(row[0], row[1], row[2]) for row in kept["grants"]}
        self.limits = {key: dict(rows) for key, rows in kept["limits"].items()}
        self.usage = {
            key: {name: Usage(**row) for name, row in rows.items()}
            for key, rows in kept["usage"].items()
        }
        self.registered = list(kept.get("registered", []))
        self.unified = list(kept.get("unified", []))
        self.offers = {
            key: {row["id"]: Offer(**row) for row in rows}
            for key, rows in kept.get("offers", {}).items()
        }
        for region, row in kept.get("gateways", {}).items():
            users = {each["uid"]: StorageUser(**each) for each in row.pop("users")}
            self.gateways[region] = Gateway(**row, users=users)
        self._furnish()

    def _furnish(self) -> None:
        """What each region has from the start."""
        for region in self.regions:
            self.gateway(region)
            types = {name: Offer(name, name) for name in VOLUME_TYPES}
            self.offers.setdefault(f"{region}/Volume type", types)
            for kind, name in PRIVATE.items():
                offers = self.offers.setdefault(f"{region}/{kind}", {})
                offers.setdefault(name, Offer(name, name, is_public=False))

    def _save(self) -> None:
        if self._path is None:
            return
        write_private(
            self._path,
            json.dumps(
                {
                    "domains": self.domains,
                    "projects": [asdict(row) for row in self.projects.values()],
                    "users": [asdict(row) for row in self.users.values()],
                    "groups": [asdict(row) for row in self.groups.values()],
                    "roles": self.roles,
                    "grants": sorted(self.grants),
                    "limits": self.limits,
                    "usage": {
                        key: {name: asdict(row) for name, row in rows.items()}
                        for key, rows in self.usage.items()
                    },
                    "registered": self.registered,
                    "unified": self.unified,
                    "offers": {
                        key: [asdict(row) for row in rows.values()]
                        for key, rows in self.offers.items()
                    },
                    "gateways": {
                        region: {
                            **asdict(gateway),
                            "users": [asdict(user) for user in gateway.users.values()],
                        }
                        for region, gateway in self.gateways.items()
                    },
                },
                indent=1,
            ),
        )


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
