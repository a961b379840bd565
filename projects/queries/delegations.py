"""Which delegations a person may see: their own, and those of the subtrees they decide for."""

from django.db.models import Exists, OuterRef, Q, QuerySet

from projects.models import Delegation

from .viewers import SEE_PROJECTS, Viewer, below, live_delegations


def visible_delegations(viewer: Viewer) -> QuerySet[Delegation]:
    """Held, given or below; `is_live` says whether it is in force with every link above."""
    live = live_delegations(viewer.now).filter(pk=OuterRef("pk"))
    rows = (
        Delegation.objects.annotate(is_live=Exists(live))
        .select_related("grantor", "user", "group", "unit")
        .order_by("pk")
    )
    if viewer.sees_everything:
        return rows
    return rows.filter(
        viewer.own() | Q(grantor=viewer.user) | below(viewer.paths(*SEE_PROJECTS), "unit__path")
    )
