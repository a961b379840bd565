"""Manila's part: version discovery, share types, quota sets of projects and of share types, and
lists of shares, snapshots and replicas.

Two habits of the real one are kept: limits are stored for projects that do not exist, and those
of a share type are no more than the project's when they are set, though it may be lowered later.
"""

import re
from typing import Any

from contrib.sandbox.calls import NOT_FOUND, Answer, Call, Refusal, signed_in
from contrib.sandbox.state import SHARE_TYPES, Usage

LARGEST = 2**31 - 1
NEWEST = {"xena": 65, "2026.1": 92}

_PER_TYPE = {
    "shares": 50,
    "gigabytes": 1000,
    "snapshots": 50,
    "snapshot_gigabytes": 1000,
    "share_replicas": 100,
    "replica_gigabytes": 1000,
    "per_share_gigabytes": -1,
}
_OF_PROJECT = {"share_networks": 10, "share_groups": 50, "share_group_snapshots": 50}
DEFAULTS = {
    **_PER_TYPE,
    **_OF_PROJECT,
    **{f"{key}_{name}": value for name in SHARE_TYPES for key, value in _PER_TYPE.items()},
}


def handle(call: Call) -> Answer:
    """Answer one call; the path begins after `/REGION/share`."""
    parts = [part for part in call.path.split("/") if part]
    if not parts or parts == ["v2"]:
        return Answer(200 if parts else 300, {"versions": [_version(call)]})
    if parts[0] != "v2":
        return Answer(404, NOT_FOUND)
    _check_version(call)
    if "admin" not in signed_in(call).roles:
        raise Refusal(403, "Policy doesn't allow share:quota_set to be performed.")
    match (call.method, *parts[1:]):
        case ("GET", "types"):
            rows = [{"id": name, "name": name} for name in SHARE_TYPES]
            return Answer(200, {"share_types": rows})
        case ("GET", "quota-sets", project_id):
            return Answer(200, {"quota_set": {"id": project_id, **_limits(call, project_id)}})
        case ("GET", "quota-sets", project_id, "detail"):
            return Answer(200, {"quota_set": {"id": project_id, **_detail(call, project_id)}})
        case ("PUT", "quota-sets", project_id):
            return _update(call, project_id)
        case ("DELETE", "quota-sets", project_id):
            with call.cloud.change():
                call.cloud.limits_of(call.region or "", "share", project_id).clear()
            return Answer(202)
        case ("GET", "shares" | "snapshots" as what, "detail"):
            return _list(call, what)
        case ("GET", "share-replicas", "detail"):
            return _list(call, "share_replicas")
    return Answer(404, NOT_FOUND)


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v2.0",
        "status": "CURRENT",
        "version": f"2.{NEWEST[call.cloud.regions[call.region or '']]}",
        "min_version": "2.0",
        "updated": "2015-08-27T11:33:21Z",
        "links": [{"rel": "self", "href": f"{call.base}/v2/"}],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.share+json;version=1"}
        ],
    }


def _check_version(call: Call) -> None:
    asked = call.headers.get("x-openstack-manila-api-version", "2.0")
    numbers = re.fullmatch(r"2\.(\d+)", asked)
    newest = NEWEST[call.cloud.regions[call.region or ""]]
    if not numbers or int(numbers[1]) > newest:
        raise Refusal(
            406,
            f"Version {asked} is not supported by the API. Minimum is 2.0 and maximum is "
            f"2.{newest}.",
        )
    if int(numbers[1]) < 7:
        raise Refusal(404, NOT_FOUND)


def _suffix(call: Call) -> str:
    """What is added to a key for the share type that is asked for."""
    share_type = call.query.get("share_type", "")
    if share_type and share_type not in SHARE_TYPES:
        raise Refusal(404, f"Share type with name or id '{share_type}' not found.")
    return f"_{share_type}" if share_type else ""


