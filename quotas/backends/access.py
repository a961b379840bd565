"""What a project may use at all: private flavors of Nova, private volume types of Cinder.

A limit of 1 is access, 0 is none: granted and revoked. What is public is for everybody: that
reads as unlimited, and is refused when it is written (`not_private`). Keys are names, or ids.
Whoever loses access keeps what was made meanwhile; nobody counts that as use, so none is told.
Cinder grants also to projects that do not exist.

One reading is the list of what there is and a call for each key that is asked for: an access
list, which holds all projects. So for all projects at once it costs the same. No options.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from quotas.backends.base import UNLIMITED, EndpointConfig, Figure, KeySpec, Survey
from quotas.backends.counting import Counting, checked_id, unknown_key
from quotas.backends.deadline import TimeLeft
from quotas.backends.errors import BackendError, Kind, broken
from quotas.backends.openstack import Service
from quotas.backends.sorting import Rule


@dataclass(frozen=True)
class Capability:
    """Something that a project may use or not."""

    external_id: str
    is_public: bool


class AccessDriver(Counting, ABC):
    """Access to what a service has by name; subclasses say where that is."""

    SPECS = (KeySpec("*", "", 1, 1),)
    SERVICE_TYPE: ClassVar[str]
    RULES: ClassVar[tuple[Rule, ...]]
    # The list, what it is called in its answer, and of a row what says that it is for all.
    LIST: ClassVar[tuple[str, str, str]]
    # An access list: its path, what it is called in its answer, what a project is in a row.
    ACCESS: ClassVar[tuple[str, str, str]]
    GRANT: ClassVar[str]
    REVOKE: ClassVar[str]
    PROJECT: ClassVar[str]

    def __init__(self, config: EndpointConfig) -> None:
        self._service = Service(config, self.SERVICE_TYPE, rules=self.RULES)

    @abstractmethod
    def _action(self, found: Capability) -> str:
        """The path that access is granted and revoked at."""

    def read(
        self, project_id: str, keys: Iterable[str] | None = None, *, timeout: float
    ) -> dict[str, Figure]:
        checked_id(project_id)
        left = TimeLeft(timeout)
        known = self._known(left)
        found = {}
        for key in _private(known) if keys is None else keys:
            capability = _named(known, key)
            if capability is None:
                continue
            if capability.is_public:
                found[key] = Figure(UNLIMITED)
            else:
                found[key] = Figure(int(project_id in self._holders(capability, left)))
        return found

    def write(self, project_id: str, values: Mapping[str, int], *, timeout: float) -> None:
        self.check(values)
        checked_id(project_id)
        if not values:
            return
        left = TimeLeft(timeout)
        known = self._known(left)
        # All of them before the first: what cannot be is refused whole.
        chosen = [(self._checked(known, key), value) for key, value in values.items()]
        for number, (capability, value) in enumerate(chosen):
            try:
                self._set(capability, project_id, value, left)
            except BackendError as error:
                error.uncertain = error.uncertain or number > 0
                raise

    def survey(self, keys: Iterable[str] | None = None, *, timeout: float) -> Survey:
        left = TimeLeft(timeout)
        known = self._known(left)
        private = set(_private(known)) if keys is None else set(keys)
        figures: defaultdict[str, dict[str, Figure]] = defaultdict(dict)
        surveyed = set()
        for key in sorted(private):
            capability = _named(known, key)
            if capability is None or capability.is_public:
                continue
            surveyed.add(key)
            for project in self._holders(capability, left):
                figures[project][key] = Figure(1)
        return Survey(
            figures,
            counted=frozenset(),
            bounded=frozenset(surveyed),
            # Who is not on an access list has none.
            defaults=dict.fromkeys(surveyed, 0),
        )

    def _known(self, left: TimeLeft) -> dict[str, Capability]:
        """{name: what there is}, public or not."""
        path, name, public = self.LIST
        rows = self._service.rows(path, name, left, query={"is_public": "None"})
        return {
            str(row.get("name")): Capability(str(row["id"]), row.get(public) is not False)
            for row in rows
        }

    def _holders(self, capability: Capability, left: TimeLeft) -> frozenset[str]:
        """The projects that have access."""
        path, name, project = self.ACCESS
        answer = self._service.call("GET", path.format(capability.external_id), timeout=left())
        rows = answer.get(name)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise broken(str(answer))
        return frozenset(str(row.get(project)) for row in rows)

    def _checked(self, known: Mapping[str, Capability], key: str) -> Capability:
        found = _named(known, key)
        if found is None:
            raise unknown_key(self.SERVICE, key)
        if found.is_public:
            raise BackendError(
                Kind.REFUSED, "not_private", f"{key} is public: everybody may use it"
            )
        return found

    def _set(self, capability: Capability, project_id: str, value: int, left: TimeLeft) -> None:
        body = {self.GRANT if value else self.REVOKE: {self.PROJECT: project_id}}
        try:
            answer = self._service.call("POST", self._action(capability), body=body, timeout=left())
        except BackendError as error:
            # Granted already, or nothing to revoke: it is as it should be.
            if error.code != ("granted" if value else "not_granted"):
                raise
            return
        if answer and self.ACCESS[1] not in answer:
            raise broken(str(answer), uncertain=True)


def _private(known: Mapping[str, Capability]) -> list[str]:
    return [name for name, found in known.items() if not found.is_public]


def _named(known: Mapping[str, Capability], key: str) -> Capability | None:
    """By its name, else by its id."""
    by_id = (each for each in known.values() if each.external_id == key)
    return known.get(key) or next(by_id, None)


class FlavorAccessDriver(AccessDriver):
    """Who may use Nova's private flavors."""

    SERVICE = "Nova"
    SERVICE_TYPE = "compute"
    RULES = (
        Rule(409, "access already exists", "granted"),
        Rule(404, "access not found", "not_granted"),
        Rule(404, "flavor .* could not be found", "unknown_key"),
        Rule(400, "is not a valid project", "project_gone"),
    )
    LIST = ("/flavors/detail", "flavors", "os-flavor-access:is_public")
    ACCESS = ("/flavors/{}/os-flavor-access", "flavor_access", "tenant_id")
    GRANT, REVOKE, PROJECT = "addTenantAccess", "removeTenantAccess", "tenant"

    def _action(self, found: Capability) -> str:
        return f"/flavors/{found.external_id}/action"


class TypeAccessDriver(AccessDriver):
    """Who may use Cinder's private volume types."""

    SERVICE = "Cinder"
    SERVICE_TYPE = "block-storage"
    RULES = (
        Rule(409, "already exists", "granted"),
        Rule(404, "access not found", "not_granted"),
        Rule(404, "volume type .* could not be found", "unknown_key"),
    )
    LIST = ("/types", "volume_types", "is_public")
    ACCESS = ("/types/{}/os-volume-type-access", "volume_type_access", "project_id")
    GRANT, REVOKE, PROJECT = "addProjectAccess", "removeProjectAccess", "project"

    def _action(self, found: Capability) -> str:
        return f"/types/{found.external_id}/action"
