"""Octavia's quotas: load balancers, listeners, pools, members, health monitors, L7 policies and
rules.

Octavia tells no use: it is counted, from lists of ids of the project. Members come with the list
of pools and rules with that of policies, so a reading is one call for the limits and at most
five lists. It takes a limit below usage and for projects that do not exist. A key is taken in
both spellings, `load_balancer` and `loadbalancer`, `health_monitor` and `healthmonitor`; Octavia
is sent one. For all projects at once it is the same lists without a project. No options.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from quotas.backends.base import EndpointConfig, Figure, KeySpec, Survey
from quotas.backends.counting import Counting, checked_id, whole
from quotas.backends.deadline import TimeLeft
from quotas.backends.errors import BackendError, Kind, broken
from quotas.backends.openstack import Service
from quotas.backends.sorting import Rule

MOST: Final = 2_000_000_000
"""The largest limit that Octavia takes."""

SPELLINGS: Final = {"loadbalancer": "load_balancer", "healthmonitor": "health_monitor"}

# Key: the list that it is counted from, and what in a row of it is counted; "" for the row.
_LISTS: Final = {
    "load_balancer": ("loadbalancers", ""),
    "listener": ("listeners", ""),
    "pool": ("pools", ""),
    "member": ("pools", "members"),
    "health_monitor": ("healthmonitors", ""),
    "l7policy": ("l7policies", ""),
    "l7rule": ("l7policies", "rules"),
}


class OctaviaDriver(Counting):
    """The quota driver for Octavia."""

    SERVICE = "Octavia"
    SPECS = tuple(KeySpec(key, "", 1, MOST) for key in _LISTS)

    def __init__(self, config: EndpointConfig) -> None:
        rules = (
            Rule(400, "unknown attribute", "unknown_key"),
            Rule(400, "lower or equal to", "above_maximum"),
        )
        self._service = Service(config, "load-balancer", rules=rules)

    @classmethod
    def spec(cls, key: str) -> KeySpec | None:
        if key in SPELLINGS:
            return KeySpec(key, "", 1, MOST)
        return super().spec(key)

    def read(
        self, project_id: str, keys: Iterable[str] | None = None, *, timeout: float
    ) -> dict[str, Figure]:
        left = TimeLeft(timeout)
        path = _path(project_id)
        wanted = list(_LISTS if keys is None else filter(self.spec, keys))
        answer = self._service.call("GET", path, timeout=left())
        limits = answer.get("quota")
        if not isinstance(limits, dict):
            raise broken(str(answer))
        known = [key for key in wanted if _limit(limits, key) is not None]
        use = self._use({_one_name(key) for key in known}, left, project_id)
        return {key: Figure(_limit(limits, key), use[_one_name(key)][project_id]) for key in known}

    def write(self, project_id: str, values: Mapping[str, int], *, timeout: float) -> None:
        self.check(values)
        path = _path(project_id)
        sent = {_one_name(key): value for key, value in values.items()}
        if len(sent) < len(values):
            raise BackendError(
                Kind.REFUSED, "bad_request", f"one limit in two spellings: {', '.join(values)}"
            )
        if not sent:
            return
        answer = self._service.call("PUT", path, body={"quota": sent}, timeout=timeout)
        if not isinstance(answer.get("quota"), dict):
            raise broken(str(answer), uncertain=True)

    def survey(self, keys: Iterable[str] | None = None, *, timeout: float) -> Survey:
        left = TimeLeft(timeout)
        asked = list(_LISTS if keys is None else filter(self.spec, keys))
        use = self._use({_one_name(key) for key in asked}, left)
        limits = {}
        for row in self._quotas(left):
            own = {key: _limit(row, key) for key in asked}
            limits[str(row.get("project_id"))] = own
        projects = limits.keys() | {project for counted in use.values() for project in counted}
        figures = {
            project: {
                key: Figure(limits.get(project, {}).get(key), use[_one_name(key)][project])
                for key in asked
            }
            for project in projects
        }
        both = frozenset(asked)
        return Survey(figures, counted=both, bounded=both)

    def _quotas(self, left: TimeLeft) -> Sequence[Mapping[str, Any]]:
        """The projects with limits of their own; null is a limit that Octavia gives to all."""
        answer = self._service.call("GET", "/v2/lbaas/quotas", timeout=left())
        rows = answer.get("quotas")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise broken(str(answer))
        return rows

    def _use(
        self, keys: set[str], left: TimeLeft, project_id: str | None = None
    ) -> dict[str, Counter[str]]:
        """{key: {project id: how many}}, from as few lists as there are."""
        found: dict[str, Counter[str]] = {key: Counter() for key in keys}
        for name in sorted({_LISTS[key][0] for key in keys}):
            parts = {key: _LISTS[key][1] for key in keys if _LISTS[key][0] == name}
            fields = ["id", "project_id", *filter(None, parts.values())]
            query: dict[str, str | Sequence[str]] = {"fields": fields}
            if project_id is not None:
                query["project_id"] = project_id
            for row in self._service.rows(f"/v2/lbaas/{name}", name, left, query=query):
                owner = str(row.get("project_id"))
                for key, part in parts.items():
                    found[key][owner] += len(row.get(part) or ()) if part else 1
        return found


def _path(project_id: str) -> str:
    return f"/v2/lbaas/quotas/{checked_id(project_id)}"


def _one_name(key: str) -> str:
    return SPELLINGS.get(key, key)


def _limit(limits: Mapping[str, Any], key: str) -> int | None:
    """The limit in whichever spelling it is told."""
    name = _one_name(key)
    told = [spelt for spelt in (name, *SPELLINGS) if _one_name(spelt) == name]
    found = next((limits[each] for each in told if limits.get(each) is not None), None)
    if found is not None and not whole(found):
        raise broken(f"{key}: {found!r}")
    return found
