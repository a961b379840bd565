"""The organisation's tree. A unit is retired, never deleted.

`path` is the slugs from the root to the unit, each followed by a slash ("it/cm/"), so
that a subtree is a prefix and the ancestors are known without a query.
"""

from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q

from .people import PeriodQuerySet, User, period_constraint


def ancestor_paths(path: str) -> list[str]:
    """The paths from the root to `path` itself: "it/cm/" gives ["it/", "it/cm/"]."""
    slugs = path.rstrip("/").split("/")
    return ["/".join(slugs[: depth + 1]) + "/" for depth in range(len(slugs))]


def label_of_path(path: str) -> str:
    """A path as people write it: "IT/CM"."""
    return path.rstrip("/").upper()


class UnitQuerySet(models.QuerySet["Unit"]):
    def under(self, path: str) -> "UnitQuerySet":
        """The unit of that path and everything below it."""
        return self.filter(path__startswith=path)

    def above(self, path: str) -> "UnitQuerySet":
        """The unit of that path and its ancestors, root first."""
        return self.filter(path__in=ancestor_paths(path)).order_by("path")


class Unit(models.Model):
    """A node of the organisation."""

    slug = models.SlugField(max_length=63, unique=True)
    name = models.CharField(max_length=200)
    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )
    path = models.CharField(max_length=1000, unique=True, editable=False)
    retired_at = models.DateTimeField(null=True, blank=True)
    # Working days that a request waits before its deciders are reminded, and before it goes
    # up as well; null: as the nearest unit above says, or the site's setting.
    remind_after_days = models.PositiveSmallIntegerField(null=True, blank=True)
    escalate_after_days = models.PositiveSmallIntegerField(null=True, blank=True)
    # To whom the projects of people who left are offered; null: as the nearest unit above says.
    steward = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    objects = UnitQuerySet.as_manager()
    # Root first, with the unit itself; known where its path is held (projects.actions.units).
    lineage: "tuple[Unit, ...] | None" = None

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(parent__isnull=True) | ~Q(parent=F("id")), name="unit_not_own_parent"
            ),
            models.CheckConstraint(
                condition=Q(escalate_after_days__isnull=True) | Q(escalate_after_days__gte=1),
                name="unit_escalates_after_a_day",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["path"], name="unit_subtree", opclasses=["varchar_pattern_ops"]),
            GinIndex(SearchVector("name", "slug", config="simple"), name="unit_search"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """The path as people write it: "IT/CM"."""
        return label_of_path(self.path)


class UnitPlacement(models.Model):
    """Under which parent a unit stood, and when."""

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="placements")
    parent = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = PeriodQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            period_constraint("unitplacement_period"),
            models.UniqueConstraint(
                fields=["unit"], condition=Q(ends_at__isnull=True), name="unitplacement_once"
            ),
        ]


class Holiday(models.Model):
    """A day on which nobody is expected to decide; weekends are a setting."""

    on = models.DateField(unique=True)
    name = models.CharField(max_length=100)

    class Meta:
        ordering: ClassVar = ["on"]

    def __str__(self) -> str:
        return f"{self.on} {self.name}"
