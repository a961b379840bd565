"""Cinder's part: version discovery, volume types and quota sets.

Two habits of the real one are kept, because they hurt: limits are stored for projects
that do not exist, and a limit below usage is refused only where the project had a limit
of its own for that key before.
"""

import re
from typing import Any

from contrib.sandbox import access
from contrib.sandbox.calls import NOT_FOUND, Answer, Call, Refusal, signed_in
from contrib.sandbox.paging import linked_page
from contrib.sandbox.state import VOLUME_TYPES, Usage

LARGEST = 2**31 - 1
NEWEST = {"xena": 66, "2026.1": 71}
UPDATED = {"xena": "2021-09-16T00:00:00Z", "2026.1": "2023-08-31T00:00:00Z"}

_PER_TYPE = ("volumes", "gigabytes", "snapshots")
DEFAULTS = {
    "volumes": 10,
    "per_volume_gigabytes": -1,
    "snapshots": 10,
    "gigabytes": 1000,
    "backups": 10,
    "backup_gigabytes": 1000,
    **{f"{key}_{name}": -1 for name in (*VOLUME_TYPES, "__DEFAULT__") for key in _PER_TYPE},
    "groups": 10,
}


def handle(call: Call) -> Answer:
    """Answer one call; the path begins after `/REGION/volume`."""
    parts = [part for part in call.path.split("/") if part]
    headers = {"OpenStack-API-Version": f"volume 3.{_minor(call)}", "Vary": "OpenStack-API-Version"}
    if not parts or parts == ["v3"]:
        return Answer(200 if parts else 300, {"versions": [_version(call)]}, headers)
    if parts[0] != "v3":
        return Answer(404, NOT_FOUND)
    token = signed_in(call)
    if len(parts) > 2 and parts[1] != token.project_id:
        raise Refusal(400, "Malformed request url")
    match (call.method, *parts[2:]):
        case (_, "types", *rest):
            answer = access.handle(call, access.TYPE, rest) or Answer(404, NOT_FOUND)
        case ("GET", "volumes" | "snapshots" as what, "detail"):
            answer = linked_page(call, f"/v3/{what}/detail", what, _rows(call, what))
        case ("GET", "os-quota-sets", project_id):
            answer = _show(call, project_id)
        case ("GET", "os-quota-sets", project_id, "defaults"):
            answer = Answer(200, {"quota_set": {**DEFAULTS, "id": project_id}})
        case ("PUT", "os-quota-sets", project_id):
            answer = _update(call, project_id)
        case ("DELETE", "os-quota-sets", project_id):
            _authorize(call, "delete", project_id)
            with call.cloud.change():
                call.cloud.limits_of(call.region or "", "volume", project_id).clear()
            answer = Answer(200)
        case _:
            return Answer(404, NOT_FOUND)
    answer.headers.update(headers)
    return answer


def _rows(call: Call, what: str) -> list[dict[str, Any]]:
    """Volumes or snapshots, made up from what is used of each type; all space is the volumes'."""
    owner = "os-vol-tenant-attr:tenant_id"
    if what == "snapshots":
        owner = "os-extended-snapshot-attributes:project_id"
    rows = []
    with call.cloud.lock:
        for project in call.cloud.holders("usage", call.region or "", "volume"):
            for name in VOLUME_TYPES:
                count = _usage(call, project, f"{what}_{name}").used
                space = _usage(call, project, f"gigabytes_{name}").used
                total = space if what == "volumes" else 0
                for number in range(count):
                    size = total // count + (total % count if number == 0 else 0)
                    row = {"id": f"{project}-{what}-{name}-{number}", owner: project, "size": size}
                    volume = f"{project}-volumes-{name}-0"
                    rows.append({**row, "volume_type": name, "volume_id": volume})
    return rows


def _release(call: Call) -> str:
    return call.cloud.regions[call.region or ""]


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.0",
        "status": "CURRENT",
        "version": f"3.{NEWEST[_release(call)]}",
        "min_version": "3.0",
        "updated": UPDATED[_release(call)],
        "links": [{"rel": "self", "href": f"{call.base}/v3/"}],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}
        ],
    }