def _keys(suffix: str) -> dict[str, int]:
    return _PER_TYPE if suffix else {**_PER_TYPE, **_OF_PROJECT}


def _limits(call: Call, project_id: str) -> dict[str, int]:
    own = call.cloud.limits_of(call.region or "", "share", project_id)
    suffix = _suffix(call)
    # A type without a limit of its own has the project's.
    return {
        key: own.get(key + suffix, own.get(key, default)) for key, default in _keys(suffix).items()
    }


def _usage(call: Call, project_id: str, key: str) -> Usage:
    return call.cloud.usage_of(call.region or "", "share", project_id).get(key, Usage())


def _detail(call: Call, project_id: str) -> dict[str, Any]:
    with call.cloud.lock:
        return {
            key: {"limit": limit, "in_use": usage.used, "reserved": usage.reserved}
            for key, limit in _limits(call, project_id).items()
            for usage in [_usage(call, project_id, key + _suffix(call))]
        }


def _update(call: Call, project_id: str) -> Answer:
    suffix = _suffix(call)
    wanted = _checked(call.body, _keys(suffix))
    is_forced = wanted.pop("force", False)
    with call.cloud.change():
        own = call.cloud.limits_of(call.region or "", "share", project_id)
        for key, value in wanted.items():
            usage = _usage(call, project_id, key + suffix)
            taken = usage.used + usage.reserved
            if not is_forced and -1 < value < taken:
                raise Refusal(
                    400,
                    f"Quota limit {value} for {key} must be greater than or equal to "
                    f"already used and reserved {taken}.",
                )
            most = own.get(key, _PER_TYPE.get(key, -1))
            if suffix and -1 < most < value:
                raise Refusal(400, f"Quota limit must be less than {most}.")
        if not call.ignores_writes:
            own.update({key + suffix: value for key, value in wanted.items()})
        return Answer(200, {"quota_set": _limits(call, project_id)})


def _checked(body: Any, known: dict[str, int]) -> dict[str, Any]:
    given = (body or {}).get("quota_set")
    if not isinstance(given, dict):
        raise Refusal(400, "'quota_set' is a required property")
    unknown = [key for key in given if key not in (*known, "force")]
    if unknown:
        raise Refusal(400, f"Bad key(s) {', '.join(unknown)} in quota_set.")
    found: dict[str, Any] = {}
    for key, value in given.items():
        if key == "force":
            found[key] = value is True
            continue
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]+", value):
            value = int(value)
        if type(value) is not int:
            raise Refusal(400, f"Quota '{value}' for {key} should be integer.")
        if value < -1:
            raise Refusal(400, "Quota limit must be -1 or greater.")
        if value > LARGEST:
            raise Refusal(500, "The server has either erred or is incapable of performing the "
                               "requested operation.")  # fmt: skip
        found[key] = value
    return found


def _list(call: Call, what: str) -> Answer:
    """Shares, snapshots or replicas, made up from what is used of each type; pages by offset.

    Snapshots and replicas are all of the first share of their type.
    """
    space = "gigabytes" if what == "shares" else "snapshot_gigabytes"
    size_key = "size" if what == "shares" else "share_size"
    rows: list[dict[str, Any]] = []
    with call.cloud.lock:
        for project in call.cloud.holders("usage", call.region or "", "share"):
            for name in SHARE_TYPES:
                count = _usage(call, project, f"{what}_{name}").used
                total = _usage(call, project, f"{space}_{name}").used
                for number in range(count):
                    # All space that is left over is the first one's.
                    size = total // count + (total % count if number == 0 else 0)
                    row = {"id": f"{project}-{what}-{name}-{number}", "project_id": project}
                    share = f"{project}-shares-{name}-0"
                    rows.append({**row, size_key: size, "share_type_name": name, "share_id": share})
    offset, limit = int(call.query.get("offset", 0)), int(call.query.get("limit", 1000))
    return Answer(200, {what: sorted(rows, key=lambda row: row["id"])[offset : offset + limit]})
