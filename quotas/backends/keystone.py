"""Projects in Keystone: made once, known by our tag; and who holds roles in them.

Options: `domain_id`, where projects are made (default: the domain of the project that
clouds.yaml signs in to); `parent_id`, the project above them (default: none); `role`, the
name of the role that delivery grants to those who work in a project (default: none is
granted). The driver itself grants what it is told.

Keystone lists at most a thousand projects at once, or as few as its operators set, and looks
for a tag only among those: what it calls truncated is read page by page. Where a release has
no pages nothing is taken for missing (`list_truncated`).

The account in clouds.yaml needs an admin's role in Keystone: to list and make projects, to
list roles and role assignments, and to grant.
"""

from typing import Any, ClassVar, Final
from urllib.parse import quote

from quotas.backends.base import EndpointConfig, HeldRole, Holder, HolderKind, IdentityProject
from quotas.backends.deadline import TimeLeft
from quotas.backends.errors import BackendError, Kind
from quotas.backends.openstack import Service, broken
from quotas.backends.sorting import Rule

NAME_MAX: Final = 64
TAG_MAX: Final = 255

_RULES = (
    Rule(404, "could not find project", "project_gone"),
    Rule(404, "could not find (user|group)", "holder_gone"),
    Rule(404, "could not find role", "unknown_role"),
    Rule(409, "duplicate|same name|same id|already exists", "name_taken"),
    # The last project of a page was deleted before the next one was asked for.
    Rule(404, "marker .* could not be found", "conflict", Kind.TRANSIENT),
)


