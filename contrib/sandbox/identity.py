"""Keystone's part: tokens with a catalogue, and projects with tags."""

import datetime
import re
import secrets
import urllib.parse
from dataclasses import asdict, replace
from typing import Any

from contrib.sandbox import listing, people, unified
from contrib.sandbox.calls import NOT_FOUND, UNAUTHORIZED, Answer, Call, Refusal, signed_in
from contrib.sandbox.people import require_admin
from contrib.sandbox.state import DOMAIN, Cloud, Project, Token, new_id

_DOMAIN = {"id": DOMAIN, "name": "Default"}
# Service types and the path of each in its region.
_CATALOGUE = {
    "compute": ("nova", "compute/v2.1"),
    "volumev3": ("cinderv3", "volume/v3/{project_id}"),
    "network": ("neutron", "network"),
    "sharev2": ("manilav2", "share/v2"),
    "load-balancer": ("octavia", "balancer"),
}


def handle(call: Call) -> Answer:
    """Answer one call; the path begins after `/identity`."""
    parts = [urllib.parse.unquote(part) for part in call.path.split("/") if part]
    if not parts:
        return Answer(300, {"versions": {"values": [_version(call)]}})
    if parts == ["v3"]:
        return Answer(200, {"version": _version(call)})
    match (call.method, *parts[1:]):
        case ("POST", "auth", "tokens"):
            return _sign_in(call)
        case ("GET", "auth", "tokens"):
            return _show_token(call)
        case ("GET", "projects"):
            return _list_projects(call)
        case ("POST", "projects"):
            return _create_project(call)
        case ("GET" | "PATCH" | "DELETE", "projects", project_id):
            return _one_project(call, project_id)
        case ("PUT", "projects", project_id, "tags", tag):
            return _add_tag(call, project_id, tag)
        case ("DELETE", "projects", project_id, "tags", tag):
            return _drop_tag(call, project_id, tag)
    found = people.handle(call, parts[1:]) or unified.handle(call, parts[1:])
    return found or Answer(404, NOT_FOUND)


def _version(call: Call) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.base}/v3/"}],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}
        ],
    }


# --- tokens -----------------------------------------------------------------------


def _sign_in(call: Call) -> Answer:
    cloud = call.cloud
    try:
        auth = call.body["auth"]
        wanted = auth["identity"]["password"]["user"]
        scope = auth.get("scope", {}).get("project")
    except (KeyError, TypeError):
        raise Refusal(400, "'auth' is a required property") from None
    with cloud.lock:
        user = next(
            (
                row
                for row in cloud.users.values()
                if wanted.get("id", row.id) == row.id and wanted.get("name", row.name) == row.name
            ),
            None,
        )
        password = str(wanted.get("password", ""))
        if user is None or not secrets.compare_digest(user.password.encode(), password.encode()):
            raise Refusal(401, UNAUTHORIZED)
        project = None
        if scope:
            project = cloud.project_called(scope.get("id") or scope.get("name", ""))
            roles = cloud.roles_of(user.id, project.id) if project else ()
            if project is None or not project.enabled or not roles:
                raise Refusal(401, UNAUTHORIZED)
            token = Token(user.id, project.id, roles)
        else:
            token = Token(user.id, None, ())
        name = secrets.token_urlsafe(32)
        cloud.tokens[name] = token
    return Answer(201, _token_body(call, token), {"X-Subject-Token": name})


def _show_token(call: Call) -> Answer:
    signed_in(call)
    name = call.headers.get("x-subject-token", "")
    token = call.cloud.tokens.get(name)
    if token is None:
        raise Refusal(404, "Could not find token.")
    return Answer(200, _token_body(call, token), {"X-Subject-Token": name})


def _token_body(call: Call, token: Token) -> dict[str, Any]:
    cloud = call.cloud
    user = cloud.users[token.user_id]
    now = datetime.datetime.now(datetime.UTC)
    body: dict[str, Any] = {
        "methods": ["password"],
        "user": {"id": user.id, "name": user.name, "domain": _DOMAIN, "password_expires_at": None},
        "audit_ids": [secrets.token_urlsafe(16)],
        "issued_at": _moment(now),
        "expires_at": _moment(now + datetime.timedelta(days=1)),
    }
    if token.project_id is not None:
        project = cloud.projects[token.project_id]
        body["project"] = {"id": project.id, "name": project.name, "domain": _DOMAIN}
        body["roles"] = [
            {"id": key, "name": name} for key, name in cloud.roles.items() if name in token.roles
        ]
        body["catalog"] = _catalogue(call, project.id)
    return {"token": body}


