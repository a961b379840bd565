"""What a driver is: the two protocols that a driver's author implements.

A driver speaks the service's own units and keys and knows nothing of projects,
promises or people. It never decides: it reads, writes what it is given, and sorts
what went wrong into one `BackendError`.

Every call takes `timeout`: seconds for all of it, signing in included. When they are
over the call has ended and nothing more is sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

UNLIMITED: Final = -1
"""The limit of a key that the service does not bound. Never a wish of ours: drift."""


@dataclass(frozen=True)
class EndpointConfig:
    """One service of one region, as a driver is made from it.

    `cloud` names the entry in clouds.yaml that holds address and credentials;
    `clouds_file` says which file, None leaves it to the places where the client library
    looks. `region_name` is the region's name in the cloud's own catalogue, None the only
    or first one. `options` are the driver's own, listed in its docstring.
    """

    slug: str
    driver: str
    cloud: str
    region_name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    clouds_file: str | None = None


@dataclass(frozen=True)
class Figure:
    """What a service says about one key, in the service's own units.

    None means that the service did not say, which is not zero.
    """

    limit: int | None
    used: int | None = None
    reserved: int | None = None

    @property
    def is_unlimited(self) -> bool:
        return self.limit is not None and self.limit <= UNLIMITED

    @property
    def floor(self) -> int | None:
        """What is taken, reservations included: a limit below it is below usage."""
        if self.used is None:
            return None
        return self.used if self.reserved is None else self.used + self.reserved


@dataclass(frozen=True)
class Survey:
    """What a service says of all its projects at once: {project id: {key: Figure}}.

    A project that is not in it uses nothing of `counted`, and of `bounded` it has what the
    service gives to everybody; so does a project without the key. `defaults` says how much that
    is, where it costs no call more to know: {key: limit}. A figure whose key is not among
    `counted` says nothing of use (None), one that is not among `bounded` nothing of the limit.
    `gaps` says in words what could not be looked into, as a part of the service that is down
    (`GapDriver`): what is used there is missing from the figures. Empty: nothing is missing.
    """

    figures: Mapping[str, Mapping[str, Figure]]
    counted: frozenset[str]
    bounded: frozenset[str]
    gaps: tuple[str, ...] = ()
    defaults: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class KeySpec:
    """A key that a driver counts. One of the service's own is `step` base units.

    `unit` is the base unit: "" for counts, "B" for bytes, so that Nova's `ram`, in MiB,
    is unit "B" and step 1048576. `key` may hold one "*", as in "gigabytes_*". `maximum` is
    the most that the service takes, in its own units; None: no bound that is known; 1: a project
    has it or has it not, as access to something private.
    """

    key: str
    unit: str
    step: int
    maximum: int | None = None


class QuotaDriver(Protocol):
    """Limits and usage of one service in one region."""

    def __init__(self, config: EndpointConfig) -> None:
        """Makes no call and reads no file: a driver can be built where no cloud is."""

    @classmethod
    def specs(cls) -> Sequence[KeySpec]:
        """Every key that can be counted; those with "*" stand for a family."""

    @classmethod
    def spec(cls, key: str) -> KeySpec | None:
        """The spec of one key, its family's "*" filled in; None if it cannot be counted."""

    def read(
        self, project_id: str, keys: Iterable[str] | None = None, *, timeout: float
    ) -> dict[str, Figure]:
        """Limits and usage by the service's own detail call.

        A key that the service lacks is absent from the answer, never invented. Without
        `keys`: all that the driver can count there.

        Some services answer for a project that does not exist; only the identity
        service knows better.
        """

    def write(self, project_id: str, values: Mapping[str, int], *, timeout: float) -> None:
        """Set these limits, and only these, in as few calls as the service allows, never by force.

        A return means that the service said yes, not that it is so: read it back.
        Raises `BackendError`; `uncertain` when limits may have been set all the same, some of
        several too.
        """


class SurveyDriver(QuotaDriver, Protocol):
    """A quota driver of a service that can be asked about all projects at once.

    Optional: who looks at many projects asks whether the driver has `survey`, and reads one
    project after the other where it has not.
    """

    def survey(self, keys: Iterable[str] | None = None, *, timeout: float) -> Survey:
        """Figures of every project, in as few calls as the service allows.

        Only of the keys that the driver can tell so: `counted` and `bounded` of the answer say
        which; the rest needs `read`. Without `keys`: all that it can tell.
        """


class GapDriver(QuotaDriver, Protocol):
    """A quota driver of a service that may answer for a part of itself only, without saying so.

    Optional, as `survey`: who reads many projects asks whether the driver has `gaps`.
    """

    def gaps(self, *, timeout: float) -> tuple[str, ...]:
        """What the service cannot look into now, in words for operators; empty: nothing.

        While there are any, the use that `read` tells is too low for projects that have
        something there; limits are right, and can be written. It is about the endpoint, whichever
        project is read: who asks before and after a round of readings knows whether the use in
        them is whole. `survey` asks by itself.
        """


@dataclass(frozen=True)
class IdentityProject:
    """A project as the identity service knows it. `parent_id`: what it lies below, "" unknown."""

    external_id: str
    name: str
    description: str
    is_enabled: bool
    tags: frozenset[str]
    parent_id: str = ""


