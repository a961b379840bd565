"""Authority of people who have left: what of it ends, and what stays because others rely on it."""

from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from projects.models import Delegation, User
from projects.queries.viewers import live_delegations


def unended(now: datetime) -> QuerySet[Delegation]:
    """In force, or about to be: neither over nor revoked."""
    return Delegation.objects.filter(_not_over(now), revoked_at__isnull=True)


def relied_upon(now: datetime) -> Q:
    """The condition on a delegation that others hold something by it; no deputy of its holder."""
    below = unended(now).filter(parent=OuterRef("pk"), is_deputy=False)
    return Q(Exists(below))


def left_as_links(now: datetime) -> QuerySet[Delegation]:
    """In force, though whoever holds them has left: to be reissued by who granted them."""
    return live_delegations(now).filter(user__left_at__isnull=False)


def deputies_named_by(user: User, now: datetime) -> QuerySet[Delegation]:
    """What stops at once with the person: whom they let act for them."""
    return unended(now).filter(grantor=user, is_deputy=True)


def parted(user: User, now: datetime) -> tuple[list[Delegation], list[Delegation]]:
    """What a person holds, as it would be if they left now: (what ends, what stays as a link).

    From the leaves up, as one of theirs may hang from another; two queries.
    """
    held = list(unended(now).filter(user=user).select_related("user", "group", "unit"))
    below = unended(now).filter(parent__in=[each.pk for each in held], is_deputy=False)
    children: dict[int | None, set[int]] = {}
    for child, parent in below.values_list("pk", "parent"):
        children.setdefault(parent, set()).add(child)
    ending: dict[int, Delegation] = {}
    links: list[Delegation] = []
    for each in sorted(held, key=lambda each: len(each.ancestors), reverse=True):
        if children.get(each.pk, set()) - set(ending):
            links.append(each)
        else:
            ending[each.pk] = each
    return list(ending.values()), links


def _not_over(now: datetime) -> Q:
    return Q(ends_at__isnull=True) | Q(ends_at__gt=now)
