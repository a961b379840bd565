"""Neutron's part: quotas, and lists of what projects own, by its id and owner.

Two habits of the real one are kept, because they hurt: limits are stored for projects that do
not exist, and the older release takes a limit below usage.
"""

import re
from typing import Any

from contrib.sandbox.calls import Answer, Call, Refusal, signed_in
from contrib.sandbox.paging import linked_page
from contrib.sandbox.state import Usage

LARGEST = 2**31 - 1
DEFAULTS = {
    "network": 100,
    "subnet": 100,
    "subnetpool": -1,
    "port": 500,
    "router": 10,
    "floatingip": 50,
    "rbac_policy": 10,
    "security_group": 10,
    "security_group_rule": 100,
}
_LISTS = {
    "networks": "network",
    "subnets": "subnet",
    "ports": "port",
    "routers": "router",
    "floatingips": "floatingip",
    "security-groups": "security_group",
    "security-group-rules": "security_group_rule",
}


def handle(call: Call) -> Answer:
    """Answer one call; the path begins after `/REGION/network`."""
    parts = [part for part in call.path.split("/") if part]
    if not parts or parts[0] != "v2.0":
        return Answer(404, "The resource could not be found.")
    token = signed_in(call)
    if "admin" not in token.roles:
        raise Refusal(403, "rule:admin_only is disallowed by policy")
    match (call.method, *parts[1:]):
        case ("GET", "quotas"):
            return Answer(200, {"quotas": _all(call)})
        case ("GET", "quotas", project_id):
            return Answer(200, {"quota": _limits(call, project_id)})
        case ("GET", "quotas", project_id, "details.json"):
            return Answer(200, {"quota": _details(call, project_id)})
        case ("PUT", "quotas", project_id):
            return _update(call, project_id)
        case ("DELETE", "quotas", project_id):
            return _delete(call, project_id)
        case ("GET", path) if path in _LISTS:
            return _owned(call, path)
    return Answer(404, "The resource could not be found.")


def _limits(call: Call, project_id: str) -> dict[str, int]:
    own = call.cloud.limits_of(call.region or "", "network", project_id)
    return {key: own.get(key, default) for key, default in DEFAULTS.items()}


def _usage(call: Call, project_id: str, key: str) -> Usage:
    return call.cloud.usage_of(call.region or "", "network", project_id).get(key, Usage())


def _details(call: Call, project_id: str) -> dict[str, Any]:
    with call.cloud.lock:
        return {
            key: {"limit": limit, "used": usage.used, "reserved": usage.reserved}
            for key, limit in _limits(call, project_id).items()
            for usage in [_usage(call, project_id, key)]
        }


def _all(call: Call) -> list[dict[str, Any]]:
    """Projects with limits of their own, all their limits."""
    with call.cloud.lock:
        projects = call.cloud.holders("limits", call.region or "", "network")
        return [{**_limits(call, each), "project_id": each, "tenant_id": each} for each in projects]


def _update(call: Call, project_id: str) -> Answer:
    given = (call.body or {}).get("quota")
    if not isinstance(given, dict):
        raise Refusal(400, "Unable to find 'quota' in request body")
    is_newer = call.cloud.regions[call.region or ""] != "xena"
    is_forced = is_newer and given.pop("force", False) is True
    unknown = [key for key in given if key not in DEFAULTS]
    if unknown:
        raise Refusal(400, f"Unrecognized attribute(s) '{', '.join(unknown)}'")
    wanted = {key: _integer(key, value) for key, value in given.items()}
    with call.cloud.change():
        for key, value in wanted.items():
            used = _usage(call, project_id, key).used
            if is_newer and not is_forced and -1 < value < used:
                raise Refusal(
                    400,
                    f"Quota limit {value} for {key} must be greater than or equal to "
                    f"already used {used}",
                )
        if not call.ignores_writes:
            call.cloud.limits_of(call.region or "", "network", project_id).update(wanted)
        return Answer(200, {"quota": _limits(call, project_id)})


def _integer(key: str, value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
        value = int(value)
    if type(value) is not int:
        raise Refusal(400, f"Invalid input for {key}. Reason: '{value}' is not an integer.")
    if value < -1:
        why = f"'{value}' is too small - must be at least '-1'."
        raise Refusal(400, f"Invalid input for {key}. Reason: {why}")
    if value > LARGEST:
        why = f"'{value}' is too large - must be no larger than '{LARGEST}'."
        raise Refusal(400, f"Invalid input for {key}. Reason: {why}")
    return value


def _delete(call: Call, project_id: str) -> Answer:
    with call.cloud.change():
        own = call.cloud.limits_of(call.region or "", "network", project_id)
        if not own:
            raise Refusal(404, f"Quota for tenant {project_id} could not be found.")
        own.clear()
    return Answer(204)


def _owned(call: Call, path: str) -> Answer:
    key, name = _LISTS[path], path.replace("-", "_")
    with call.cloud.lock:
        rows = [
            {"id": f"{project}-{key}-{number:06}", "project_id": project}
            for project in call.cloud.holders("usage", call.region or "", "network")
            if call.query.get("project_id") in (None, project)
            for number in range(_usage(call, project, key).used)
        ]
    return linked_page(call, f"/v2.0/{path}", name, rows)
