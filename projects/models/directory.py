"""What the directory said, and who left: each reading of it, and each absence of a person."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from .people import User


class DirectoryRun(models.Model):
    """One reading of the directory: how far it came, what it changed, what it did not dare.

    `counts`: figures by their names. `refused`: parts that were left as they are because too
    many would go at once: {"part": "people" | "groups" | "group" | "members", "id": a group's or
    null, "gone": how many, "known": of how many}; "members": those of all groups together.
    `error`: why it ended early, in the directory's words.
    """

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    # Whether all people, and all groups, were read to the end: only then somebody may be missing.
    has_all_people = models.BooleanField(default=False)
    has_all_groups = models.BooleanField(default=False)
    counts = models.JSONField(default=dict, blank=True)
    refused = models.JSONField(default=list, blank=True)
    error = models.CharField(max_length=500, blank=True)
    # An operator had refused parts done after all.
    is_confirmed = models.BooleanField(default=False)

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["-started_at"],
                condition=Q(has_all_people=True),
                name="directoryrun_all_people",
            ),
            models.Index(
                fields=["-started_at"],
                condition=Q(has_all_groups=True),
                name="directoryrun_all_groups",
            ),
        ]

    def __str__(self) -> str:
        return f"directory read at {self.started_at:%Y-%m-%d %H:%M}"


class Absence(models.Model):
    """That a person is not at the site: from when they left until they came back, if ever.

    `left_by` null: the directory says so. What somebody wrote stands here, not in events.
    """

    user = models.ForeignKey(User, models.PROTECT, related_name="absences")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    left_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    back_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gte=F("starts_at")),
                name="absence_period",
            ),
            models.UniqueConstraint(
                fields=["user"], condition=Q(ends_at__isnull=True), name="absence_once"
            ),
        ]
