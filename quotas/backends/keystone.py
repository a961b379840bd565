"""Projects in Keystone: made once, known by our tag.

Options: `domain_id`, where projects are made (default: the domain of the project that
clouds.yaml signs in to); `parent_id`, the project above them (default: none).
"""

from typing import Any, Final

from quotas.backends.base import EndpointConfig, IdentityProject
from quotas.backends.deadline import TimeLeft
from quotas.backends.errors import BackendError, Kind
from quotas.backends.openstack import Service, broken
from quotas.backends.sorting import Rule

NAME_MAX: Final = 64
TAG_MAX: Final = 255

_RULES = (
    Rule(404, "could not find project", "project_gone"),
    Rule(409, "duplicate|same name|same id|already exists", "name_taken"),
)


class KeystoneDriver:
    """The identity driver for Keystone v3."""

    def __init__(self, config: EndpointConfig) -> None:
        self._service = Service(config, "identity", rules=_RULES)
        self._domain_id: str | None = config.options.get("domain_id")
        self._parent_id: str | None = config.options.get("parent_id")

    def find(self, tag: str, *, timeout: float) -> IdentityProject | None:
        _check_tag(tag)
        answer = self._service.call("GET", "/projects", query={"tags": tag}, timeout=timeout)
        rows = answer.get("projects")
        if not isinstance(rows, list):
            raise broken(str(answer))
        # The tag is compared again: a service that ignores the filter lists everything.
        found = [project for project in map(_project, rows) if tag in project.tags]
        if len(found) > 1:
            ids = ", ".join(sorted(project.external_id for project in found))
            raise BackendError(
                Kind.REFUSED, "tag_twice", f"{len(found)} projects carry {tag}: {ids}"
            )
        return found[0] if found else None

    def get(self, external_id: str, *, timeout: float) -> IdentityProject | None:
        try:
            answer = self._service.call("GET", _path(external_id), timeout=timeout)
        except BackendError as error:
            if error.code == "project_gone":
                return None
            raise
        return _project(answer.get("project"))

    def create(
        self, *, name: str, description: str, tag: str, is_enabled: bool = True, timeout: float
    ) -> IdentityProject:
        _check_name(name)
        _check_tag(tag)
        left = TimeLeft(timeout)
        fields: dict[str, Any] = {
            "name": name,
            "description": description,
            "enabled": is_enabled,
            "tags": [tag],
        }
        domain_id = self._domain_id or self._service.home_domain(timeout=left())
        if domain_id:
            fields["domain_id"] = domain_id
        if self._parent_id:
            fields["parent_id"] = self._parent_id
        answer = self._service.call("POST", "/projects", body={"project": fields}, timeout=left())
        return _project(answer.get("project"), uncertain=True)

    def ensure(
        self, *, name: str, description: str, tag: str, is_enabled: bool = True, timeout: float
    ) -> IdentityProject:
        left = TimeLeft(timeout)
        found = self.find(tag, timeout=left())
        if found is not None:
            return found
        try:
            return self.create(
                name=name, description=description, tag=tag, is_enabled=is_enabled, timeout=left()
            )
        except BackendError as error:
            if error.code != "name_taken":
                raise
            # Another worker, or our own call of before, may have been first.
            found = self.find(tag, timeout=left())
            if found is None:
                raise
            return found

    def update(
        self,
        external_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        is_enabled: bool | None = None,
        timeout: float,
    ) -> IdentityProject:
        if name is not None:
            _check_name(name)
        given = {"name": name, "description": description, "enabled": is_enabled}
        fields = {key: value for key, value in given.items() if value is not None}
        answer = self._service.call(
            "PATCH", _path(external_id), body={"project": fields}, timeout=timeout
        )
        return _project(answer.get("project"), uncertain=True)


def _path(external_id: str) -> str:
    if not external_id or not external_id.replace("-", "").isalnum():
        raise BackendError(Kind.REFUSED, "bad_request", f"not a project's id: {external_id!r}")
    return f"/projects/{external_id}"


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > NAME_MAX:
        raise BackendError(
            Kind.REFUSED, "bad_name", f"a project's name has 1 to {NAME_MAX} characters: {name!r}"
        )


def _check_tag(tag: str) -> None:
    if not tag or len(tag) > TAG_MAX or "," in tag or "/" in tag:
        raise BackendError(
            Kind.REFUSED, "bad_name", f"a tag has no comma or slash and 1 to {TAG_MAX} characters"
        )


def _project(row: Any, *, uncertain: bool = False) -> IdentityProject:
    try:
        return IdentityProject(
            external_id=str(row["id"]),
            name=str(row["name"]),
            description=str(row.get("description") or ""),
            is_enabled=bool(row["enabled"]),
            tags=frozenset(row.get("tags") or ()),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise broken(str(row), uncertain=uncertain) from error
