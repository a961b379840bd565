"""Nova's part: version discovery, microversions and quota sets; `servers.py` has the rest."""

import re
from typing import Any

from contrib.sandbox import access, servers
from contrib.sandbox.calls import NOT_FOUND, Answer, Call, Refusal, signed_in
from contrib.sandbox.state import Usage

LARGEST = 2**31 - 1
NEWEST = {"xena": 90, "2026.1": 103}

DEFAULTS = {
    "cores": 20,
    "instances": 10,
    "key_pairs": 100,
    "metadata_items": 128,
    "ram": 51200,
    "server_group_members": 10,
    "server_groups": 10,
}
# Keys that later microversions no longer know: (the last minor version with them, defaults).
_OLD_KEYS = (
    (35, {"fixed_ips": -1, "floating_ips": -1, "security_groups": -1, "security_group_rules": -1}),
    (
        56,
        {
            "injected_files": 5,
            "injected_file_content_bytes": 10240,
            "injected_file_path_bytes": 255,
        },
    ),
)


def handle(call: Call) -> Answer:
    """Answer one call; the path begins after `/REGION/compute`."""
    parts = [part for part in call.path.split("/") if part]
    if not parts:
        return Answer(200, {"versions": [_version(call)]})
    if parts[0] != "v2.1":
        return Answer(404, NOT_FOUND)
    minor = _minor(call)
    headers = {
        "OpenStack-API-Version": f"compute 2.{minor}",
        "X-OpenStack-Nova-API-Version": f"2.{minor}",
        "Vary": "OpenStack-API-Version",
    }
    if len(parts) == 1:
        return Answer(200, {"version": _version(call)}, headers)
    signed_in(call)
    match (call.method, *parts[1:]):
        case ("GET", "os-quota-sets", project_id):
            answer = _show(call, project_id, minor, "show", detailed=False)
        case ("GET", "os-quota-sets", project_id, "detail"):
            answer = _show(call, project_id, minor, "detail", detailed=True)
        case ("GET", "os-quota-sets", project_id, "defaults"):
            answer = Answer(200, {"quota_set": {"id": project_id, **_defaults(minor)}})
        case ("PUT", "os-quota-sets", project_id):
            answer = _update(call, project_id, minor)
        case ("DELETE", "os-quota-sets", project_id):
            answer = _delete(call, project_id)
        case ("GET", "servers", "detail"):
            _require_admin(call, "servers:detail:get_all_tenants")
            answer = servers.listed(call, minor)
        case ("GET", "os-services"):
            _require_admin(call, "os-services:list")
            answer = servers.services(call, minor)
        case (_, "flavors", *rest):
            answer = access.handle(call, access.FLAVOR, rest) or Answer(404, NOT_FOUND)
        case _:
            return Answer(404, NOT_FOUND)
    answer.headers.update(headers)
    return answer


def _newest(call: Call) -> int:
    return NEWEST[call.cloud.regions[call.region or ""]]


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": f"2.{_newest(call)}",
        "min_version": "2.1",
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{call.base}/v2.1/"}],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.compute+json;version=2.1",
            }
        ],
    }


def _minor(call: Call) -> int:
    """The minor version that the caller asks for, 1 without a wish; 406 above the newest."""
    asked = call.headers.get("openstack-api-version", "")
    found = re.fullmatch(r"compute (\S+)", asked)
    version = found[1] if found else call.headers.get("x-openstack-nova-api-version", "2.1")
    if version == "latest":
        return _newest(call)
    numbers = re.fullmatch(r"(\d+)\.(\d+)", version)
    if not numbers:
        raise Refusal(
            400,
            f"API Version String {version} is of invalid format. "
            "Must be of format MajorNum.MinorNum.",
        )
    if numbers[1] != "2" or not 1 <= int(numbers[2]) <= _newest(call):
        raise Refusal(
            406,
            f"Version {version} is not supported by the API. "
            f"Minimum is 2.1 and maximum is 2.{_newest(call)}.",
        )
    return int(numbers[2])


def _defaults(minor: int) -> dict[str, int]:
    found = dict(DEFAULTS)
    for last, keys in _OLD_KEYS:
        if minor <= last:
            found.update(keys)
    return dict(sorted(found.items()))


