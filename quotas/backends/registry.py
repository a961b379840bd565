"""Which driver a name stands for: the caller's own list, then installed packages.

A third party's package offers a driver by an entry point in the group "remit.backends"
whose name is the driver's and whose object is the class.
"""

import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any

from quotas.backends.base import EndpointConfig, IdentityDriver, QuotaDriver

GROUP = "remit.backends"
QUOTA_VERBS = ("specs", "spec", "read", "write")
IDENTITY_VERBS = (
    "find", "find_by_name", "get", "create", "ensure", "update", "delete", "list_projects",
    "add_tag", "roles", "assignments", "list_holders", "grant", "revoke", "find_holders",
)  # fmt: skip


class UnknownDriver(LookupError):
    """No driver of this name, or one that cannot be loaded: a mistake of configuration."""


class Registry:
    """Drivers by name. `builtin` maps names to classes as "package.module:Class".

    Nothing is imported before a driver is asked for, so that a process which only lists
    names never loads a client library.
    """

    def __init__(self, builtin: Mapping[str, str]) -> None:
        self._targets = dict(builtin)
        for entry in importlib.metadata.entry_points(group=GROUP):
            if self._targets.setdefault(entry.name, entry.value) != entry.value:
                raise UnknownDriver(
                    f"two drivers are called {entry.name!r}: "
                    f"{self._targets[entry.name]} and {entry.value}"
                )

    def names(self) -> list[str]:
        """Every driver's name, sorted."""
        return sorted(self._targets)

    def driver_class(self, name: str) -> Any:
        """The class behind a name. Raises `UnknownDriver` with a sentence."""
        if name not in self._targets:
            raise UnknownDriver(
                f"no driver is called {name!r}; there are {', '.join(self.names())}"
            )
        target = self._targets[name]
        module, _, attribute = target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise UnknownDriver(f"driver {name!r} cannot be loaded: {error}") from error

    def quota(self, config: EndpointConfig) -> QuotaDriver:
        """The quota driver of an endpoint."""
        driver: QuotaDriver = self._make(config, QUOTA_VERBS)
        return driver

    def identity(self, config: EndpointConfig) -> IdentityDriver:
        """The identity driver of an endpoint."""
        driver: IdentityDriver = self._make(config, IDENTITY_VERBS)
        return driver

    def _make(self, config: EndpointConfig, verbs: tuple[str, ...]) -> Any:
        made = self.driver_class(config.driver)(config)
        missing = [verb for verb in verbs if not callable(getattr(made, verb, None))]
        if missing:
            raise UnknownDriver(f"driver {config.driver!r} cannot {', '.join(missing)}")
        return made
