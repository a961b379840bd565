"""Which delegations a person may see: their own, and those of the subtrees they decide for."""

from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Value

from portal.lib.lookups import is_among, is_the
from projects.models import Delegation

from .viewers import (
    SEE_DELEGATIONS,
    Viewer,
    below,
    in_units_below,
    live_delegations,
    lying_below,
)


def visible_delegations(viewer: Viewer) -> QuerySet[Delegation]:
    """Held, given or below; `is_live` says whether it is in force with every link above."""
    live = live_delegations(viewer.now).filter(is_the("pk", OuterRef("pk")))
    rows = with_people(Delegation.objects.annotate(is_live=Exists(live)))
    if viewer.sees_everything:
        return rows
    return rows.filter(_held_or_given(viewer) | lying_below(viewer.paths(*SEE_DELEGATIONS)))


def visible_in_force(viewer: Viewer) -> QuerySet[Delegation]:
    """Those of `visible_delegations` that are in force with every link above.

    What may be seen is found first, then each chain by its links: never all chains at once.
    """
    seen = Delegation.objects.all()
    if not viewer.sees_everything:
        seen = seen.filter(_held_or_given(viewer) | in_units_below(viewer.paths(*SEE_DELEGATIONS)))
    live = live_delegations(viewer.now).filter(is_among("pk", seen.values("pk")))
    return with_people(live.annotate(is_live=Value(True)))


def _held_or_given(viewer: Viewer) -> Q:
    theirs = viewer.own() | Q(grantor=viewer.user)
    if viewer.place is None:
        return theirs
    return theirs & below(viewer.place.unit_paths, "unit__path")


def with_people(rows: QuerySet[Delegation]) -> QuerySet[Delegation]:
    """With grantor, delegate and unit, in the order in which they were made."""
    return rows.select_related("grantor", "user", "group", "unit").order_by("pk")


def handed_on(viewer: Viewer, delegations: Collection[Delegation]) -> list[Delegation]:
    """What was made directly from these, the newest first, as `visible_delegations` gives it."""
    rows = visible_delegations(viewer).filter(is_among("parent", [each.pk for each in delegations]))
    return list(rows.order_by("-pk"))


def below_counts(delegations: Collection[Delegation], now: datetime) -> dict[int, int]:
    """{delegation id: how many hang from it that are in force or planned}; one query."""
    ids = {each.pk for each in delegations}
    rows = Delegation.objects.filter(ancestors__overlap=list(ids), revoked_at__isnull=True).filter(
        Q(ends_at__isnull=True) | Q(ends_at__gt=now)
    )
    found: dict[int, int] = {}
    for ancestors in rows.values_list("ancestors", flat=True) if ids else ():
        for each in ids.intersection(ancestors):
            found[each] = found.get(each, 0) + 1
    return found


def standing(delegation: Delegation, now: datetime) -> str:
    """One word: "revoked", "planned", "ended", "in force", or "interrupted" from above.

    delegation: from `visible_delegations`, which says whether the whole chain is in force.
    """
    if delegation.revoked_at is not None and delegation.revoked_at <= now:
        return "revoked"
    if delegation.starts_at > now:
        return "planned"
    if delegation.ends_at is not None and delegation.ends_at <= now:
        return "ended"
    return "in force" if delegation.is_live else "interrupted"  # type: ignore[attr-defined]  # annotated
