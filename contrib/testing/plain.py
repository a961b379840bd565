"""An independent client: what a cloud says, asked without the code under test.

The standard library only, so that a bug in Remit's drivers or their client library
cannot hide itself by reading back wrongly what it wrote wrongly.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any


class PlainClient:
    """Signed in as clouds.yaml says, or as `user` with `password` in `project_id`."""

    def __init__(
        self,
        clouds_yaml: Path,
        cloud: str,
        *,
        project_id: str | None = None,
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        self.headers: dict[str, str] = {}  # sent with every call
        login = yaml.safe_load(clouds_yaml.read_text())["clouds"][cloud]["auth"]
        self._identity = login["auth_url"].rstrip("/")
        self._token = ""
        self._endpoints: dict[tuple[str, str], str] = {}
        domain = {"id": "default"}
        scope = {"id": project_id} if project_id else {"name": login["project_name"]}
        if not project_id:
            scope["domain"] = domain  # type: ignore[assignment]  # JSON
        person = {
            "name": user or login["username"],
            "domain": domain,
            "password": password or login["password"],
        }
        identity = {"password": {"user": person}, "methods": ["password"]}
        self._auth = {"auth": {"identity": identity, "scope": {"project": scope}}}
        self._sign_in()

    def _sign_in(self) -> None:
        self._token = ""
        request = self._request("POST", f"{self._identity}/auth/tokens", self._auth)
        with _open(request) as answer:
            self._token = answer.headers["X-Subject-Token"]
            token = json.loads(answer.read())["token"]
        self.user_id: str = token["user"]["id"]
        self.project_id: str = token["project"]["id"]
        for service in token["catalog"]:
            for endpoint in service["endpoints"]:
                if endpoint["interface"] == "public":
                    key = (service["type"], endpoint["region"])
                    self._endpoints[key] = endpoint["url"].rstrip("/")

    @property
    def endpoints(self) -> Mapping[tuple[str, str], str]:
        """{(the catalogue's type, region): URL}."""
        return self._endpoints

    def _request(self, method: str, url: str, body: Any) -> urllib.request.Request:
        data = None if body is None else json.dumps(body).encode()
        headers = {
            "Content-Type": "application/json", "X-Auth-Token": self._token, **self.headers
        }  # fmt: skip
        return urllib.request.Request(url, data, headers, method=method)  # noqa: S310 -- of ours

    def call(
        self, method: str, service: str, path: str, body: Any = None, *, region: str = ""
    ) -> Reply:
        """One call; `service` is the catalogue's type. Refusals are replies, too."""
        reply = self._once(method, service, path, body, region)
        if reply.status == 401:  # the token ran out
            self._sign_in()
            reply = self._once(method, service, path, body, region)
        return reply

    def _once(self, method: str, service: str, path: str, body: Any, region: str) -> Reply:
        base = self._identity if service == "identity" else self._endpoints[service, region]
        try:
            with _open(self._request(method, base + path, body)) as answer:
                return Reply(answer.status, _json(answer.read()))
        except urllib.error.HTTPError as error:
            return Reply(error.code, _json(error.read()))

    def done(
        self, method: str, service: str, path: str, body: Any = None, *, region: str = ""
    ) -> Any:
        """The body of a call that must succeed."""
        reply = self.call(method, service, path, body, region=region)
        if reply.status >= 300:
            raise AssertionError(f"{method} {path}: {reply.status} {reply.body}")
        return reply.body

    def compute_limits(self, region: str, project_id: str) -> dict[str, int]:
        """Nova's limits of a project, every key."""
        found: dict[str, int] = self.done(
            "GET", "compute", f"/os-quota-sets/{project_id}", region=region
        )["quota_set"]
        return found

    def volume_limits(self, region: str, project_id: str) -> dict[str, int]:
        """Cinder's limits of a project, every key."""
        found: dict[str, int] = self.done(
            "GET", "volumev3", f"/os-quota-sets/{project_id}", region=region
        )["quota_set"]
        return found

    def project(self, project_id: str) -> dict[str, Any] | None:
        """Keystone's project; None where there is none."""
        reply = self.call("GET", "identity", f"/projects/{project_id}")
        return reply.body["project"] if reply.status == 200 else None

    def projects_with(self, tag: str) -> list[dict[str, Any]]:
        """Every project that carries the tag."""
        # Keystone looks for tags only among the projects that it lists at once.
        return [row for row in self.projects() if tag in row["tags"]]

    def projects(self) -> list[dict[str, Any]]:
        """Every project, page by page."""
        found: dict[str, dict[str, Any]] = {}
        marker = ""
        while True:
            answer = self.done("GET", "identity", f"/projects?limit=1000{marker}")
            rows = {row["id"]: row for row in answer["projects"]}
            if rows.keys() <= found.keys() and answer.get("truncated"):
                raise AssertionError(f"no page after {len(found)} projects")
            found |= rows
            if not answer.get("truncated"):
                return list(found.values())
            marker = f"&marker={answer['projects'][-1]['id']}"

    def new_user(self, name: str) -> str:
        """The id of a person made in Keystone."""
        body = {"user": {"name": name, "domain_id": "default"}}
        return str(self.done("POST", "identity", "/users", body)["user"]["id"])

    def new_group(self, name: str) -> str:
        """The id of a group made in Keystone."""
        body = {"group": {"name": name, "domain_id": "default"}}
        return str(self.done("POST", "identity", "/groups", body)["group"]["id"])

    def granted(self, project_id: str) -> set[tuple[str, str, str]]:
        """Who holds what in a project: ("user" or "group", id, the role's name)."""
        roles = self.done("GET", "identity", "/roles")["roles"]
        names = {row["id"]: row["name"] for row in roles}
        path = f"/role_assignments?scope.project.id={project_id}"
        return {
            (kind, row[kind]["id"], names[row["role"]["id"]])
            for row in self.done("GET", "identity", path)["role_assignments"]
            for kind in ("user", "group")
            if kind in row
        }


def _open(request: urllib.request.Request) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(request, timeout=120)


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
