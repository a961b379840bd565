"""Keystone's part for people: users, groups, roles, and who was granted what in a project."""

from dataclasses import asdict
from typing import Any

from contrib.sandbox.calls import Answer, Call, Refusal, signed_in
from contrib.sandbox.listing import at_most, collection
from contrib.sandbox.state import DOMAIN, Group, User, new_id

_FORBIDDEN = "You are not authorized to perform the requested action: identity:{}."


def handle(call: Call, parts: list[str]) -> Answer | None:
    """Answer one call; `parts` is the path after the version. None: no such path here."""
    match (call.method, *parts):
        case (
            "PUT" | "HEAD" | "DELETE", "projects", project_id, "users" | "groups" as kind,
            holder_id, "roles", role_id,
        ):  # fmt: skip
            return _grant(call, project_id, kind, holder_id, role_id)
        case ("GET", "role_assignments"):
            return _assignments(call)
        case ("GET", "roles"):
            require_admin(call, "list_roles")
            rows = [{"id": key, "name": name} for key, name in call.cloud.roles.items()]
            return _listed(call, "roles", rows)
        case ("GET", "users" | "groups" as kind):
            return _list(call, kind)
        case ("POST", "users" | "groups" as kind):
            return _create(call, kind)
        case ("GET", "users" | "groups" as kind, holder_id):
            return _show(call, kind, holder_id)
        case ("DELETE", "users" | "groups" as kind, holder_id):
            return _delete(call, kind, holder_id)
        case ("GET", "domains"):
            require_admin(call, "list_domains")
            rows = [{"id": key, "name": name} for key, name in call.cloud.domains.items()]
            return _listed(call, "domains", rows)
        case ("POST", "domains"):
            return _create_domain(call)
    return None


def require_admin(call: Call, action: str) -> None:
    """A 403 for everybody else, in Keystone's words."""
    if "admin" not in signed_in(call).roles:
        raise Refusal(403, _FORBIDDEN.format(action))


def _rows(call: Call, kind: str) -> dict[str, Any]:
    return call.cloud.users if kind == "users" else call.cloud.groups


def _listed(call: Call, kind: str, rows: list[dict[str, Any]]) -> Answer:
    wanted = call.query.get("name")
    named = [row for row in rows if wanted in (None, row["name"])]
    return Answer(200, collection(call, kind, *at_most(call, named)))


def _grant(call: Call, project_id: str, kind: str, holder_id: str, role_id: str) -> Answer:
    require_admin(call, "create_grant")
    cloud = call.cloud
    with cloud.change():
        for what, rows, key in (
            (kind.removesuffix("s"), _rows(call, kind), holder_id),
            ("role", cloud.roles, role_id),
            ("project", cloud.projects, project_id),
        ):
            if key not in rows:
                raise Refusal(404, f"Could not find {what}: {key}.")
        grant = (project_id, holder_id, role_id)
        if call.method == "PUT":
            if not call.ignores_writes:
                cloud.grants.add(grant)
        elif grant not in cloud.grants:
            raise Refusal(
                404,
                f"Could not find role assignment with role: {role_id}, user or group: {holder_id}, "
                f"project, domain, or system: {project_id}.",
            )
        elif call.method == "DELETE" and not call.ignores_writes:
            cloud.grants.discard(grant)
    return Answer(204)


def _assignments(call: Call) -> Answer:
    require_admin(call, "list_role_assignments")
    wanted = call.query.get("scope.project.id")
    with call.cloud.lock:
        rows = [
            {
                "scope": {"project": {"id": project}},
                "user" if holder in call.cloud.users else "group": {"id": holder},
                "role": {"id": role},
            }
            for project, holder, role in sorted(call.cloud.grants)
            if wanted in (None, project)
        ]
    return Answer(200, {"role_assignments": rows})


_FEDERATED = ("idp_id", "protocol_id", "unique_id")


def _list(call: Call, kind: str) -> Answer:
    require_admin(call, f"list_{kind}")
    wanted = {key: call.query[key] for key in _FEDERATED if key in call.query}
    domain = call.query.get("domain_id")
    name = call.query.get("name")
    with call.cloud.lock:
        rows = [
            _shown(row)
            for row in _rows(call, kind).values()
            # As Keystone does it: federated people are listed by these, whatever else was asked.
            if (_is_federated(row, wanted) if wanted else domain in (None, row.domain_id))
            and (name is None or name.casefold() == row.name.casefold())
        ]
    return Answer(200, collection(call, kind, *at_most(call, rows)))


def _is_federated(row: User | Group, wanted: dict[str, str]) -> bool:
    """Whether one identity of the person has all of these."""
    return isinstance(row, User) and any(
        wanted.items() <= {"idp_id": provider["idp_id"], **protocol}.items()
        for provider in row.federated
        for protocol in provider["protocols"]
    )


def _show(call: Call, kind: str, holder_id: str) -> Answer:
    what = kind.removesuffix("s")
    require_admin(call, f"get_{what}")
    with call.cloud.lock:
        row = _rows(call, kind).get(holder_id)
        if row is None:
            raise Refusal(404, f"Could not find {what}: {holder_id}.")
        return Answer(200, {what: _shown(row)})


def _create_domain(call: Call) -> Answer:
    require_admin(call, "create_domain")
    name = ((call.body or {}).get("domain") or {}).get("name")
    if not name:
        raise Refusal(400, "'name' is a required property")
    with call.cloud.change():
        if name in call.cloud.domains.values():
            raise Refusal(
                409,
                "Conflict occurred attempting to store domain - Duplicate entry found with name "
                f"{name}.",
            )
        domain_id = new_id()
        call.cloud.domains[domain_id] = name
    return Answer(201, {"domain": {"id": domain_id, "name": name}})


def _create(call: Call, kind: str) -> Answer:
    what = kind.removesuffix("s")
    require_admin(call, f"create_{what}")
    fields = (call.body or {}).get(what) or {}
    name = fields.get("name")
    if not name:
        raise Refusal(400, "'name' is a required property")
    with call.cloud.change():
        rows = _rows(call, kind)
        domain = fields.get("domain_id", DOMAIN)
        if any(
            row.domain_id == domain and row.name.casefold() == name.casefold()
            for row in rows.values()
        ):
            raise Refusal(
                409,
                f"Conflict occurred attempting to store {what} - Duplicate entry found with name "
                f"{name} at domain ID {domain}.",
            )
        made: User | Group = (
            User(
                new_id(), name, fields.get("password", ""), domain_id=domain,
                federated=fields.get("federated", []),
            )
            if kind == "users"
            else Group(new_id(), name, fields.get("description", ""), domain_id=domain)
        )  # fmt: skip
        rows[made.id] = made
        return Answer(201, {what: _shown(made)})


def _shown(row: User | Group) -> dict[str, Any]:
    return {key: value for key, value in asdict(row).items() if key != "password"}


def _delete(call: Call, kind: str, holder_id: str) -> Answer:
    what = kind.removesuffix("s")
    require_admin(call, f"delete_{what}")
    cloud = call.cloud
    with cloud.change():
        if _rows(call, kind).pop(holder_id, None) is None:
            raise Refusal(404, f"Could not find {what}: {holder_id}.")
        cloud.grants = {grant for grant in cloud.grants if grant[1] != holder_id}
        cloud.tokens = {key: row for key, row in cloud.tokens.items() if row.user_id != holder_id}
    return Answer(204)