def _moment(when: datetime.datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def _catalogue(call: Call, project_id: str) -> list[dict[str, Any]]:
    identity = f"{call.root}/identity/v3"
    services = [("identity", "keystone", dict.fromkeys(call.cloud.regions, identity))]
    for kind, (name, path) in _CATALOGUE.items():
        urls = {
            region: f"{call.root}/{region}/{path.format(project_id=project_id)}"
            for region in call.cloud.regions
        }
        services.append((kind, name, urls))
    return [
        {
            "id": f"service-{name}",
            "type": kind,
            "name": name,
            "endpoints": [
                {
                    "id": f"{name}-{region}-{interface}",
                    "interface": interface,
                    "region": region,
                    "region_id": region,
                    "url": url,
                }
                for region, url in urls.items()
                for interface in ("public", "internal", "admin")
            ],
        }
        for kind, name, urls in services
    ]


# --- projects ---------------------------------------------------------------------


def _row(call: Call, project: Project) -> dict[str, Any]:
    link = f"{call.base}/v3/projects/{project.id}"
    return {**asdict(project), "is_domain": False, "options": {}, "links": {"self": link}}


def _list_projects(call: Call) -> Answer:
    require_admin(call, "list_projects")
    tags = set(filter(None, call.query.get("tags", "").split(",")))
    name = call.query.get("name")
    domain = call.query.get("domain_id")
    with call.cloud.lock:
        listed, is_truncated = listing.page(
            call,
            [
                project
                for project in call.cloud.projects.values()
                if (name is None or _same(name, project.name))
                and domain in (None, project.domain_id)
            ],
        )
        # As Keystone does it: first it lists, then it looks for the tag in that.
        rows = [_row(call, project) for project in listed if tags <= set(project.tags)]
    return Answer(200, listing.collection(call, "projects", rows, is_truncated))


def _invalid(field: str, value: object, why: str) -> Refusal:
    return Refusal(400, f"Invalid input for field/attribute {field}. Value: {value}. {why}")


def _checked(fields: dict[str, Any]) -> dict[str, Any]:
    name = fields.get("name")
    if name is not None:
        if not isinstance(name, str) or not name.strip():
            raise _invalid("name", name, f"{name!r} should be non-empty")
        if len(name) > 64:
            raise _invalid("name", name, f"{name!r} is too long")
    for number, tag in enumerate(fields.get("tags", [])):
        if not re.fullmatch(r"[^,/]{1,255}", tag):
            raise _invalid(str(number), tag, f"{tag!r} does not match '^[^,/]*$'")
    if not isinstance(fields.get("enabled", True), bool):
        raise _invalid("enabled", fields["enabled"], "is not of type 'boolean'")
    known = ("name", "description", "enabled", "tags", "domain_id", "parent_id")
    return {key: fields[key] for key in known if key in fields}


def _same(name: str, other: str) -> bool:
    """As Keystone's MariaDB compares names."""
    return name.casefold() == other.casefold()


def _refuse_taken(call: Call, name: str, domain_id: str, project_id: str) -> None:
    for other in call.cloud.projects.values():
        is_same = other.domain_id == domain_id and _same(other.name, name)
        if is_same and other.id != project_id:
            raise Refusal(
                409,
                "Conflict occurred attempting to store project - it is not permitted to have two "
                "projects with either the same name or same id in the same domain: name is "
                f"{name}, project id {project_id}.",
            )


def _create_project(call: Call) -> Answer:
    require_admin(call, "create_project")
    fields = _checked((call.body or {}).get("project") or {})
    if "name" not in fields:
        raise Refusal(400, "'name' is a required property")
    with call.cloud.change():
        project = Project(new_id(), **fields)
        _refuse_taken(call, project.name, project.domain_id, project.id)
        call.cloud.projects[project.id] = project
        return Answer(201, {"project": _row(call, project)})


def _one_project(call: Call, project_id: str) -> Answer:
    verb = {"GET": "get", "PATCH": "update", "DELETE": "delete"}[call.method]
    require_admin(call, f"{verb}_project")
    with call.cloud.lock:
        project = _project(call, project_id)
        if call.method == "GET":
            return Answer(200, {"project": _row(call, project)})
        with call.cloud.change():
            if call.method == "DELETE":
                forget_project(call.cloud, project_id)
                return Answer(204)
            fields = _checked((call.body or {}).get("project") or {})
            if "name" in fields:
                _refuse_taken(call, fields["name"], project.domain_id, project_id)
            changed = replace(project, **fields)
            if not call.ignores_writes:
                call.cloud.projects[project_id] = changed
            return Answer(200, {"project": {**_row(call, changed), "extra": {}}})


def forget_project(cloud: Cloud, project_id: str) -> None:
    """What Keystone forgets with a project; the services keep their rows, as real ones do."""
    del cloud.projects[project_id]
    cloud.unified = [row for row in cloud.unified if row["project_id"] != project_id]
    cloud.grants = {grant for grant in cloud.grants if grant[0] != project_id}
    cloud.tokens = {
        name: token for name, token in cloud.tokens.items() if token.project_id != project_id
    }


def _add_tag(call: Call, project_id: str, tag: str) -> Answer:
    require_admin(call, "create_project_tag")
    with call.cloud.change():
        project = _project(call, project_id)
        if tag in project.tags:
            raise Refusal(400, f"{[*project.tags, tag]} has non-unique elements")
        tags = _checked({"tags": [*project.tags, tag]})["tags"]
        if not call.ignores_writes:
            project.tags = tags
    return Answer(201)


def _drop_tag(call: Call, project_id: str, tag: str) -> Answer:
    require_admin(call, "delete_project_tag")
    with call.cloud.change():
        project = _project(call, project_id)
        if tag not in project.tags:
            raise Refusal(404, f"Could not find project tag: {tag}.")
        project.tags = [each for each in project.tags if each != tag]
    return Answer(204)


def _project(call: Call, project_id: str) -> Project:
    if project_id not in call.cloud.projects:
        raise Refusal(404, f"Could not find project: {project_id}.")
    return call.cloud.projects[project_id]
