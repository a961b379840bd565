"""Octavia's part: quotas in both spellings, and the lists that use is counted from.

Habits of the real one that are kept: a limit below usage is taken, so is one for a project that
does not exist, 1.5 becomes 1, and of both spellings the one without underscores wins.
"""

from typing import Any

from contrib.sandbox.calls import Answer, Call, Refusal, signed_in
from contrib.sandbox.paging import linked_page

MOST = 2_000_000_000
DEFAULTS = dict.fromkeys(
    ("load_balancer", "listener", "member", "pool", "health_monitor", "l7policy", "l7rule"), -1
)
_SPELLINGS = {"loadbalancer": "load_balancer", "healthmonitor": "health_monitor"}
# The list, what it counts, and what each row holds with the key that counts it.
_LISTS = {
    "loadbalancers": ("load_balancer", "", ""),
    "listeners": ("listener", "", ""),
    "pools": ("pool", "members", "member"),
    "healthmonitors": ("health_monitor", "", ""),
    "l7policies": ("l7policy", "rules", "l7rule"),
}


def handle(call: Call) -> Answer:
    """Answer one call; the path begins after `/REGION/balancer`."""
    parts = [part for part in call.path.split("/") if part]
    if parts[:2] != ["v2", "lbaas"]:
        return Answer(404, {"faultcode": "Client", "faultstring": "Not Found"})
    if "admin" not in signed_in(call).roles:
        raise Refusal(403, "Policy does not allow this request to be performed.")
    match (call.method, *parts[2:]):
        case ("GET", "quotas"):
            return Answer(200, {"quotas": _all(call), "quotas_links": []})
        case ("GET", "quotas", project_id):
            return Answer(200, {"quota": _limits(call, project_id)})
        case ("PUT", "quotas", project_id):
            return _update(call, project_id)
        case ("DELETE", "quotas", project_id):
            with call.cloud.change():
                call.cloud.limits_of(call.region or "", "balancer", project_id).clear()
            return Answer(204)
        case ("GET", name) if name in _LISTS:
            return _owned(call, name)
    return Answer(404, {"faultcode": "Client", "faultstring": "Not Found"})


def _limits(call: Call, project_id: str) -> dict[str, int]:
    own = call.cloud.limits_of(call.region or "", "balancer", project_id)
    return {key: own.get(key, default) for key, default in DEFAULTS.items()}


def _all(call: Call) -> list[dict[str, Any]]:
    """Projects with limits of their own; null where they have the default."""
    with call.cloud.lock:
        rows = []
        for project in call.cloud.holders("limits", call.region or "", "balancer"):
            own = call.cloud.limits_of(call.region or "", "balancer", project)
            both = {key: own.get(_SPELLINGS.get(key, key)) for key in (*DEFAULTS, *_SPELLINGS)}
            rows.append({**both, "project_id": project, "tenant_id": project})
        return rows


def _update(call: Call, project_id: str) -> Answer:
    given = (call.body or {}).get("quota")
    if not isinstance(given, dict):
        raise Refusal(400, 'Missing argument: "quota"')
    unknown = [key for key in given if key not in (*DEFAULTS, *_SPELLINGS)]
    if unknown:
        raise Refusal(400, f"Unknown attribute for argument quotas.quota: {', '.join(unknown)}")
    # Those without underscores come last, and so win.
    ordered = sorted(given.items(), key=lambda item: item[0] in _SPELLINGS)
    wanted = {str(_SPELLINGS.get(key, key)): _integer(key, value) for key, value in ordered}
    with call.cloud.change():
        if not call.ignores_writes:
            call.cloud.limits_of(call.region or "", "balancer", project_id).update(wanted)
        return Answer(202, {"quota": _limits(call, project_id)})


def _integer(key: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise Refusal(400, f"Invalid input for field/attribute {key}. Value: '{value}'. ") from None
    bound = "greater or equal to -1" if number < -1 else f"lower or equal to {MOST}"
    if not -1 <= number <= MOST:
        raise Refusal(
            400,
            f"Invalid input for field/attribute {key}. Value: '{value}'. Value should be {bound}",
        )
    return number


def _owned(call: Call, name: str) -> Answer:
    """Made up from what is used: the first row holds all parts."""
    key, part, part_key = _LISTS[name]
    rows = []
    with call.cloud.lock:
        for project in call.cloud.holders("usage", call.region or "", "balancer"):
            if call.query.get("project_id") not in (None, project):
                continue
            used = call.cloud.usage_of(call.region or "", "balancer", project)
            for number in range(used[key].used if key in used else 0):
                row: dict[str, Any] = {
                    "id": f"{project}-{key}-{number:06}", "project_id": project,
                }  # fmt: skip
                if part:
                    parts = used[part_key].used if part_key in used and number == 0 else 0
                    row[part] = [{"id": f"{row['id']}-{index}"} for index in range(parts)]
                rows.append(row)
    return linked_page(call, f"/v2/lbaas/{name}", name, rows)