class KeystoneDriver:
    """The identity driver for Keystone v3."""

    page_size: ClassVar[int] = 1000
    """Projects asked for at once. Newer releases only say that they cut a list if asked so."""

    def __init__(self, config: EndpointConfig) -> None:
        self._service = Service(config, "identity", rules=_RULES)
        self._domain_id: str | None = config.options.get("domain_id")
        self._parent_id: str | None = config.options.get("parent_id")

    def find(self, tag: str, *, timeout: float) -> IdentityProject | None:
        _check_tag(tag)
        left = TimeLeft(timeout)
        rows, is_whole = self._page("projects", self._paged({"tags": tag}), left())
        if not is_whole:
            # It looked in one page only, and an empty one names no place to go on from.
            rows = self._list("projects", self._paged({}), left)
        # The tag is compared again: a service that ignores the filter lists everything.
        found = [project for project in map(_project, rows) if tag in project.tags]
        if len(found) > 1:
            ids = ", ".join(sorted(project.external_id for project in found))
            raise BackendError(
                Kind.REFUSED, "tag_twice", f"{len(found)} projects carry {tag}: {ids}"
            )
        return found[0] if found else None

    def find_by_name(self, name: str, *, timeout: float) -> IdentityProject | None:
        _check_name(name)
        left = TimeLeft(timeout)
        query = {"name": name}
        domain_id = self._domain(left)
        if domain_id:
            query["domain_id"] = domain_id
        rows = self._list("projects", self._paged(query), left)
        # Keystone on MariaDB takes "Atlas" for "atlas", when it lists and when it refuses.
        found = [each for each in map(_project, rows) if each.name.casefold() == name.casefold()]
        return min(found, key=lambda each: each.name != name) if found else None

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
        domain_id = self._domain(left)
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
        found = self._ours(name, tag, left)
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
            found = self._ours(name, tag, left) or self._called(name, tag, left)
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

    def add_tag(self, external_id: str, tag: str, *, timeout: float) -> None:
        _check_tag(tag)
        left = TimeLeft(timeout)
        path = f"{_path(external_id)}/tags/{quote(tag, safe='')}"
        try:
            # Its answer has no body: 201 is all that is said.
            self._service.call("PUT", path, timeout=left())
        except BackendError as error:
            # A tag that is there already is a bad request to Keystone, not a success.
            if error.http_status != 400 or "non-unique" not in error.words:
                raise

    def roles(self, external_id: str, *, timeout: float) -> frozenset[HeldRole]:
        left = TimeLeft(timeout)
        _path(external_id)  # a project's id, or nothing is asked
        rows = self._list("role_assignments", {"scope.project.id": external_id}, left)
        names = self._role_names({}, left) if rows else {}
        return frozenset(_held(row, names) for row in rows)

    def grant(self, external_id: str, holder: Holder, role: str, *, timeout: float) -> None:
        left = TimeLeft(timeout)
        found = [
            role_id
            for role_id, name in self._role_names({"name": role}, left).items()
            if name == role
        ]
        if not found:
            raise BackendError(
                Kind.REFUSED, "unknown_role", f"this Keystone has no role called {role!r}"
            )
        path = f"{_path(external_id)}/{_holder_path(holder)}/roles/{found[0]}"
        self._service.call("PUT", path, timeout=left())

    def _domain(self, left: TimeLeft) -> str | None:
        """Where our projects are made."""
        return self._domain_id or self._service.home_domain(timeout=left())

    def _ours(self, name: str, tag: str, left: TimeLeft) -> IdentityProject | None:
        """The project that carries the tag, whatever it is called. Where Keystone lists only a
        part of its projects: the one of this name, if it carries the tag."""
        try:
            return self.find(tag, timeout=left())
        except BackendError as error:
            if error.code != "list_truncated":
                raise
            found = self._called(name, tag, left)
            if found is None:
                # Ours may be there, renamed, so another one must not be made.
                raise
            return found

    def _called(self, name: str, tag: str, left: TimeLeft) -> IdentityProject | None:
        """The project of this name, if it carries the tag."""
        found = self.find_by_name(name, timeout=left())
        return found if found is not None and tag in found.tags else None

    def _role_names(self, query: dict[str, str], left: TimeLeft) -> dict[str, str]:
        """{id: name}."""
        rows = self._list("roles", query, left)
        try:
            return {str(row["id"]): str(row["name"]) for row in rows}
        except (KeyError, TypeError) as error:
            raise broken(str(rows)) from error

    def _paged(self, query: dict[str, str]) -> dict[str, str]:
        return query | {"limit": str(self.page_size)}

    def _list(self, what: str, query: dict[str, str], left: TimeLeft) -> list[Any]:
        """All rows, page by page. Raises `list_truncated` where Keystone does not give them."""
        rows, is_whole = self._page(what, query, left())
        if is_whole:
            return rows
        found = {_id(row): row for row in rows}
        while not is_whole:
            after = {"marker": next(reversed(found))} if found else {}
            rows, is_whole = self._page(what, query | after, left())
            known = len(found)
            found |= {_id(row): row for row in rows}
            if len(found) == known and not is_whole:
                raise _cut(what, known)
        return list(found.values())

    def _page(self, what: str, query: dict[str, str], timeout: float) -> tuple[list[Any], bool]:
        """The rows of one answer, and whether these are all."""
        answer = self._service.call("GET", f"/{what}", query=query, timeout=timeout)
        rows = answer.get(what)
        if not isinstance(rows, list):
            raise broken(str(answer))
        return rows, not answer.get("truncated")


def _id(row: Any) -> str:
    try:
        return str(row["id"])
    except (KeyError, TypeError) as error:
        raise broken(str(row)) from error


def _cut(what: str, count: int) -> BackendError:
    return BackendError(
        Kind.REFUSED,
        "list_truncated",
        f"this Keystone ends its list of {what} after {count} and gives no next page: have its "
        f"list_limit raised above the number of its {what}, or removed",
    )


def _held(row: Any, names: dict[str, str]) -> HeldRole:
    try:
        kind = HolderKind.USER if "user" in row else HolderKind.GROUP
        role_id = str(row["role"]["id"])
        # Roles of a single domain are not listed: they stay ids.
        return HeldRole(Holder(kind, str(row[kind]["id"])), names.get(role_id, role_id))
    except (KeyError, TypeError) as error:
        raise broken(str(row)) from error


def _path(external_id: str) -> str:
    if not external_id or not external_id.replace("-", "").isalnum():
        raise BackendError(Kind.REFUSED, "bad_request", f"not a project's id: {external_id!r}")
    return f"/projects/{external_id}"


def _holder_path(holder: Holder) -> str:
    # The id may come from a directory and hold much; what no path can hold, nobody has.
    if not holder.external_id.strip(".") or "/" in holder.external_id:
        raise BackendError(
            Kind.REFUSED, "holder_gone", f"not the id of a {holder.kind}: {holder.external_id!r}"
        )
    return f"{holder.kind}s/{quote(holder.external_id, safe='')}"


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
