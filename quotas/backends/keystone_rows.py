"""What Keystone's rows say, and what its paths and names may hold."""

from typing import Any, Final
from urllib.parse import quote

from quotas.backends.base import HeldRole, Holder, HolderKind, IdentityProject, NamedHolder
from quotas.backends.errors import BackendError, Kind, broken

NAME_MAX: Final = 64
TAG_MAX: Final = 255


def id_of(row: Any) -> str:
    try:
        return str(row["id"])
    except (KeyError, TypeError) as error:
        raise broken(str(row)) from error


def cut(what: str, count: int) -> BackendError:
    return BackendError(
        Kind.REFUSED,
        "list_truncated",
        f"this Keystone ends its list of {what} after {count} and gives no next page: have its "
        f"list_limit raised above the number of its {what}, or removed",
    )


def held_role(row: Any, names: dict[str, str]) -> HeldRole:
    try:
        kind = HolderKind.USER if "user" in row else HolderKind.GROUP
        role_id = str(row["role"]["id"])
        # Roles of a single domain are not listed: they stay ids.
        return HeldRole(Holder(kind, str(row[kind]["id"])), names.get(role_id, role_id))
    except (KeyError, TypeError) as error:
        raise broken(str(row)) from error


def project_in(row: Any) -> str | None:
    """The project of a role assignment; None where it is of a domain, the system, or what lies
    below a project."""
    try:
        scope = row["scope"]
        if "project" not in scope or scope.get("OS-INHERIT:inherited_to"):
            return None
        return str(scope["project"]["id"])
    except (AttributeError, KeyError, TypeError) as error:
        raise broken(str(row)) from error


def holder_of(row: Any) -> NamedHolder:
    try:
        return NamedHolder(
            str(row["id"]), str(row.get("name") or ""), str(row.get("domain_id") or "")
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise broken(str(row)) from error


def project_path(external_id: str) -> str:
    if not external_id or not external_id.replace("-", "").isalnum():
        raise BackendError(Kind.REFUSED, "bad_request", f"not a project's id: {external_id!r}")
    return f"/projects/{external_id}"


def holder_path(holder: Holder) -> str:
    # The id may come from a directory and hold much; what no path can hold, nobody has.
    if not holder.external_id.strip(".") or "/" in holder.external_id:
        raise BackendError(
            Kind.REFUSED, "holder_gone", f"not the id of a {holder.kind}: {holder.external_id!r}"
        )
    return f"{holder.kind}s/{quote(holder.external_id, safe='')}"


def check_name(name: str) -> None:
    if not name.strip() or len(name) > NAME_MAX:
        raise BackendError(
            Kind.REFUSED, "bad_name", f"a project's name has 1 to {NAME_MAX} characters: {name!r}"
        )


def check_tag(tag: str) -> None:
    if not tag or len(tag) > TAG_MAX or "," in tag or "/" in tag:
        raise BackendError(
            Kind.REFUSED, "bad_name", f"a tag has no comma or slash and 1 to {TAG_MAX} characters"
        )


def project_of(row: Any, *, uncertain: bool = False) -> IdentityProject:
    try:
        return IdentityProject(
            external_id=str(row["id"]),
            name=str(row["name"]),
            description=str(row.get("description") or ""),
            is_enabled=bool(row["enabled"]),
            tags=frozenset(row.get("tags") or ()),
            parent_id=str(row.get("parent_id") or ""),
        )
    except (AttributeError, KeyError, TypeError) as error:
        raise broken(str(row), uncertain=uncertain) from error
