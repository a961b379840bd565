"""Limits in Keystone, for services that enforce from there ("unified limits"): Nova's `servers`
and `class:VCPU`, Glance's `image_size_total`, whatever else is registered.

Options: `service`, the catalogue's type of the service that enforces (default "compute"); its
limits are those of the endpoint's region. A key is there once it is registered, with a default
that holds for every project without a limit of its own.

A limit of zero cannot be set where there is another one: Keystone answers yes and changes
nothing (2026.1). So it is taken away and made anew, and between these two calls the default
holds: register 0. Keystone takes what is below usage.

Keystone knows no use. For compute it is Nova's own count, one call more; for others unknown.
For all projects at once there is one list of limits.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

from quotas.backends.base import EndpointConfig, Figure, KeySpec, Survey
from quotas.backends.counting import LARGEST, Counting, checked_id, unknown_key, whole
from quotas.backends.deadline import TimeLeft
from quotas.backends.errors import BackendError, Kind, broken
from quotas.backends.keystone_rows import cut
from quotas.backends.nova import NovaDriver
from quotas.backends.openstack import Service
from quotas.backends.sorting import Rule

_RULES = (
    Rule(403, "no corresponding registered limit", "unknown_key"),
    Rule(400, "expecting to find project_id", "project_gone"),
    Rule(400, "is greater than the maximum of", "above_maximum"),
)
# What Nova's own count calls what Keystone limits.
_IN_NOVA: Final = {"servers": "instances", "class:VCPU": "cores", "class:MEMORY_MB": "ram"}

_service_ids: dict[tuple[str | None, ...], str] = {}
_lock = threading.Lock()


class KeystoneLimitsDriver(Counting):
    """The quota driver for limits that lie in Keystone."""

    SERVICE = "Keystone"
    SPECS = (
        KeySpec("servers", "", 1, LARGEST),
        KeySpec("class:MEMORY_MB", "B", 2**20, LARGEST),
        KeySpec("class:DISK_GB", "B", 2**30, LARGEST),
        KeySpec("image_size_total", "B", 2**20, LARGEST),
        KeySpec("image_stage_total", "B", 2**20, LARGEST),
        KeySpec("*", "", 1, LARGEST),
    )

    def __init__(self, config: EndpointConfig) -> None:
        self._config = config
        self._service = Service(config, "identity", rules=_RULES)
        self._enforcer = str(config.options.get("service", "compute"))
        self._nova = NovaDriver(config) if self._enforcer == "compute" else None

    def read(
        self, project_id: str, keys: Iterable[str] | None = None, *, timeout: float
    ) -> dict[str, Figure]:
        checked_id(project_id)
        left = TimeLeft(timeout)
        defaults = self._registered(left)
        wanted = [key for key in (defaults if keys is None else keys) if key in defaults]
        own = self._limits(left, project_id).get(project_id, {})
        used = self._use(project_id, wanted, left)
        return {
            key: Figure(own[key][1] if key in own else defaults[key], *used.get(key, (None, None)))
            for key in wanted
        }

    def write(self, project_id: str, values: Mapping[str, int], *, timeout: float) -> None:
        self.check(values)
        checked_id(project_id)
        if not values:
            return
        left = TimeLeft(timeout)
        defaults = self._registered(left)
        for key in values:
            if key not in defaults:
                raise unknown_key(self.SERVICE, key)
        own = self._limits(left, project_id).get(project_id, {})
        changes = _Changes(self._service, left)
        new = {key: value for key, value in values.items() if key not in own}
        for key in values.keys() & own.keys():
            limit_id, limit = own[key]
            if values[key] == limit:
                continue
            if values[key] == 0:
                changes.send("DELETE", f"/limits/{limit_id}")
                new[key] = 0
            else:
                body = {"limit": {"resource_limit": values[key]}}
                changes.send("PATCH", f"/limits/{limit_id}", body)
        if new:
            where = {"project_id": project_id, **self._where(left)}
            rows = [
                {**where, "resource_name": key, "resource_limit": value}
                for key, value in new.items()
            ]
            changes.send("POST", "/limits", {"limits": rows})

    def survey(self, keys: Iterable[str] | None = None, *, timeout: float) -> Survey:
        left = TimeLeft(timeout)
        defaults = self._registered(left)
        asked = set(defaults) if keys is None else set(defaults) & set(keys)
        figures = {
            project: {key: Figure(limit) for key, (_, limit) in own.items() if key in asked}
            for project, own in self._limits(left).items()
        }
        return Survey(
            figures,
            counted=frozenset(),
            bounded=frozenset(asked),
            defaults={key: defaults[key] for key in asked},
        )

    def _where(self, left: TimeLeft) -> dict[str, str]:
        """Which service of which region limits are about."""
        found = {"service_id": self._service_id(left)}
        if self._config.region_name:
            found["region_id"] = self._config.region_name
        return found

    def _service_id(self, left: TimeLeft) -> str:
        config = self._config
        key = (config.clouds_file, config.cloud, config.region_name, self._enforcer)
        with _lock:
            known = _service_ids.get(key)
        if known is not None:
            return known
        rows = self._list("services", {"type": self._enforcer}, left)
        if len(rows) != 1:
            raise BackendError(
                Kind.REFUSED,
                "configuration",
                f"Keystone's catalogue has {len(rows)} services of type {self._enforcer!r}",
            )
        with _lock:
            return _service_ids.setdefault(key, str(rows[0].get("id")))

    def _registered(self, left: TimeLeft) -> dict[str, int]:
        """{key: what holds for every project without a limit of its own}."""
        rows = self._list("registered_limits", self._where(left), left)
        found = {str(row.get("resource_name")): row.get("default_limit") for row in rows}
        if not whole(*found.values()):
            raise broken(str(rows))
        return found  # type: ignore[return-value]  # looked at right above

    def _limits(
        self, left: TimeLeft, project_id: str | None = None
    ) -> dict[str, dict[str, tuple[str, int]]]:
        """{project id: {key: (the limit's id, limit)}}; limits of domains are left out."""
        query = self._where(left)
        if project_id is not None:
            query["project_id"] = project_id
        found: dict[str, dict[str, tuple[str, int]]] = {}
        for row in self._list("limits", query, left):
            limit = row.get("resource_limit")
            if not whole(limit):
                raise broken(str(row))
            if row.get("project_id"):
                own = found.setdefault(str(row["project_id"]), {})
                own[str(row.get("resource_name"))] = (str(row.get("id")), int(str(limit)))
        return found

    def _list(self, what: str, query: Mapping[str, str], left: TimeLeft) -> list[dict[str, Any]]:
        answer = self._service.call("GET", f"/{what}", query=query, timeout=left())
        rows = answer.get(what)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise broken(str(answer))
        if answer.get("truncated"):
            raise cut(what, len(rows))
        return rows

    def _use(
        self, project_id: str, keys: Iterable[str], left: TimeLeft
    ) -> dict[str, tuple[int | None, int | None]]:
        """{key: (used, reserved)}, of those that Nova counts."""
        asked = {key: _IN_NOVA[key] for key in keys if key in _IN_NOVA}
        if self._nova is None or not asked:
            return {}
        found = self._nova.read(project_id, asked.values(), timeout=left())
        return {
            key: (found[name].used, found[name].reserved)
            for key, name in asked.items()
            if name in found
        }


class _Changes:
    """Calls that change something, one after the other: once one is done, what comes after a
    failure leaves things half set."""

    def __init__(self, service: Service, left: TimeLeft) -> None:
        self._service = service
        self._left = left
        self._has_changed = False

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        try:
            answer = self._service.call(method, path, body=body, timeout=self._left())
            if body is not None and not answer.keys() & body.keys():
                raise broken(str(answer), uncertain=True)
        except BackendError as error:
            error.uncertain = error.uncertain or self._has_changed
            raise
        self._has_changed = True