def _minor(call: Call) -> int:
    found = re.fullmatch(r"volume (\S+)", call.headers.get("openstack-api-version", ""))
    if not found:
        return 0
    newest = NEWEST[_release(call)]
    if found[1] == "latest":
        return newest
    numbers = re.fullmatch(r"(\d+)\.(\d+)", found[1])
    if not numbers:
        raise Refusal(
            400,
            f"API Version String {found[1]} is of invalid format. "
            "Must be of format MajorNum.MinorNum.",
        )
    if numbers[1] != "3" or int(numbers[2]) > newest:
        raise Refusal(
            406,
            f"Version {found[1]} is not supported by the API. "
            f"Minimum is 3.0 and maximum is 3.{newest}.",
        )
    return int(numbers[2])


def _authorize(call: Call, action: str, project_id: str) -> None:
    token = signed_in(call)
    own = token.project_id == project_id and action == "show"
    if "admin" not in token.roles and not own:
        raise Refusal(
            403, f"Policy doesn't allow volume_extension:quotas:{action} to be performed."
        )


def _limits(call: Call, project_id: str) -> dict[str, int]:
    own = call.cloud.limits_of(call.region or "", "volume", project_id)
    return {key: own.get(key, default) for key, default in DEFAULTS.items()}


def _usage(call: Call, project_id: str, key: str) -> Usage:
    return call.cloud.usage_of(call.region or "", "volume", project_id).get(key, Usage())


def _show(call: Call, project_id: str) -> Answer:
    _authorize(call, "show", project_id)
    is_detailed = call.query.get("usage", "").lower() in ("true", "1", "yes", "on", "t", "y")
    body: dict[str, Any] = {}
    with call.cloud.lock:
        for key, limit in _limits(call, project_id).items():
            usage = _usage(call, project_id, key)
            body[key] = (
                {"limit": limit, "in_use": usage.used, "reserved": usage.reserved}
                if is_detailed
                else limit
            )
    return Answer(200, {"quota_set": {**body, "id": project_id}})


def _update(call: Call, project_id: str) -> Answer:
    _authorize(call, "update", project_id)
    wanted = _checked(call.body, _release(call))
    with call.cloud.change():
        own = call.cloud.limits_of(call.region or "", "volume", project_id)
        for key, value in wanted.items():
            usage = _usage(call, project_id, key)
            taken = usage.used + usage.reserved
            if key in own and -1 < value < taken:
                raise Refusal(
                    400,
                    f"Quota {key} limit must be equal or greater than existing resources. "
                    f"Current usage is {taken} and the requested limit is {value}.",
                )
        if not call.ignores_writes:
            own.update(wanted)
        return Answer(200, {"quota_set": _limits(call, project_id)})


def _checked(body: Any, release: str) -> dict[str, int]:
    if not isinstance(body, dict):
        raise Refusal(400, f"{body!r} is not of type 'object'")
    given = body.get("quota_set")
    if not isinstance(given, dict):
        raise Refusal(400, "'quota_set' is a required property")
    if not given:
        why = "does not have enough properties" if release == "xena" else "should be non-empty"
        raise Refusal(400, f"Invalid input for field/attribute quota_set. Value: {{}}. {{}} {why}")
    for key, value in given.items():
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
            raise Refusal(
                400,
                "The server could not comply with the request since it is either malformed "
                "or otherwise incorrect.",
            )
        if key in DEFAULTS:
            _check_integer(key, value)
    unknown = [key for key in given if key not in DEFAULTS]
    if unknown:
        raise Refusal(400, f"Invalid input received: Bad key(s) in quota set: {', '.join(unknown)}")
    return given


def _check_integer(key: str, value: Any) -> None:
    if type(value) is not int:
        raise Refusal(400, f"{key} must be an integer")
    if value < -1:
        raise Refusal(400, f"{key} must be >= -1")
    if value > LARGEST:
        raise Refusal(400, f"{key} must be <= {LARGEST}")