def _require_admin(call: Call, rule: str) -> None:
    if "admin" not in signed_in(call).roles:
        raise Refusal(403, f"Policy doesn't allow os_compute_api:{rule} to be performed.")


def _authorize(call: Call, action: str, project_id: str) -> None:
    """Admins may do all; a project's members may look at their own."""
    if signed_in(call).project_id != project_id or action not in ("show", "detail"):
        _require_admin(call, f"os-quota-sets:{action}")
    if project_id not in call.cloud.projects:
        raise Refusal(400, f"Project ID {project_id} is not a valid project.")


def _limits(call: Call, project_id: str, minor: int) -> dict[str, int]:
    own = call.cloud.limits_of(call.region or "", "compute", project_id)
    return {key: own.get(key, default) for key, default in _defaults(minor).items()}


def _show(call: Call, project_id: str, minor: int, action: str, *, detailed: bool) -> Answer:
    _authorize(call, action, project_id)
    body: dict[str, Any] = {"id": project_id}
    with call.cloud.lock:
        used = servers.usage(call, project_id)
        for key, limit in _limits(call, project_id, minor).items():
            usage = used.get(key, Usage())
            body[key] = (
                {"limit": limit, "in_use": usage.used, "reserved": usage.reserved}
                if detailed
                else limit
            )
    return Answer(200, {"quota_set": body})


def _update(call: Call, project_id: str, minor: int) -> Answer:
    _authorize(call, "update", project_id)
    wanted = _checked(call.body, minor)
    is_forced = wanted.pop("force", False)
    with call.cloud.change():
        used = servers.usage(call, project_id)
        for key, value in wanted.items():
            usage = used.get(key, Usage())
            taken = usage.used + usage.reserved
            if not is_forced and -1 < value < taken:
                raise Refusal(
                    400,
                    f"Quota limit {value} for {key} must be greater than or equal to "
                    f"already used and reserved {taken}.",
                )
        if not call.ignores_writes:
            call.cloud.limits_of(call.region or "", "compute", project_id).update(wanted)
        return Answer(200, {"quota_set": _limits(call, project_id, minor)})


def _checked(body: Any, minor: int) -> dict[str, Any]:
    """The values, as integers; text of digits is taken, as Nova does."""
    if not isinstance(body, dict):
        raise Refusal(400, f"{body!r} is not of type 'object'")
    if not isinstance(body.get("quota_set"), dict):
        raise Refusal(400, "'quota_set' is a required property")
    given = body["quota_set"]
    unknown = [key for key in given if key not in (*_defaults(minor), "force", "tenant_id")]
    if unknown:
        names = ", ".join(repr(key) for key in unknown)
        verb = "was" if len(unknown) == 1 else "were"
        raise _invalid(
            "quota_set", given, f"Additional properties are not allowed ({names} {verb} unexpected)"
        )
    found: dict[str, Any] = {}
    for key, value in given.items():
        if key == "force":
            found[key] = value in (True, "true", "True", 1)
        elif key != "tenant_id":
            found[key] = _integer(key, value)
    return found


def _integer(key: str, value: Any) -> int:
    if isinstance(value, str):
        if not re.fullmatch(r"-?[0-9]+", value):
            raise _invalid(key, value, f"{value!r} does not match '^-?[0-9]+$'")
        value = int(value)
    if type(value) is not int:
        raise _invalid(key, value, f"{value!r} is not of type 'integer', 'string'")
    if value < -1:
        raise _invalid(key, value, f"{value} is less than the minimum of -1")
    if value > LARGEST:
        raise _invalid(key, value, f"{value} is greater than the maximum of {LARGEST}")
    return value


def _invalid(field: str, value: Any, why: str) -> Refusal:
    return Refusal(400, f"Invalid input for field/attribute {field}. Value: {value}. {why}")


def _delete(call: Call, project_id: str) -> Answer:
    _authorize(call, "delete", project_id)
    with call.cloud.change():
        call.cloud.limits_of(call.region or "", "compute", project_id).clear()
    return Answer(202)
