"""The core of delegation: who lets whom do what, where and until when.

Terms are immutable: a change is a revocation and a new delegation. What somebody may
do at a moment is never stored; it is computed along the chain from these terms.
"""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from projects.states import Power

from .people import Group, PeriodQuerySet, User, period_constraint
from .units import Unit


class Delegation(models.Model):
    """A grantor lets a delegate use `powers` in a unit's subtree.

    A root delegation has no parent and no grantor: the operator's command made it.
    `ancestors` are the ids of the delegations above, root first, without itself; `predecessors`
    those that it replaces in turn, the first one first: what they gave counts for its bounds.
    `depth` is how many more times it may be handed on. A deputy stands in for the grantor
    for a time: as near to what waits as the grantor is, and barred by the grantor's roles too.
    """

    parent = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="children"
    )
    ancestors = ArrayField(models.BigIntegerField(), default=list, blank=True)
    grantor = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="delegations_given"
    )
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="delegations"
    )
    group = models.ForeignKey(
        Group, models.PROTECT, null=True, blank=True, related_name="delegations"
    )
    powers = ArrayField(models.CharField(max_length=30, choices=Power))
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="delegations")
    depth = models.PositiveSmallIntegerField(default=0)
    is_deputy = models.BooleanField(default=False)
    # Terms are immutable: what was reissued with others says which one it stands for.
    replaces = models.ForeignKey(
        "self", models.PROTECT, null=True, blank=True, related_name="replaced_by"
    )
    predecessors = ArrayField(models.BigIntegerField(), default=list, blank=True)
    purpose = models.CharField(max_length=500, blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    # What was said as it was revoked; here, as people write names and events hold none.
    revoked_why = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()

    objects = PeriodQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            period_constraint("delegation_period"),
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(group__isnull=True),
                name="delegation_one_delegate",
            ),
            models.CheckConstraint(
                condition=Q(parent__isnull=True, grantor__isnull=True, ancestors=[])
                | Q(parent__isnull=False, grantor__isnull=False),
                name="delegation_root_or_granted",
            ),
            models.CheckConstraint(
                condition=Q(is_deputy=False)
                | Q(parent__isnull=False, user__isnull=False, ends_at__isnull=False),
                name="delegation_deputy_is_a_person_for_a_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user"]),
            models.Index(fields=["group"]),
            GinIndex(fields=["ancestors"], name="delegation_chain"),
        ]

    def __str__(self) -> str:
        return f"D-{self.pk}"

    @property
    def chain_ids(self) -> list[int]:
        """The ids from the root to this delegation."""
        return [*self.ancestors, self.pk]

    @property
    def line_ids(self) -> frozenset[int]:
        """The ids of all that it replaces, and its own."""
        return frozenset({*self.predecessors, self.pk})
