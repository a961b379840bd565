"""People as those who run the site look for them: who is here, who left, what each holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.search import SearchQuery
from django.db.models import QuerySet

from projects.models import Absence, Delegation, Group, GroupMembership, Membership, User
from projects.queries.viewers import live_delegations

from .leaving import held_roles
from .search import MAX_TEXT, USER_VECTOR, prefix_query


def people(*, text: str = "", has_left: bool | None = None) -> QuerySet[User]:
    """By the beginnings of words of their names; has_left None: whoever they are."""
    rows = User.objects.select_related("supervisor").order_by("name", "pk")
    if text.strip():
        query = prefix_query(text[:MAX_TEXT])
        wanted = SearchQuery(query, config="simple", search_type="raw")
        rows = rows.annotate(words=USER_VECTOR).filter(words=wanted) if query else rows.none()
    return rows if has_left is None else rows.filter(left_at__isnull=not has_left)


@dataclass(frozen=True)
class Held:
    """What a person is and has here now, and when they were away, the last time first."""

    roles: Sequence[Membership]
    groups: Sequence[Group]
    delegations: Sequence[Delegation]
    absences: Sequence[Absence]


def held_by(user: User, now: datetime) -> Held:
    """Four queries."""
    groups = GroupMembership.objects.live(now).filter(user=user).values("group")
    delegations = live_delegations(now).filter(user=user).select_related("unit", "user", "group")
    absences = Absence.objects.filter(user=user).select_related("user", "left_by", "back_by")
    return Held(
        roles=list(held_roles(user)),
        groups=list(Group.objects.filter(pk__in=groups).order_by("name", "pk")),
        delegations=list(delegations.order_by("pk")),
        absences=list(absences.order_by("-starts_at", "-pk")),
    )
