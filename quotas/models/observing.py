"""Reading all projects of an endpoint in one go, and what is told of their use."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from projects.models import Project

from .enforcement import Endpoint, Limit, Target


class SurveyRun(models.Model):
    """When all projects of an endpoint are next read in one go, by whom now, and how it went.

    Whoever holds `token` until `lease_until`, by the database's clock, is at it: one at a time.
    What is said of the last run stands until the next one ends: `ended_at` of the last that
    ended whole, or `failed_at` and why of one since.
    """

    endpoint = models.OneToOneField(
        Endpoint, models.CASCADE, primary_key=True, related_name="survey_run"
    )
    next_at = models.DateTimeField()
    token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    began_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    call_count = models.PositiveIntegerField(default=0)
    project_count = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_words = models.CharField(max_length=1000, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(token__isnull=True, lease_until__isnull=True)
                | Q(token__isnull=False, lease_until__isnull=False),
                name="surveyrun_held_has_end",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["next_at"], name="surveyrun_next")]


class UsageThresholds(models.Model):
    """At which shares of its limits a project's people are told, beside those of the site.

    Whole per cents, rising. `version` counts changes.
    """

    MOST = 3

    project = models.OneToOneField(
        Project, models.CASCADE, primary_key=True, related_name="usage_thresholds"
    )
    percents = ArrayField(models.PositiveSmallIntegerField(), default=list)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(percents__len__lte=3), name="usagethresholds_few"),
            models.CheckConstraint(
                condition=Q(percents__contained_by=list(range(1, 101))),
                name="usagethresholds_percents",
            ),
        ]


class Crossing(models.Model):
    """Use that rose to a share of its limit, from when it was found until it fell well below.

    Open at most once for each limit and share, so that it is told once. `used` (with what is
    reserved) and `bound` are in base units, as they were then.
    """

    target = models.ForeignKey(Target, models.CASCADE, related_name="crossings")
    limit = models.ForeignKey(Limit, models.PROTECT, related_name="+")
    percent = models.PositiveSmallIntegerField()
    used = models.BigIntegerField()
    bound = models.BigIntegerField()
    crossed_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["target", "limit", "percent"],
                condition=Q(ended_at__isnull=True),
                name="crossing_open_once",
            ),
            models.CheckConstraint(
                condition=Q(percent__gte=1, percent__lte=100), name="crossing_percent"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["target"], condition=Q(ended_at__isnull=True), name="crossing_open"
            ),
        ]
