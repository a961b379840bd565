"""Projects and who holds which role in them."""

import uuid
from typing import ClassVar

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from projects.states import ProjectState, Role

from .people import Group, PeriodQuerySet, User, period_constraint
from .units import Unit

# Every tag of ours begins with it: one that does belongs to a project of some Remit.
TAG_PREFIX = "remit:"


class ProjectKind(models.TextChoices):
    SHARED = "shared"
    PERSONAL = "personal"


class Project(models.Model):
    """Owns resources; in one unit. `name` is what the clouds call it."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    slug = models.SlugField(max_length=63, unique=True)
    # Keystone takes at most 64 characters (400 beyond), and compares names without case.
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=500, blank=True)
    # What it is for, as told to those who decide; the clouds are told the description.
    purpose = models.TextField(max_length=2000, blank=True)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="projects")
    kind = models.CharField(max_length=10, choices=ProjectKind, default=ProjectKind.SHARED)
    state = models.CharField(max_length=10, choices=ProjectState, default=ProjectState.ACTIVE)
    # The last day, site time; null: it stays until somebody closes it.
    ends_on = models.DateField(null=True, blank=True)
    # Since when nobody works in it in the clouds, also as it closes; null: people do.
    suspended_at = models.DateTimeField(null=True, blank=True)
    # While closing: the last day on which it can still be kept.
    closes_on = models.DateField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=ProjectState.values), name="project_state_known"
            ),
            # What was never opened gives its name back.
            models.UniqueConstraint(
                Lower("name"), condition=~Q(state=ProjectState.DROPPED), name="project_name_once"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["unit", "name"]),
            models.Index(
                fields=["ends_on"], condition=Q(ends_on__isnull=False), name="project_ends"
            ),
            GinIndex(
                SearchVector("name", "slug", "description", config="simple"),
                name="project_search",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_open(self) -> bool:
        """Whether people can work in it in the clouds: until the countdown to its end is over."""
        if self.suspended_at is not None:
            return False
        counts_down = self.state == ProjectState.CLOSING and self.closes_on is not None
        return self.state == ProjectState.ACTIVE or counts_down

    @property
    def tag(self) -> str:
        """What a project of ours is marked with in Keystone, and found again by."""
        return f"{TAG_PREFIX}{self.public_id}"


class ProjectPlacement(models.Model):
    """In which unit a project was, and when."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="placements")
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = PeriodQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            period_constraint("projectplacement_period"),
            models.UniqueConstraint(
                fields=["project"], condition=Q(ends_at__isnull=True), name="projectplacement_once"
            ),
        ]


class Membership(models.Model):
    """A role of a person, or of everybody in a group, in a project for a period."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="memberships")
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="memberships"
    )
    group = models.ForeignKey(
        Group, models.PROTECT, null=True, blank=True, related_name="memberships_in_projects"
    )
    role = models.CharField(max_length=10, choices=Role)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = PeriodQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            period_constraint("membership_period"),
            models.CheckConstraint(condition=Q(role__in=Role.values), name="membership_role_known"),
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(group__isnull=True), name="membership_one_holder"
            ),
            models.UniqueConstraint(
                fields=["project", "user"],
                condition=Q(ends_at__isnull=True),
                name="membership_once_user",
            ),
            models.UniqueConstraint(
                fields=["project", "group"],
                condition=Q(ends_at__isnull=True),
                name="membership_once_group",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "project"]),
            models.Index(fields=["group", "project"]),
        ]

    @property
    def holder_is_here(self) -> bool:
        """Whether the person has not left, or the group exists."""
        if self.user is not None:
            return self.user.is_here
        return self.group is not None and self.group.gone_at is None
