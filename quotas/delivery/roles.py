"""Roles in a project's Keystone: what its people are to hold there is granted, and taken back.

Each is noted before it is asked for, confirmed once it was read back, and its note goes once it
was taken back and is no longer read. So what Remit set can be told from what others did: theirs is
never noted and never touched, also where it is just what Remit would have granted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from projects.models import Membership, in_force
from quotas.actions.targets import wake_targets
from quotas.backends.base import HeldRole, Holder, HolderKind
from quotas.backends.errors import BackendError, Kind
from quotas.models import HolderHandle, ProjectHandle, RoleGrant, Target
from quotas.queries.holders import WantedRoles, wanted_roles
from quotas.states import TargetState

from .calling import calling
from .clouds import identity_driver
from .finding import find_missing, lose
from .leases import Lease, in_seconds
from .outcomes import Refusal

# Of one attempt: what is left comes with the next one, which others' work comes before.
MOST_AT_ONCE = 100
STRAYS_AT_ONCE = 200


@dataclass
class _Trouble:
    """What did not work and must be said, once all else is done."""

    gone: list[str] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)
    looking: BackendError | None = None
    is_left: bool = False

    def tell(self) -> None:
        if self.looking is not None:
            raise self.looking
        if self.gone:
            words = " ".join(self.gone)
            raise Refusal("holder_gone", f"Keystone does not know everybody: {words}")
        if self.unknown:
            raise Refusal("unknown_role", " ".join(self.unknown.values()))


def keep_roles(lease: Lease, handle: ProjectHandle) -> None:
    """Everybody whom Keystone knows holds what the endpoint's map says, and no longer any more.

    Raises Refusal, after all else was done: `holder_gone`, `unknown_role`, `role_not_taken`; and
    BackendError, refused, where people cannot be looked for.
    """
    trouble = _Trouble()
    wanted = _wanted(_everybody(lease, trouble))
    noted = _noted(handle)
    if wanted or noted:
        held = _read(lease, handle)
        tried = _change(lease, handle, wanted, noted, held, trouble)
        if tried:
            held = _read(lease, handle)
        _settle(handle, wanted, held)
        _check(tried, wanted, held)
    if trouble.is_left:
        wake_targets([lease.target])
    trouble.tell()


def wake_strays() -> int:
    """Have those projects looked at where somebody holds a role of ours and no longer works;
    how many. One that others hold up is left to its own pace."""
    works = Membership.objects.filter(
        Q(user=OuterRef("holder__user")) | Q(group=OuterRef("holder__group")),
        in_force(timezone.now()),
        project=OuterRef("handle__project"),
    )
    strays = RoleGrant.objects.filter(
        ~Exists(works), granted_at__isnull=False,
        handle__project=OuterRef("project"), handle__identity=OuterRef("endpoint"),
    )  # fmt: skip
    rows = Target.objects.filter(Exists(strays), state=TargetState.APPLIED).order_by("pk")
    return wake_targets(list(rows[:STRAYS_AT_ONCE]), only_in=[TargetState.APPLIED])


def _everybody(lease: Lease, trouble: _Trouble) -> list[WantedRoles]:
    """Who is to hold a role, after those were looked for whose time has come."""
    target = lease.target
    everybody = wanted_roles(target.project, target.endpoint, timezone.now())
    if all(each.is_known for each in everybody):
        return everybody
    try:
        trouble.is_left = find_missing(lease, everybody)
    except BackendError as error:
        if error.kind is not Kind.REFUSED:
            raise
        trouble.looking = error
    return wanted_roles(target.project, target.endpoint, timezone.now())


def _wanted(everybody: Iterable[WantedRoles]) -> dict[HeldRole, HolderHandle]:
    return {
        HeldRole(_holder(each.row, each.row.external_id), role): each.row
        for each in everybody
        if each.row is not None and each.is_known
        for role in each.roles
    }


def _noted(handle: ProjectHandle) -> dict[HeldRole, RoleGrant]:
    rows = RoleGrant.objects.filter(handle=handle).select_related("holder")
    return {HeldRole(_holder(row.holder, row.external_id), row.role): row for row in rows}


def _holder(row: HolderHandle, external_id: str) -> Holder:
    kind = HolderKind.USER if row.user_id is not None else HolderKind.GROUP
    return Holder(kind, external_id)


def _read(lease: Lease, handle: ProjectHandle) -> frozenset[HeldRole]:
    """Who holds which role in the project now."""
    endpoint = lease.target.endpoint
    with calling(endpoint):
        return identity_driver(endpoint).roles(handle.external_id, timeout=lease.timeout())


def _change(
    lease: Lease, handle: ProjectHandle, wanted: Mapping[HeldRole, HolderHandle],
    noted: Mapping[HeldRole, RoleGrant], held: frozenset[HeldRole], trouble: _Trouble,
) -> list[HeldRole]:  # fmt: skip
    """Take back what is ours and not wanted, then grant what is missing; what was changed."""
    over = [each for each in noted if each not in wanted and each in held]
    missing = [each for each in wanted if each not in held]
    tried: list[HeldRole] = []
    trouble.is_left |= len(over) > MOST_AT_ONCE
    for each in over[:MOST_AT_ONCE]:
        _revoke(lease, handle, each)
        tried.append(each)
    for each in missing:
        if len(tried) >= MOST_AT_ONCE:
            trouble.is_left = True
            break
        if each.role not in trouble.unknown and _grant(lease, handle, wanted[each], each, trouble):
            tried.append(each)
    return tried


def _revoke(lease: Lease, handle: ProjectHandle, over: HeldRole) -> None:
    endpoint = lease.target.endpoint
    with calling(endpoint, writing=True):
        identity_driver(endpoint).revoke(
            handle.external_id, over.holder, over.role, timeout=lease.write_timeout()
        )


def _grant(
    lease: Lease, handle: ProjectHandle, row: HolderHandle, wish: HeldRole, trouble: _Trouble
) -> bool:
    """Note and grant; False where the service does not know the holder, or the role."""
    note, __ = RoleGrant.objects.update_or_create(
        handle=handle, holder=row, external_id=row.external_id, role=wish.role,
        defaults={"asked_at": Now(), "granted_at": None},
    )  # fmt: skip
    endpoint = lease.target.endpoint
    try:
        with calling(endpoint, writing=True):
            identity_driver(endpoint).grant(
                handle.external_id, wish.holder, wish.role, timeout=lease.write_timeout()
            )
    except BackendError as error:
        if error.code not in ("holder_gone", "unknown_role"):
            raise
        # Nothing was granted, and what was before went with them.
        note.delete()
        if error.code == "unknown_role":
            trouble.unknown[wish.role] = error.words
        elif not lose(row):
            trouble.gone.append(error.words)
        return False
    return True


def _settle(
    handle: ProjectHandle, wanted: Mapping[HeldRole, HolderHandle], held: frozenset[HeldRole]
) -> None:
    """Confirm the notes of what is held, and let go those of what is neither wanted nor held.

    One that was asked for a moment ago is kept: a worker that was killed may have asked, and
    the service may grant it yet.
    """
    confirmed, over = [], []
    for each, note in _noted(handle).items():
        if each in held and note.granted_at is None:
            confirmed.append(note.pk)
        elif each not in held and each not in wanted:
            over.append(note.pk)
    RoleGrant.objects.filter(pk__in=confirmed).update(granted_at=Now())
    is_settled = Q(granted_at__isnull=False) | Q(asked_at__lte=in_seconds(-_settling_seconds()))
    RoleGrant.objects.filter(is_settled, pk__in=over).delete()


def _settling_seconds() -> float:
    return float(settings.LEASE_SECONDS)


def _check(
    tried: Iterable[HeldRole], wanted: Mapping[HeldRole, HolderHandle], held: frozenset[HeldRole]
) -> None:
    untrue = [each for each in tried if (each in wanted) != (each in held)]
    if untrue:
        parts = [
            f"{each.role} of {each.holder} is {'missing' if each in wanted else 'still there'}"
            for each in untrue
        ]
        raise Refusal(
            "role_not_taken",
            f"Keystone said yes to a change of roles and did not make it: {'; '.join(parts)}.",
        )
