"""Projects in Keystone: made once, known by our tag; and who holds roles in them.

Options: `domain_id`, where projects are made (default: the domain of the project that
clouds.yaml signs in to); `parent_id`, the project above them (default: none). What else an
endpoint's options say, as who gets which role and how people are found, is delivery's: the
driver grants what it is told, and looks where it is told.

Keystone lists at most a thousand projects at once, or as few as its operators set, and looks
for a tag only among those: what it calls truncated is read page by page. Where a release has
no pages nothing is taken for missing (`list_truncated`).

The account in clouds.yaml needs an admin's role in Keystone: to list, make and change projects,
to list roles, role assignments, people and groups, and to grant and revoke.
"""

from typing import Any, ClassVar
from urllib.parse import quote

from quotas.backends.base import (
    Assignment,
    EndpointConfig,
    FindBy,
    HeldRole,
    Holder,
    HolderKind,
    HolderRule,
    IdentityProject,
    NamedHolder,
    ProjectPage,
)
from quotas.backends.deadline import TimeLeft
from quotas.backends.errors import BackendError, Kind, broken
from quotas.backends.keystone_rows import (
    check_name,
    check_tag,
    cut,
    held_role,
    holder_of,
    holder_path,
    id_of,
    project_in,
    project_of,
    project_path,
)
from quotas.backends.openstack import Service
from quotas.backends.sorting import Rule

