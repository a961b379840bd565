"""Keystone's part for limits: services, registered limits, and limits of projects.

One habit of the real one is kept, because it hurts: to change a limit to zero is answered with
200 and changes nothing.
"""

from typing import Any

from contrib.sandbox.calls import Answer, Call, Refusal
from contrib.sandbox.people import require_admin
from contrib.sandbox.state import new_id

LARGEST = 2**31 - 1
# Types of services that can be limited, and the id of each.
_SERVICES = {"compute": "service-nova", "image": "service-glance"}


def handle(call: Call, parts: list[str]) -> Answer | None:
    """Answer one call; `parts` is the path after the version. None: no such path here."""
    match (call.method, *parts):
        case ("GET", "services"):
            require_admin(call, "list_services")
            wanted = call.query.get("type")
            rows = [
                {"id": key, "type": kind, "enabled": True}
                for kind, key in _SERVICES.items()
                if wanted in (None, kind)
            ]
            return Answer(200, {"services": rows})
        case ("GET", "registered_limits" | "limits" as what):
            require_admin(call, f"list_{what}")
            return Answer(200, {what: _listed(call, what)})
        case ("POST", "registered_limits"):
            return _register(call)
        case ("POST", "limits"):
            return _create(call)
        case ("PATCH" | "DELETE", "limits", limit_id):
            return _change(call, limit_id)
    return None


def _rows(call: Call, what: str) -> list[dict[str, Any]]:
    return call.cloud.registered if what == "registered_limits" else call.cloud.unified


def _listed(call: Call, what: str) -> list[dict[str, Any]]:
    wanted = {
        key: call.query[key]
        for key in ("service_id", "region_id", "resource_name", "project_id")
        if key in call.query
    }
    with call.cloud.lock:
        return [row for row in _rows(call, what) if wanted.items() <= row.items()]


def _same(row: dict[str, Any], other: dict[str, Any]) -> bool:
    keys = ("service_id", "region_id", "resource_name", "project_id")
    return all(row.get(key) == other.get(key) for key in keys)


def _register(call: Call) -> Answer:
    require_admin(call, "create_registered_limits")
    with call.cloud.change():
        made = []
        for fields in (call.body or {}).get("registered_limits", []):
            _check("default_limit", fields.get("default_limit"))
            if any(_same(row, fields) for row in call.cloud.registered):
                raise Refusal(
                    409,
                    "Conflict occurred attempting to store registered_limit - Duplicate entry.",
                )
            made.append({"id": new_id(), **fields})
        call.cloud.registered += made
    return Answer(201, {"registered_limits": made})


def _create(call: Call) -> Answer:
    require_admin(call, "create_limits")
    cloud = call.cloud
    with cloud.change():
        made: list[dict[str, Any]] = []
        for fields in (call.body or {}).get("limits", []):
            _check("resource_limit", fields.get("resource_limit"))
            if fields.get("project_id") not in cloud.projects:
                raise Refusal(
                    400,
                    "Expecting to find project_id in limit. The server could not comply with the "
                    "request since it is either malformed or otherwise incorrect. The client is "
                    "assumed to be in error.",
                )
            bare = {key: value for key, value in fields.items() if key != "project_id"}
            if not any(_same(row, bare) for row in cloud.registered):
                raise Refusal(
                    403, "Unable to create a limit that has no corresponding registered limit."
                )
            if any(_same(row, fields) for row in (*cloud.unified, *made)):
                raise Refusal(409, "Conflict occurred attempting to store limit - Duplicate entry.")
            made.append({"id": new_id(), "domain_id": None, **fields})
        if not call.ignores_writes:
            cloud.unified += made
    return Answer(201, {"limits": made})


def _change(call: Call, limit_id: str) -> Answer:
    require_admin(call, "update_limit")
    cloud = call.cloud
    with cloud.change():
        row = next((each for each in cloud.unified if each["id"] == limit_id), None)
        if row is None:
            raise Refusal(404, f"Could not find limit for {limit_id}.")
        if call.method == "DELETE":
            if not call.ignores_writes:
                cloud.unified.remove(row)
            return Answer(204)
        value = ((call.body or {}).get("limit") or {}).get("resource_limit")
        _check("resource_limit", value)
        # A zero is taken for "not given", as the real one does.
        if value and not call.ignores_writes:
            row["resource_limit"] = value
        return Answer(200, {"limit": row})


def _check(field: str, value: Any) -> None:
    if type(value) is not int:
        why = f"{value!r} is not of type 'integer'"
    elif value < -1:
        why = f"{value} is less than the minimum of -1"
    elif value > LARGEST:
        why = f"{value} is greater than the maximum of {LARGEST}"
    else:
        return
    raise Refusal(400, f"Invalid input for field/attribute {field}. Value: {value}. {why}")
