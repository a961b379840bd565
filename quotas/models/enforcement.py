"""Where quota is enforced: endpoints, their limits, and what must become true there."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from portal.lib.amounts import ACCESS
from projects.models import Project, User
from quotas.states import TAKEABLE, DriftPolicy, EndpointState, ErrorKind, TargetState

from .catalogue import Offering, Region


class Endpoint(models.Model):
    """One service of one region; an identity endpoint may serve several (region null).

    `cloud` and `region_name` are what clouds.yaml and the service catalogue call it.
    """

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    region = models.ForeignKey(
        Region, models.PROTECT, null=True, blank=True, related_name="endpoints"
    )
    driver = models.CharField(max_length=40)
    cloud = models.CharField(max_length=100)
    region_name = models.CharField(max_length=100, blank=True)
    # Null for an identity endpoint itself.
    identity = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="services"
    )
    options = models.JSONField(default=dict, blank=True)
    # How many calls at once, and how many a second, all workers together; null: the setting's.
    concurrency = models.PositiveSmallIntegerField(null=True, blank=True)
    calls_per_second = models.PositiveSmallIntegerField(null=True, blank=True)
    drift_policy = models.CharField(max_length=8, choices=DriftPolicy, default=DriftPolicy.REPORT)
    state = models.CharField(max_length=12, choices=EndpointState, default=EndpointState.OPEN)
    state_reason = models.CharField(max_length=500, blank=True)
    state_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    state_since = models.DateTimeField(null=True, blank=True)
    state_until = models.DateTimeField(null=True, blank=True)
    failure_count = models.PositiveIntegerField(default=0)
    next_probe_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    # What the service could not look into when it was last asked, in words for operators, and
    # since when it is so: what is read of use meanwhile is a least.
    gaps = models.JSONField(default=list, blank=True)
    gaps_since = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["region__order", "slug"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=EndpointState.values), name="endpoint_state_known"
            ),
            models.CheckConstraint(
                condition=Q(identity__isnull=True) | ~Q(identity=F("id")),
                name="endpoint_identity_is_another",
            ),
            models.CheckConstraint(
                condition=Q(drift_policy__in=DriftPolicy.values),
                name="endpoint_drift_policy_known",
            ),
            models.CheckConstraint(
                condition=(Q(concurrency__isnull=True) | Q(concurrency__gte=1))
                & (Q(calls_per_second__isnull=True) | Q(calls_per_second__gte=1)),
                name="endpoint_pace_positive",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class EndpointWord(models.Model):
    """What somebody said as they closed an endpoint, changed that, or opened it again.

    Append-only, as decisions are. The reason stands here and not in the event: people write
    names into it, and events hold none. `actor` null: it opened by itself.
    """

    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="words")
    # The state that it was given.
    state = models.CharField(max_length=12, choices=EndpointState)
    reason = models.CharField(max_length=500, blank=True)
    until = models.DateTimeField(null=True, blank=True)
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=EndpointState.values), name="endpointword_state_known"
            ),
        ]


class Limit(models.Model):
    """A key that an endpoint enforces; one of the service's own units is `step` base units.

    `maximum` is the most that the service takes, in base units. A limit that the service
    turned out to lack can be left out, with a reason: it is then written by nobody, and what
    it alone would enforce is shown as not enforced.
    """

    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="limits")
    key = models.CharField(max_length=255)
    name = models.CharField(max_length=100)
    unit = models.CharField(max_length=1, blank=True)
    step = models.BigIntegerField(default=1)
    maximum = models.BigIntegerField(null=True, blank=True)
    order = models.PositiveSmallIntegerField(default=0)
    left_out_at = models.DateTimeField(null=True, blank=True)
    left_out_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    left_out_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering: ClassVar = ["endpoint__slug", "order", "key"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["endpoint", "key"], name="limit_key_once"),
            models.CheckConstraint(condition=Q(step__gte=1), name="limit_step_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint.slug} {self.key}"

    @property
    def is_access(self) -> bool:
        """Whether a project has it or not, and nobody counts it."""
        return self.maximum == 1

    @property
    def quota_unit(self) -> str:
        """The unit that what a project has of it is written in."""
        return ACCESS if self.is_access else self.unit


class Contribution(models.Model):
    """An offering feeds a limit: the limit is the sum of quota × factor."""

    offering = models.ForeignKey(Offering, models.PROTECT, related_name="contributions")
    limit = models.ForeignKey(Limit, models.PROTECT, related_name="contributions")
    factor = models.PositiveIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["offering", "limit"], name="contribution_once"),
            models.CheckConstraint(condition=Q(factor__gte=1), name="contribution_factor_positive"),
        ]


class Target(models.Model):
    """What must become true for a project at an endpoint, and how far that is.

    `generation` rises with every change of the ledger that touches it;
    `applied_generation` is the last one that was read back as true. The lease is held
    by whoever knows the token until `lease_until` by the database's clock.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="targets")
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="targets")
    state = models.CharField(max_length=10, choices=TargetState, default=TargetState.DUE)
    generation = models.PositiveBigIntegerField(default=1)
    applied_generation = models.PositiveBigIntegerField(default=0)
    applied_at = models.DateTimeField(null=True, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    # A former holder of the lease may still be writing until then.
    dirty_until = models.DateTimeField(null=True, blank=True)
    failure_count = models.PositiveIntegerField(default=0)
    error_id = models.CharField(max_length=8, blank=True)
    error_kind = models.CharField(max_length=12, blank=True, choices=ErrorKind)
    error_code = models.CharField(max_length=60, blank=True)
    error_words = models.CharField(max_length=1000, blank=True)
    error_at = models.DateTimeField(null=True, blank=True)
    skip_reason = models.CharField(max_length=500, blank=True)
    # Last read; and last tried to, so that what does not answer holds up nobody else.
    observed_at = models.DateTimeField(null=True, blank=True)
    looked_at = models.DateTimeField(null=True, blank=True)
    # Why the last look saw nothing; empty after one that did.
    look_error_code = models.CharField(max_length=60, blank=True)
    look_error_words = models.CharField(max_length=1000, blank=True)
    # Of an identity endpoint. Who has the name, as long as the error is `name_taken`: id, name,
    # description, is_enabled, tags. What an operator asked workers for: to make that project
    # ours, or to make a new one in the place of one that was deleted; empty once it is done.
    name_taken_by = models.JSONField(default=dict, blank=True)
    adopt_external_id = models.CharField(max_length=255, blank=True)
    recreate_external_id = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "endpoint"], name="target_once"),
            models.CheckConstraint(
                condition=Q(state__in=TargetState.values), name="target_state_known"
            ),
            models.CheckConstraint(
                condition=Q(applied_generation__lte=F("generation")),
                name="target_applied_not_ahead",
            ),
            models.CheckConstraint(
                condition=Q(state=TargetState.LEASED, lease_token__isnull=False)
                | (~Q(state=TargetState.LEASED) & Q(lease_token__isnull=True)),
                name="target_leased_has_token",
            ),
            # Nothing would ever find these again.
            models.CheckConstraint(
                condition=~Q(state__in=TAKEABLE) | Q(next_try_at__isnull=False),
                name="target_takeable_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state=TargetState.LEASED) | Q(lease_until__isnull=False),
                name="target_leased_has_end",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_try_at"],
                condition=Q(next_try_at__isnull=False),
                name="target_due",
            ),
            models.Index(
                fields=["lease_until"], condition=Q(lease_until__isnull=False), name="target_leased"
            ),
            models.Index(fields=["looked_at"], name="target_looked_at"),
            # The next one at an endpoint, and its work list.
            models.Index(fields=["endpoint", "state", "next_try_at"], name="target_of_endpoint"),
        ]

    def __str__(self) -> str:
        return f"{self.project_id}@{self.endpoint_id}"


