"""Where quota is not used, as lists show it: as found when the projects were last looked at."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, F, Q, QuerySet, Sum

from portal.lib.lookups import is_among
from projects.models import Project, ProjectAct, Unit, ancestor_paths
from projects.queries.viewers import Viewer, below, in_units_below
from projects.states import Power, ProjectActKind
from quotas.models import Offering, QuotaReturn, UnusedQuota

from .unused import WORKS

# Who reads about others' quota in figures.
READING = (Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES, Power.AUDIT)
# So many returns of a project are shown, even where none of them can be undone any more.
NEWEST = 10


def may_see_unused(viewer: Viewer) -> bool:
    """Read what projects do not use, somewhere."""
    return viewer.sees_everything or bool(viewer.paths(*READING))


def unused_rows(viewer: Viewer) -> QuerySet[UnusedQuota]:
    """What projects could return where the person sees figures; what moved since is left out."""
    rows = current_unused()
    if viewer.sees_everything:
        return rows
    return rows.filter(_lying_below(viewer.paths(*READING)))


def _lying_below(paths: Collection[str]) -> Q:
    """As `viewers.lying_below`, of what leads to a project by its account."""
    if any(len(ancestor_paths(path)) == 1 for path in paths):
        return below(paths, "account__project__unit__path")
    there = Project.objects.filter(in_units_below(paths))
    return Q(is_among("account__project", there.values("pk")))


def narrowed(
    rows: QuerySet[UnusedQuota], *, unit: Unit | None = None, region: str = "", resource: str = ""
) -> QuerySet[UnusedQuota]:
    """Those below a unit, in a region, of a resource (slugs; empty: all)."""
    if unit is not None:
        rows = rows.filter(_lying_below([unit.path]))
    if region:
        rows = rows.filter(account__offering__zone__region__slug=region)
    if resource:
        rows = rows.filter(account__offering__resource__slug=resource)
    return rows


def current_unused() -> QuerySet[UnusedQuota]:
    """All that was found and did not move since."""
    return UnusedQuota.objects.filter(
        balance=F("account__balance"), account__project__state__in=WORKS
    ).select_related(
        "limit__endpoint", "account__project__unit", "account__offering__resource",
        "account__offering__zone__region",
    ).order_by("account__offering__slug", "pk")  # fmt: skip


@dataclass(frozen=True)
class Freed:
    """What would be free of one offering, were all of it returned; base units."""

    offering: Offering
    amount: int
    project_count: int


def freed(rows: QuerySet[UnusedQuota]) -> list[Freed]:
    """The sums of a list, in the catalogue's order; two queries."""
    sums = {
        pk: (amount, count)
        for pk, amount, count in rows.order_by()
        .values_list("account__offering")
        .annotate(amount=Sum("amount"), count=Count("pk"))
    }
    offerings = Offering.objects.filter(pk__in=sums).select_related("resource", "zone__region")
    return [Freed(each, *sums[each.pk]) for each in offerings]


def returns_of(project: Project) -> QuerySet[QuotaReturn]:
    """What a project returned, the newest first."""
    return (
        QuotaReturn.objects.filter(account__project=project)
        .select_related(
            "account__offering__resource", "account__offering__zone__region", "act__actor",
            "undone_by__actor", "home__unit",
        )
        .order_by("-pk")
    )  # fmt: skip


def returns_shown(project: Project, now: datetime) -> list[QuotaReturn]:
    """The newest of them, and whatever else its project can still have again; one query."""
    rows = returns_of(project)
    newest = QuotaReturn.objects.filter(account__project=project).order_by("-pk")
    ids = newest.values("pk")[:NEWEST]
    return list(rows.filter(can_be_undone(now) | Q(pk__in=ids)))


def can_be_undone(now: datetime) -> Q:
    """The condition on a return that its project can still have it again."""
    return Q(undone_by__isnull=True, undo_until__gt=now)


def asked_back_at(project: Project) -> datetime | None:
    """When its owners were last asked to return something."""
    rows = ProjectAct.objects.filter(project=project, kind=ProjectActKind.ASK_BACK)
    return rows.order_by("-pk").values_list("at", flat=True).first()


def may_be_asked_at(asked_at: datetime | None) -> datetime | None:
    """From when on they can be asked again; None: at once."""
    return None if asked_at is None else asked_at + timedelta(days=settings.RECLAIM_ASK_DAYS)
