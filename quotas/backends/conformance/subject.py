"""How the suite handles a driver and the service behind it: what its author says."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum

from quotas.backends import QuotaDriver


class Below(StrEnum):
    """What the service does with a limit below what is used."""

    REFUSED = "refused"
    TAKEN = "taken"
    EITHER = "either"


class Unknown(StrEnum):
    """What the service does about a project that does not exist."""

    REFUSED = "refused"
    ANSWERED = "answered"
    READ = "answered when it is read, refused when it is written"


class Subject(ABC):
    """A driver and the service behind it, as the suite handles them.

    address: scheme, host and port of the service, where the suite puts its relay before it.
    keys: keys that every new project has, which may be set to any number on their own; two at
    least, where the service has as many. missing: keys of the driver's families, or others it
    has a spec for, that the service lacks. usable: keys of which `use` can make usage.
    below, unknown: what the service does.
    """

    address: str
    keys: Sequence[str]
    missing: Sequence[str] = ()
    usable: Sequence[str] = ()
    below: Below = Below.REFUSED
    unknown: Unknown = Unknown.REFUSED

    @abstractmethod
    def driver(self, address: str) -> QuotaDriver:
        """The driver, made for the service at another address (scheme, host and port)."""

    @abstractmethod
    def new_project(self) -> str:
        """The id of a project that was never used."""

    @abstractmethod
    def gone_project(self) -> str:
        """The id of a project that no longer exists."""

    @abstractmethod
    def limits(self, project_id: str) -> Mapping[str, int]:
        """All limits that the service has for a project, {key: the service's own units}: asked
        without the driver."""

    def use(self, project_id: str, key: str, count: int) -> None:
        """See to it that the project uses exactly so much of one of the `usable` keys."""
        raise NotImplementedError

    def short_of_a_part(self) -> AbstractContextManager[None]:
        """A part of the service does not answer inside, where something of each project with two
        or more of the first `usable` key is."""
        raise NotImplementedError

    def amounts(self, driver: QuotaDriver, key: str) -> tuple[int, int]:
        """Two limits of a key that differ, neither of them what a new project has."""
        spec = driver.spec(key)
        return (1, 0) if spec is not None and spec.maximum == 1 else (7, 11)