class Reading(models.Model):
    """What one limit of one target was when last seen, in base units.

    `limit_seen` −1 is the service's word for unlimited. Null: the service did not say.
    `read_at` is when all limits of the target were last read together. `surveyed_at`: a newer
    moment at which a reading of all projects told of this one's use, of its limit, or of both.
    """

    UNLIMITED = -1

    target = models.ForeignKey(Target, models.CASCADE, related_name="readings")
    limit = models.ForeignKey(Limit, models.PROTECT, related_name="readings")
    written = models.BigIntegerField(null=True, blank=True)
    written_at = models.DateTimeField(null=True, blank=True)
    limit_seen = models.BigIntegerField(null=True, blank=True)
    used = models.BigIntegerField(null=True, blank=True)
    reserved = models.BigIntegerField(null=True, blank=True)
    read_at = models.DateTimeField()
    surveyed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["target", "limit"], name="reading_once"),
        ]

    @property
    def used_at(self) -> datetime:
        """When what is used was last told."""
        return self.read_at if self.surveyed_at is None else max(self.read_at, self.surveyed_at)


class UsagePeak(models.Model):
    """The highest use seen on a day, and the limit at that moment, in base units."""

    target = models.ForeignKey(Target, models.CASCADE, related_name="peaks")
    limit = models.ForeignKey(Limit, models.PROTECT, related_name="+")
    day = models.DateField()
    used = models.BigIntegerField()
    limit_seen = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["target", "limit", "day"], name="usagepeak_once_a_day"),
        ]
        # What is too old is forgotten by day.
        indexes: ClassVar = [models.Index(fields=["day"], name="usagepeak_day")]
