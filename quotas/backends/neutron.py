"""Neutron's quotas: networks, subnets, routers, ports, floating IPs, security groups and rules.

Neutron stores limits for projects that do not exist. It refuses a limit below usage in 2026.1
and takes it in Xena: the caller looks after that, and the driver never forces. What a project's
first network brings along (a security group with four rules) is counted by Neutron as used.

Use of one project is one call. For all projects at once the limits are one list, and use is
counted from the lists of what there is, by its owner. No options.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from quotas.backends.base import Figure, KeySpec, Survey
from quotas.backends.counting import LARGEST, whole
from quotas.backends.deadline import TimeLeft
from quotas.backends.errors import BackendError, broken
from quotas.backends.quotasets import QuotaSets
from quotas.backends.sorting import Rule

LISTS: Final = {
    "network": ("networks", "networks"),
    "subnet": ("subnets", "subnets"),
    "router": ("routers", "routers"),
    "port": ("ports", "ports"),
    "floatingip": ("floatingips", "floatingips"),
    "security_group": ("security-groups", "security_groups"),
    "security_group_rule": ("security-group-rules", "security_group_rules"),
}
"""The path of the list of what a key counts, and what the list is called in its answer."""


class NeutronDriver(QuotaSets):
    """The quota driver for Neutron."""

    SERVICE = "Neutron"
    SERVICE_TYPE = "network"
    SPECS = tuple(
        KeySpec(key, "", 1, LARGEST) for key in (*LISTS, "subnetpool", "rbac_policy", "trunk")
    )
    RULES = (
        Rule(400, "unrecognized attribute", "unknown_key"),
        Rule(400, "is too large", "above_maximum"),
        Rule(400, "equal to already used", "below_usage"),
    )
    PATH = "/v2.0/quotas/{}"
    ENVELOPE = "quota"
    DETAIL_PATH = "/details.json"
    USED: ClassVar[str] = "used"

    def survey(self, keys: Iterable[str] | None = None, *, timeout: float) -> Survey:
        left = TimeLeft(timeout)
        specs = {each.key for each in self.SPECS}
        asked = specs if keys is None else specs & set(keys)
        limits = self._limits_of_all(asked, left)
        use = {key: self._use_of_all(key, left) for key in sorted(asked & LISTS.keys())}
        counted = {key: owners for key, owners in use.items() if owners is not None}
        # What no project's limits name is not counted here, or in nobody's limits yet.
        bounded = {key for row in limits.values() for key in row} or set(counted)
        projects = limits.keys() | {project for owners in counted.values() for project in owners}
        figures = {
            project: {
                key: Figure(
                    limits.get(project, {}).get(key),
                    counted[key][project] if key in counted else None,
                )
                for key in bounded | counted.keys()
            }
            for project in projects
        }
        return Survey(figures, counted=frozenset(counted), bounded=frozenset(bounded))

    def _limits_of_all(self, asked: set[str], left: TimeLeft) -> dict[str, dict[str, int]]:
        """{project id: {key: limit}}, of projects with limits of their own."""
        answer = self._service.call("GET", "/v2.0/quotas", timeout=left())
        rows = answer.get("quotas")
        if not isinstance(rows, list):
            raise broken(str(answer))
        return {_project_of(row): _limits(row, asked) for row in rows}

    def _use_of_all(self, key: str, left: TimeLeft) -> Counter[str] | None:
        """{project id: how many it owns}; None where this Neutron has no such things."""
        path, name = LISTS[key]
        query = {"fields": ["id", "project_id"]}
        try:
            return Counter(
                _project_of(row)
                for row in self._service.rows(f"/v2.0/{path}", name, left, query=query)
            )
        except BackendError as error:
            if error.code == "not_found":
                return None
            raise


def _project_of(row: Mapping[str, object]) -> str:
    # Some things belong to nobody: they count for the project without a name.
    if not isinstance(row, dict) or "project_id" not in row:
        raise broken(str(row))
    return str(row["project_id"])


def _limits(row: Mapping[str, object], asked: set[str]) -> dict[str, int]:
    found = {key: row[key] for key in asked if key in row}
    if not whole(*found.values()):
        raise broken(str(row))
    return found  # type: ignore[return-value]  # looked at right above
