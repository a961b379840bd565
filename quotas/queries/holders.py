"""Who of a project is to hold which roles at an identity service, and who waits there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from projects.models import Group, Membership, Project, User, in_force
from projects.states import ProjectState
from quotas.models import Endpoint, HolderHandle
from quotas.states import Missing

from .identity_rules import roles_of, rule_for

# No rule finds them: the operators' file says who they are.
BY_HAND = "by hand"
_WORDS = {
    BY_HAND: _(
        "%(name)s has no id in %(identity)s yet, and gets the role %(role)s there as soon as the "
        "operators give it."
    ),
    Missing.ABSENT: _(
        "%(name)s is not in %(identity)s yet, and gets the role %(role)s there as they appear."
    ),
    Missing.TWICE: _(
        "More than one in %(identity)s could be %(name)s: the operators must say who has the role "
        "%(role)s."
    ),
    Missing.SHARED: _(
        "Whoever in %(identity)s could be %(name)s is somebody else already: the operators must "
        "say who has the role %(role)s."
    ),
    Missing.NAMELESS: _(
        "Nothing is known by which to find %(name)s in %(identity)s, for the role %(role)s."
    ),
}


@dataclass(frozen=True)
class WantedRoles:
    """Somebody of a project, and the roles that they are to hold at an identity service.

    row: how they are known there; None: never looked for.
    """

    membership: Membership
    holder: User | Group
    roles: tuple[str, ...]
    row: HolderHandle | None

    @property
    def is_known(self) -> bool:
        return self.row is not None and self.row.external_id != ""


@dataclass(frozen=True)
class MissingHolder:
    """Somebody who is to hold roles at an identity endpoint that does not know them yet.

    is_looked_for: the endpoint's rule finds them when they appear; else the operators' file says
    who they are. words: what matched, where more than one did.
    """

    identity: Endpoint
    roles: tuple[str, ...]
    holder: User | Group
    is_looked_for: bool
    missing: str = ""
    words: str = ""
    looked_at: datetime | None = None

    @property
    def role(self) -> str:
        return ", ".join(self.roles)

    @property
    def is_ambiguous(self) -> bool:
        return self.missing in (Missing.TWICE, Missing.SHARED)

    @property
    def reason(self) -> str:
        """Why, as a code: by hand, or what looking for them came to; ABSENT before it did."""
        return (self.missing or Missing.ABSENT) if self.is_looked_for else BY_HAND

    @property
    def sentence(self) -> str:
        """Why, and what becomes of it, for everybody who sees the project."""
        words = {"name": self.holder, "identity": self.identity.name, "role": self.role}
        return str(_WORDS[self.reason]) % words


def wanted_roles(project: Project, identity: Endpoint, now: datetime) -> list[WantedRoles]:
    """Everybody who is to hold a role there, known or not; two queries. Nobody once closed."""
    roles = roles_of(identity)
    if not roles or project.state == ProjectState.CLOSED:
        return []
    memberships = _memberships(project, now)
    rows = _rows([identity], memberships)
    return [
        WantedRoles(
            each, holder, roles[each.role], rows.get((identity.pk, each.user_id, each.group_id))
        )
        for each in memberships
        if each.role in roles and (holder := each.user or each.group) is not None
    ]


def missing_holders(project: Project, now: datetime) -> list[MissingHolder]:
    """Those who are to hold roles and have no id there: no failure, all else goes on.

    Three queries, however many there are.
    """
    if project.state == ProjectState.CLOSED:
        return []
    wants_role = Endpoint.objects.filter(identity__isnull=True, options__has_any_keys=OPTIONS)
    identities = identities_of(wants_role.order_by("slug"))
    if not identities:
        return []
    memberships = _memberships(project, now)
    return missing_among(memberships, identities, _rows(identities, memberships).values())


def identities_of(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Those at which people of projects hold roles."""
    return [each for each in endpoints if each.identity_id is None and roles_of(each)]


def missing_among(
    memberships: Iterable[Membership], identities: Iterable[Endpoint],
    handles: Iterable[HolderHandle],
) -> list[MissingHolder]:  # fmt: skip
    """`missing_holders` of these; handles: how those of the memberships are known anywhere."""
    rows = {(each.identity_id, each.user_id, each.group_id): each for each in handles}
    found = []
    for identity in identities:
        roles = roles_of(identity)
        for each in memberships:
            holder = each.user or each.group
            row = rows.get((identity.pk, each.user_id, each.group_id))
            if holder is None or each.role not in roles or (row and row.external_id):
                continue
            found.append(
                MissingHolder(
                    identity, roles[each.role], holder,
                    is_looked_for=rule_for(identity, holder) is not None,
                    missing=row.missing if row else "", words=row.words if row else "",
                    looked_at=row.looked_at if row else None,
                )
            )  # fmt: skip
    return found


OPTIONS = ["role", "roles"]


def _memberships(project: Project, now: datetime) -> list[Membership]:
    rows = Membership.objects.filter(in_force(now), project=project)
    return list(rows.select_related("user", "group").order_by("pk"))


def _rows(
    identities: list[Endpoint], memberships: list[Membership]
) -> Mapping[tuple[int, int | None, int | None], HolderHandle]:
    found = HolderHandle.objects.filter(identity__in=identities).filter(
        Q(user__in=[each.user_id for each in memberships if each.user_id])
        | Q(group__in=[each.group_id for each in memberships if each.group_id])
    )
    return {(each.identity_id, each.user_id, each.group_id): each for each in found}
