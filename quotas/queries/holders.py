"""Who of a project an identity service knows, and who waits there for an id."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet

from projects.models import Group, Membership, Project, User, in_force
from projects.states import ROLES_ABOVE_READER
from quotas.models import Endpoint, HolderHandle


@dataclass(frozen=True)
class MissingHolder:
    """Somebody who is to hold a role at an identity endpoint that does not know them yet."""

    identity: Endpoint
    role: str
    holder: User | Group


def role_of(identity: Endpoint) -> str:
    """The role that everybody above reader is granted there; empty: none is."""
    return str(identity.options.get("role") or "")


def known_holders(project: Project, identity: Endpoint, now: datetime) -> list[HolderHandle]:
    """The people and groups above reader of a project whom the endpoint knows."""
    working = _memberships(project, now)
    found = HolderHandle.objects.filter(
        Q(user__in=working.values("user")) | Q(group__in=working.values("group")),
        identity=identity,
    )
    return list(found.order_by("pk"))


def missing_holders(project: Project, now: datetime) -> list[MissingHolder]:
    """Those above reader who are to be granted a role and have no id there: no failure.

    They wait until the site's file gives one. Three queries, however many there are.
    """
    wants_role = Endpoint.objects.filter(identity__isnull=True, options__has_key="role")
    identities = [each for each in wants_role.order_by("slug") if role_of(each)]
    if not identities:
        return []
    memberships = list(_memberships(project, now).select_related("user", "group"))
    known = set(
        HolderHandle.objects.filter(identity__in=identities)
        .filter(
            Q(user__in=[each.user_id for each in memberships if each.user_id])
            | Q(group__in=[each.group_id for each in memberships if each.group_id])
        )
        .values_list("identity", "user", "group")
    )
    return [
        MissingHolder(identity, role_of(identity), holder)
        for identity in identities
        for each in memberships
        if (holder := each.user or each.group) is not None
        and (identity.pk, each.user_id, each.group_id) not in known
    ]


def _memberships(project: Project, now: datetime) -> QuerySet[Membership]:
    return Membership.objects.filter(
        in_force(now), project=project, role__in=ROLES_ABOVE_READER
    ).order_by("pk")
