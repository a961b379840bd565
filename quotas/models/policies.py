"""Rules as data by which a wish is granted at once, in the name of who made them.

A policy stands on a delegation: what it grants is bounded and consumed like the word of its
holder. Versions are immutable; a decision cites the one that it followed.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from projects.models import Delegation, ProjectKind, Unit, User
from quotas.states import Direction, PolicyState

from .catalogue import Resource, Zone


class Policy(models.Model):
    """One rule for a unit's subtree. Known to people as "R3", by its id."""

    unit = models.ForeignKey(Unit, models.PROTECT, related_name="policies")
    delegation = models.ForeignKey(Delegation, models.PROTECT, related_name="policies")
    # Whose authority it is: of a group's delegation the member who made the policy.
    person = models.ForeignKey(User, models.PROTECT, related_name="policies")
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=PolicyState, default=PolicyState.DRAFT)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "policies"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=PolicyState.values), name="policy_state_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["unit"], condition=Q(state=PolicyState.ON), name="policy_on"),
        ]

    def __str__(self) -> str:
        return f"R{self.pk}"


class PolicyVersion(models.Model):
    """What a policy says, from the moment it was made on; every condition must hold.

    Null or blank: no such condition. Amounts in base units, percents whole. At least one
    ceiling, unless it is about decreases.
    """

    policy = models.ForeignKey(Policy, models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    direction = models.CharField(max_length=8, choices=Direction, default=Direction.INCREASE)
    resource = models.ForeignKey(Resource, models.PROTECT, null=True, blank=True, related_name="+")
    zone = models.ForeignKey(Zone, models.PROTECT, null=True, blank=True, related_name="+")
    project_kind = models.CharField(max_length=10, choices=ProjectKind, blank=True)
    # By at most so much of the quota now, or so much of the resource.
    most_percent = models.PositiveIntegerField(null=True, blank=True)
    most_amount = models.BigIntegerField(null=True, blank=True)
    # Not twice within so many days for one project and offering.
    every_days = models.PositiveSmallIntegerField(null=True, blank=True)
    # What must be left afterwards of the envelope and of the zone.
    envelope_left_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    zone_left_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    # How much of the quota now must be in use.
    usage_above_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["policy_id", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["policy", "number"], name="policyversion_once"),
            models.CheckConstraint(
                condition=Q(direction__in=Direction.values), name="policyversion_direction_known"
            ),
            models.CheckConstraint(
                condition=Q(direction=Direction.DECREASE)
                | Q(most_percent__isnull=False)
                | Q(most_amount__isnull=False),
                name="policyversion_has_a_ceiling",
            ),
            models.CheckConstraint(
                condition=Q(most_amount__isnull=True)
                | Q(most_amount__gte=0, resource__isnull=False),
                name="policyversion_amount_of_one_resource",
            ),
        ]

    def __str__(self) -> str:
        return f"R{self.policy_id}.{self.number}"