_RULES = (
    Rule(404, "could not find project", "project_gone"),
    Rule(404, "could not find (user|group)", "holder_gone"),
    Rule(404, "could not find role assignment", "not_held"),
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
        check_tag(tag)
        left = TimeLeft(timeout)
        rows, is_whole = self._page("projects", self._paged({"tags": tag}), left())
        if not is_whole:
            # It looked in one page only, and an empty one names no place to go on from.
            rows = self._list("projects", self._paged({}), left)
        # The tag is compared again: a service that ignores the filter lists everything.
        found = [project for project in map(project_of, rows) if tag in project.tags]
        if len(found) > 1:
            ids = ", ".join(sorted(project.external_id for project in found))
            raise BackendError(
                Kind.REFUSED, "tag_twice", f"{len(found)} projects carry {tag}: {ids}"
            )
        return found[0] if found else None

    def find_by_name(self, name: str, *, timeout: float) -> IdentityProject | None:
        check_name(name)
        left = TimeLeft(timeout)
        query = {"name": name}
        domain_id = self._domain(left)
        if domain_id:
            query["domain_id"] = domain_id
        rows = self._list("projects", self._paged(query), left)
        # Keystone on MariaDB takes "Atlas" for "atlas", when it lists and when it refuses.
        found = [each for each in map(project_of, rows) if each.name.casefold() == name.casefold()]
        return min(found, key=lambda each: each.name != name) if found else None

    def get(self, external_id: str, *, timeout: float) -> IdentityProject | None:
        try:
            answer = self._service.call("GET", project_path(external_id), timeout=timeout)
        except BackendError as error:
            if error.code == "project_gone":
                return None
            raise
        return project_of(answer.get("project"))

    def create(
        self, *, name: str, description: str, tag: str, is_enabled: bool = True, timeout: float
    ) -> IdentityProject:
        check_name(name)
        check_tag(tag)
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
        return project_of(answer.get("project"), uncertain=True)

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
            check_name(name)
        given = {"name": name, "description": description, "enabled": is_enabled}
        fields = {key: value for key, value in given.items() if value is not None}
        answer = self._service.call(
            "PATCH", project_path(external_id), body={"project": fields}, timeout=timeout
        )
        return project_of(answer.get("project"), uncertain=True)

    def delete(self, external_id: str, *, timeout: float) -> None:
        try:
            self._service.call("DELETE", project_path(external_id), timeout=timeout)
        except BackendError as error:
            if error.code != "project_gone":
                raise

    def list_projects(self, after: str = "", *, timeout: float) -> ProjectPage:
        left = TimeLeft(timeout)
        query = {"marker": after} if after else {}
        domain_id = self._domain(left)
        if domain_id:
            query["domain_id"] = domain_id
        rows, is_whole = self._page("projects", self._paged(query), left())
        projects = tuple(map(project_of, rows))
        last = projects[-1].external_id if projects else ""
        # A release without pages gives the same ones again, whatever it is asked to begin after.
        goes_on = not is_whole and last not in ("", after)
        return ProjectPage(projects, last if goes_on else None, is_cut=not (is_whole or goes_on))

    def add_tag(self, external_id: str, tag: str, *, timeout: float) -> None:
        check_tag(tag)
        left = TimeLeft(timeout)
        path = f"{project_path(external_id)}/tags/{quote(tag, safe='')}"
        try:
            # Its answer has no body: 201 is all that is said.
            self._service.call("PUT", path, timeout=left())
        except BackendError as error:
            # A tag that is there already is a bad request to Keystone, not a success.
            if error.http_status != 400 or "non-unique" not in error.words:
                raise

    def roles(self, external_id: str, *, timeout: float) -> frozenset[HeldRole]:
        left = TimeLeft(timeout)
        project_path(external_id)  # a project's id, or nothing is asked
        rows = self._list("role_assignments", {"scope.project.id": external_id}, left)
        names = self._role_names({}, left) if rows else {}
        return frozenset(held_role(row, names) for row in rows)

    def assignments(self, *, timeout: float) -> list[Assignment]:
        left = TimeLeft(timeout)
        rows, is_whole = self._page("role_assignments", {}, left())
        if not is_whole:
            raise cut("role assignments", len(rows))
        names = self._role_names({}, left) if rows else {}
        return [
            Assignment(project_id, held_role(row, names))
            for row in rows
            if (project_id := project_in(row)) is not None
        ]

    def list_holders(
        self, kind: HolderKind, domain_id: str | None = None, *, timeout: float
    ) -> list[NamedHolder]:
        left = TimeLeft(timeout)
        query = {"domain_id": domain_id} if domain_id else {}
        return [holder_of(row) for row in self._list(f"{kind}s", query, left)]

    def grant(self, external_id: str, holder: Holder, role: str, *, timeout: float) -> None:
        left = TimeLeft(timeout)
        role_id = self._role_id(role, left)
        if role_id is None:
            raise BackendError(
                Kind.REFUSED, "unknown_role", f"this Keystone has no role called {role!r}"
            )
        path = f"{project_path(external_id)}/{holder_path(holder)}/roles/{role_id}"
        self._service.call("PUT", path, timeout=left())

    def revoke(self, external_id: str, holder: Holder, role: str, *, timeout: float) -> None:
        left = TimeLeft(timeout)
        role_id = self._role_id(role, left)
        if role_id is None:
            return
        try:
            path = f"{project_path(external_id)}/{holder_path(holder)}/roles/{role_id}"
            self._service.call("DELETE", path, timeout=left())
        except BackendError as error:
            if error.code not in ("not_held", "holder_gone", "unknown_role", "project_gone"):
                raise

    def find_holders(
        self, kind: HolderKind, rule: HolderRule, value: str, *, timeout: float
    ) -> frozenset[str]:
        left = TimeLeft(timeout)
        if rule.by == FindBy.ID:
            return self._known(kind, value, left)
        if rule.by == FindBy.FEDERATED:
            return self._federated(rule, value, left)
        query = {"name": value}
        domain_id = rule.domain_id or self._domain(left)
        if domain_id:
            query["domain_id"] = domain_id
        # Compared again: a service may ignore a filter, and lists by the name that federated
        # people show, whatever domain is asked for. As MariaDB compares, "Alice" is "alice".
        return frozenset(
            id_of(row)
            for row in self._list(f"{kind}s", query, left)
            if str(row.get("name", "")).casefold() == value.casefold()
            and domain_id in (None, row.get("domain_id"))
        )

    def _known(self, kind: HolderKind, external_id: str, left: TimeLeft) -> frozenset[str]:
        """The id, if somebody has it."""
        try:
            answer = self._service.call(
                "GET", f"/{holder_path(Holder(kind, external_id))}", timeout=left()
            )
        except BackendError as error:
            if error.code == "holder_gone":
                return frozenset()
            raise
        return frozenset({id_of(answer.get(kind.value))})

    def _federated(self, rule: HolderRule, value: str, left: TimeLeft) -> frozenset[str]:
        """People by the unique id that Keystone noted when they first came from a provider."""
        query = {"idp_id": rule.provider}
        if rule.protocol:
            query["protocol_id"] = rule.protocol
        found: set[str] = set()
        # What comes from a mapping is noted as in a URL, what was made by the API as it was given.
        for written in dict.fromkeys((quote(value), value)):
            rows = self._list("users", query | {"unique_id": written}, left)
            found.update(id_of(row) for row in rows)
        return frozenset(found)

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

    def _role_id(self, role: str, left: TimeLeft) -> str | None:
        found = self._role_names({"name": role}, left)
        return next((role_id for role_id, name in found.items() if name == role), None)

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
        found = {id_of(row): row for row in rows}
        while not is_whole:
            after = {"marker": next(reversed(found))} if found else {}
            rows, is_whole = self._page(what, query | after, left())
            known = len(found)
            found |= {id_of(row): row for row in rows}
            if len(found) == known and not is_whole:
                raise cut(what, known)
        return list(found.values())

    def _page(self, what: str, query: dict[str, str], timeout: float) -> tuple[list[Any], bool]:
        """The rows of one answer, and whether these are all."""
        answer = self._service.call("GET", f"/{what}", query=query, timeout=timeout)
        rows = answer.get(what)
        if not isinstance(rows, list):
            raise broken(str(answer))
        return rows, not answer.get("truncated")
