"""What was seen in a cloud that is not what was applied there."""

import hashlib
from typing import ClassVar

from django.db import models
from django.db.models import Q

from projects.models import User
from quotas.states import LIMIT_DRIFT, DriftEnd, DriftKind

from .enforcement import Limit, Target
from .requests import Decision


class Drift(models.Model):
    """One difference at one target, from when it was found until it ended.

    `limit` is null for the kinds that concern the whole project. `wanted` and `seen` are in
    base units, as when last confirmed (`seen` −1: unlimited; null: not a number); of use above a
    limit, `wanted` is the limit that was seen and `seen` the use. `seen_name` is
    what a renamed project is called now. `restore_asked_at`: workers shall put it right.
    """

    target = models.ForeignKey(Target, models.PROTECT, related_name="drifts")
    limit = models.ForeignKey(Limit, models.PROTECT, null=True, blank=True, related_name="drifts")
    kind = models.CharField(max_length=20, choices=DriftKind)
    wanted = models.BigIntegerField(null=True, blank=True)
    seen = models.BigIntegerField(null=True, blank=True)
    seen_name = models.CharField(max_length=255, blank=True)
    found_at = models.DateTimeField()
    confirmed_at = models.DateTimeField()
    ignored_until = models.DateTimeField(null=True, blank=True)
    ignored_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    ignore_reason = models.CharField(max_length=500, blank=True)
    restore_asked_at = models.DateTimeField(null=True, blank=True)
    # Null where the endpoint's policy asked.
    restore_asked_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+"
    )
    ended_at = models.DateTimeField(null=True, blank=True)
    end = models.CharField(max_length=8, blank=True, choices=DriftEnd)
    # The decision that adopted what was seen.
    decision = models.ForeignKey(
        Decision, models.PROTECT, null=True, blank=True, related_name="adopted_drifts"
    )

    class Meta:
        ordering: ClassVar = ["found_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["target", "limit", "kind"],
                condition=Q(ended_at__isnull=True),
                nulls_distinct=False,
                name="drift_open_once",
            ),
            models.CheckConstraint(condition=Q(kind__in=DriftKind.values), name="drift_kind_known"),
            models.CheckConstraint(
                condition=Q(kind__in=LIMIT_DRIFT, limit__isnull=False)
                | (~Q(kind__in=LIMIT_DRIFT) & Q(limit__isnull=True)),
                name="drift_limit_where_of_one",
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, end="")
                | (Q(ended_at__isnull=False) & ~Q(end="")),
                name="drift_end_said",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["kind", "found_at"],
                condition=Q(ended_at__isnull=True),
                name="drift_open",
            ),
        ]

    @property
    def version(self) -> str:
        """What one decides about: the difference, and what was said of it; not when it was seen."""
        said = (
            self.wanted, self.seen, self.seen_name, self.ignored_until, self.ignore_reason,
            self.restore_asked_at, self.end,
        )  # fmt: skip
        return hashlib.sha256(repr(said).encode()).hexdigest()[:12]
