"""Making people and groups known, who is in which group, and who operates the cloud.

None of this gives authority over quota: that comes from delegations alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from portal.lib.locks import lock
from projects.models import LOCAL_ISSUER, Group, GroupMembership, User

from .events import record, record_many
from .joining import members_changed


def make_user(
    *, subject: str, issuer: str = LOCAL_ISSUER, name: str = "", mail: str = "", password: str = ""
) -> User:
    """Make a person known. password: already hashed; without one nobody signs in by it.

    Raises Conflict where (issuer, subject) is known already.
    """
    if User.objects.filter(issuer=issuer, subject=subject).exists():
        raise Conflict(_("%(subject)s is known already.") % {"subject": subject})
    return User.objects.create(
        issuer=issuer,
        subject=subject,
        name=name,
        mail=mail,
        # None: a hash that no password ever matches.
        password=password or make_password(None),
    )


def change_user(*, user: User, name: str, mail: str) -> None:
    """Write down another name or mail address; who somebody is does not change."""
    user.name, user.mail = name, mail
    user.save(update_fields=["name", "mail"])


def make_group(*, external_id: str, issuer: str = LOCAL_ISSUER, name: str, now: datetime) -> Group:
    """Make a group known by (issuer, external id)."""
    with transaction.atomic():
        group = Group.objects.create(issuer=issuer, external_id=external_id, name=name)
        _record("group made", group, now)
    return group


def rename_group(*, group: Group, name: str, now: datetime) -> None:
    """Call a group by another name; who it is does not change."""
    group.name = name
    with transaction.atomic():
        group.save(update_fields=["name"])
        _record("group renamed", group, now)


def rename_groups(groups: Collection[Group], names: Mapping[str, str], now: datetime) -> None:
    """Call groups, which the caller holds, as {external id: name} says; without one as before."""
    renamed = [each for each in groups if names.get(each.external_id, "") not in ("", each.name)]
    for each in renamed:
        each.name = names[each.external_id]
    if renamed:
        Group.objects.bulk_update(renamed, ["name"])
        facts: dict[int, dict[str, Any]] = {each.pk: {} for each in renamed}
        record_many("group renamed", now=now, subject_kind="group", facts=facts)


@dataclass(frozen=True)
class MembersChange:
    """Who came and who left, as ids of people."""

    joined: frozenset[int]
    left: frozenset[int]


def set_group_members(*, group: Group, users: Collection[User], now: datetime) -> MembersChange:
    """Make these people, and nobody else, the members of a group from `now` on."""
    with transaction.atomic():
        lock(Group.objects.filter(pk=group.pk))
        wanted = {user.pk for user in users}
        live = GroupMembership.objects.filter(group=group, ends_at__isnull=True)
        held = set(live.values_list("user", flat=True))
        left = held - wanted
        end_memberships(live.filter(user__in=left), now)
        GroupMembership.objects.bulk_create(
            GroupMembership(group=group, user_id=pk, starts_at=now) for pk in sorted(wanted - held)
        )
        if wanted != held:
            _record("group changed", group, now, joined=len(wanted - held), left=len(left))
        members_changed(joined={group.pk: wanted - held}, left=[group.pk] if left else [], now=now)
    return MembersChange(joined=frozenset(wanted - held), left=frozenset(left))


def end_memberships(rows: QuerySet[GroupMembership], now: datetime) -> None:
    """End memberships of groups that the caller holds; two queries for any number of them."""
    rows.filter(starts_at__gte=now).delete()  # a period that never held
    rows.filter(ends_at__isnull=True).update(ends_at=now)


def _record(verb: str, group: Group, now: datetime, **data: Any) -> None:
    record(verb, actor=None, now=now, subject_kind="group", subject_id=group.pk, **data)


def set_operator(*, user: User, is_operator: bool, actor: User | None, now: datetime) -> bool:
    """Mark, or unmark, somebody as an operator, which decides no quota.

    False where it was so already; nothing is recorded then.
    """
    with transaction.atomic():
        changed = User.objects.filter(pk=user.pk, is_operator=not is_operator).update(
            is_operator=is_operator
        )
        if changed:
            record(
                "operator named" if is_operator else "operator removed",
                actor=actor, now=now, subject_kind="user", subject_id=user.pk,
            )  # fmt: skip
    user.is_operator = is_operator
    return bool(changed)