class HolderKind(StrEnum):
    """Who can hold a role."""

    USER = "user"
    GROUP = "group"


@dataclass(frozen=True)
class Holder:
    """A person or a group, by the id that the identity service knows them by."""

    kind: HolderKind
    external_id: str

    def __str__(self) -> str:
        return f"{self.kind} {self.external_id}"


class FindBy(StrEnum):
    """What an identity service is asked for when somebody is looked for."""

    NAME = "name"
    ID = "id"
    FEDERATED = "federated"


@dataclass(frozen=True)
class HolderRule:
    """How people, or groups, are found in an identity service.

    `domain_id` bounds a search by name; None: the domain where projects are made. `provider`
    and `protocol` are the identity service's own ids of those that people sign in by, for a
    search by federated unique id; without a protocol any of the provider's counts.
    """

    by: FindBy
    domain_id: str | None = None
    provider: str = ""
    protocol: str = ""


@dataclass(frozen=True)
class ProjectPage:
    """Some of the projects in the domain where ours are made.

    `after` asks for the next ones; None: there are no more, or none that the service would
    list (`is_cut`).
    """

    projects: tuple[IdentityProject, ...]
    after: str | None
    is_cut: bool = False


@dataclass(frozen=True)
class HeldRole:
    """A role that somebody holds in a project: by its name, or its id where it has none."""

    holder: Holder
    role: str


@dataclass(frozen=True)
class Assignment:
    """A role that somebody holds in some project."""

    project_id: str
    held: HeldRole


@dataclass(frozen=True)
class NamedHolder:
    """A person or a group as an identity service lists them."""

    external_id: str
    name: str
    domain_id: str = ""


class IdentityDriver(Protocol):
    """Projects of one identity service and who holds roles in them.

    Our projects are known by their tag alone. Which roles are ours to take back is not for a
    driver to know.
    """

    def __init__(self, config: EndpointConfig) -> None:
        """Makes no call and reads no file."""

    def find(self, tag: str, *, timeout: float) -> IdentityProject | None:
        """The project that carries the tag; None only where all projects were looked at.

        Two of them are refused (`tag_twice`), and a service that shows but a part
        (`list_truncated`).
        """

    def find_by_name(self, name: str, *, timeout: float) -> IdentityProject | None:
        """The project that has the name where ours are made, whoever made it."""

    def get(self, external_id: str, *, timeout: float) -> IdentityProject | None:
        """The project with this id; None when the service says that there is none."""

    def create(
        self, *, name: str, description: str, tag: str, is_enabled: bool = True, timeout: float
    ) -> IdentityProject:
        """Make a project that carries the tag from its first moment.

        Raises `name_taken` when the name belongs to a project, ours or another's.
        """

    def ensure(
        self, *, name: str, description: str, tag: str, is_enabled: bool = True, timeout: float
    ) -> IdentityProject:
        """Find by tag, else create: exactly one, however often and by how many it is asked.

        A project that was found is returned as it is. Raises `name_taken` when the name
        belongs to a project without our tag, `list_truncated` as `find`, unless the project of
        this name carries the tag.
        """

    def update(
        self,
        external_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        is_enabled: bool | None = None,
        timeout: float,
    ) -> IdentityProject:
        """Change only what is given. Raises `project_gone`, `name_taken`."""

    def delete(self, external_id: str, *, timeout: float) -> None:
        """Delete a project for good; one that is gone is no error."""

    def list_projects(self, after: str = "", *, timeout: float) -> ProjectPage:
        """The projects of the domain where ours are made, a page at a time."""

    def add_tag(self, external_id: str, tag: str, *, timeout: float) -> None:
        """Put a tag on a project beside those that it has; one that is there is no error.

        Raises `project_gone`.
        """

    def roles(self, external_id: str, *, timeout: float) -> frozenset[HeldRole]:
        """The roles that were granted in a project, to whomever, by whomever.

        Not those that come through a group or from above. Some services answer for a
        project that does not exist with nothing.
        """

    def assignments(self, *, timeout: float) -> list[Assignment]:
        """`roles` of all projects at once. Raises `list_truncated` where only a part is shown."""

    def list_holders(
        self, kind: HolderKind, domain_id: str | None = None, *, timeout: float
    ) -> list[NamedHolder]:
        """All people, or groups, of a domain; None: of those that the service lists by itself.

        Not everybody who holds a role need be among them. Raises `list_truncated`.
        """

    def grant(self, external_id: str, holder: Holder, role: str, *, timeout: float) -> None:
        """Give a role, by its name; one that is held already is no error.

        Raises `holder_gone`, `unknown_role`, `project_gone`.
        """

    def revoke(self, external_id: str, holder: Holder, role: str, *, timeout: float) -> None:
        """Take a role back, by its name or its id; one that is not held is no error.

        Nor is a holder, a role or a project that is gone: nobody holds it then.
        """

    def find_holders(
        self, kind: HolderKind, rule: HolderRule, value: str, *, timeout: float
    ) -> frozenset[str]:
        """The ids of all people, or groups, to whom the rule leads with this value.

        None: not there yet. Which of several is meant is not for the driver to say.
        """
