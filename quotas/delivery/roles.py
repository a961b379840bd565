"""Roles in a project's Keystone: what people who work in it are granted there, and only added.

Each is noted before it is asked for and confirmed once it was read back, so that what Remit
set can be told from what others did: theirs is never noted and never touched.
"""

from django.db.models.functions import Now
from django.utils import timezone

from quotas.backends.base import HeldRole, Holder, HolderKind
from quotas.backends.errors import BackendError
from quotas.models import HolderHandle, ProjectHandle, RoleGrant
from quotas.queries.holders import known_holders, role_of

from .calling import calling
from .clouds import identity_driver
from .leases import Lease
from .outcomes import Refusal


def grant_roles(lease: Lease, handle: ProjectHandle) -> None:
    """Everybody above reader whom Keystone knows holds the endpoint's role.

    Raises Refusal: `holder_gone` after all others were granted theirs, `role_not_taken`.
    """
    role = role_of(lease.target.endpoint)
    if not role:
        return
    rows = known_holders(handle.project, lease.target.endpoint, timezone.now())
    wanted = {_holder(row): row for row in rows}
    if not wanted:
        return
    held = _read(lease, handle, role)
    gone: list[str] = []
    for holder, row in wanted.items():
        if holder not in held and (words := _grant(lease, handle, row, holder, role)):
            gone.append(words)
    if wanted.keys() - held:
        held = _read(lease, handle, role)
    _confirm(handle, role, [row for holder, row in wanted.items() if holder in held])
    missing = [holder for holder in wanted if holder not in held]
    if gone:
        raise Refusal("holder_gone", f"Keystone does not know everybody: {' '.join(gone)}")
    if missing:
        names = ", ".join(map(str, missing))
        raise Refusal(
            "role_not_taken", f"Keystone said yes to the role {role}, but does not list {names}."
        )


def _holder(row: HolderHandle) -> Holder:
    kind = HolderKind.USER if row.user_id is not None else HolderKind.GROUP
    return Holder(kind, row.external_id)


def _read(lease: Lease, handle: ProjectHandle, role: str) -> set[Holder]:
    """Who holds the role in the project now."""
    endpoint = lease.target.endpoint
    with calling(endpoint):
        held: frozenset[HeldRole] = identity_driver(endpoint).roles(
            handle.external_id, timeout=lease.timeout()
        )
    return {each.holder for each in held if each.role == role}


def _grant(
    lease: Lease, handle: ProjectHandle, row: HolderHandle, holder: Holder, role: str
) -> str:
    """Note and grant; the service's words where it does not know the holder, else empty."""
    RoleGrant.objects.update_or_create(
        handle=handle, holder=row, external_id=row.external_id, role=role,
        defaults={"asked_at": Now(), "granted_at": None},
    )  # fmt: skip
    endpoint = lease.target.endpoint
    try:
        with calling(endpoint, writing=True):
            identity_driver(endpoint).grant(
                handle.external_id, holder, role, timeout=lease.write_timeout()
            )
    except BackendError as error:
        if error.code != "holder_gone":
            raise
        # Nothing was granted, and what was before went with them.
        RoleGrant.objects.filter(handle=handle, holder=row, role=role).delete()
        return error.words
    return ""


def _confirm(handle: ProjectHandle, role: str, rows: list[HolderHandle]) -> None:
    RoleGrant.objects.filter(
        handle=handle, role=role, holder__in=rows, granted_at__isnull=True
    ).update(granted_at=Now())
