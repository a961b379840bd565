"""Who of those that may decide is free to: a project's own people do not decide for it."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from portal.lib.compiled import Answers, compiled
from portal.lib.lookups import is_of
from portal.lib.together import Part, Values
from projects.models import GroupMembership, Membership, Project, User, in_force
from projects.states import ROLES_ABOVE_READER

from .authority import Mandate


def with_free_holder(
    mandates: Collection[Mandate], project: Project, now: datetime
) -> list[Mandate]:
    """Those that somebody can use for the project; one query.

    Somebody: a person whose account is in use and who holds no role above reader in it,
    directly or through a group; of a group one such member is enough. Nor does anybody whom
    a deputy stands in for.
    """
    read = _free(project=project.pk, now=now, **holder_keys(mandates))
    return usable_by_somebody(mandates, read)


def holder_keys(mandates: Iterable[Mandate]) -> dict[str, list[int]]:
    """Whom `free_parts` asks about: arrays of ids for its slots."""
    found = list(mandates)
    return {
        "users": sorted({each for mandate in found for each in mandate.effective_people}),
        "groups": sorted({
            each.delegation.group_id for each in found if each.delegation.group_id is not None
        }),
    }  # fmt: skip


def free_parts(*, project: Any, now: Any, users: Any, groups: Any) -> list[Part]:
    """What asks who of these people and groups is free to decide for a project."""
    people = User.objects.filter(_uninvolved(project, "pk", now), is_of("pk", users))
    members = GroupMembership.objects.filter(
        in_force(now), _uninvolved(project, "user", now), is_of("group", groups),
        user__is_active=True,
    )  # fmt: skip
    return [
        Values(people.order_by(), ["pk", "is_active"]),
        Values(members.order_by().distinct(), ["group"]),
    ]


_free = compiled(free_parts)


def usable_by_somebody(mandates: Iterable[Mandate], read: Answers) -> list[Mandate]:
    """`with_free_holder` from the answer to `free_parts`."""
    people, groups = read
    uninvolved = dict(people)
    active = {pk for pk, is_active in uninvolved.items() if is_active}
    free_groups = {group for (group,) in groups}
    return [
        each
        for each in mandates
        if uninvolved.keys() >= each.effective_people
        and (each.delegation.user_id in active or each.delegation.group_id in free_groups)
    ]


def interested(people: Collection[int], project: Project, now: datetime) -> set[int]:
    """Ids of those of the people who hold a role above reader, directly or through a group."""
    involved = User.objects.filter(~_uninvolved(project, "pk", now), pk__in=people)
    return set(involved.values_list("pk", flat=True))


def _uninvolved(project: Any, person: str, now: Any) -> Q:
    """The condition that the person named by a column holds no role above reader."""
    held = Membership.objects.filter(in_force(now), project=project, role__in=ROLES_ABOVE_READER)
    through_group = GroupMembership.objects.filter(
        in_force(now), user=OuterRef(person), group__in=held.values("group")
    )
    return ~Exists(held.filter(user=OuterRef(person))) & ~Exists(through_group)
