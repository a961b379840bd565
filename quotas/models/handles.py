"""What identity endpoints call projects, people and groups of ours, and what we did there."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from projects.models import Group, Project, User
from quotas.states import Missing

from .enforcement import Endpoint


class ProjectHandle(models.Model):
    """What an identity endpoint calls a project of ours, and what it was last told of it.

    What is there and differs from what was told was changed outside; what is wanted and differs
    from it was changed here. `disabled_at`: since when it is disabled by us; null: whoever
    disabled it was somebody else. `listed_at`: when a list of all projects last showed it enabled.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="handles")
    identity = models.ForeignKey(Endpoint, models.PROTECT, related_name="handles")
    external_id = models.CharField(max_length=255)
    told_name = models.CharField(max_length=64, blank=True)
    told_description = models.CharField(max_length=500, blank=True)
    disabled_at = models.DateTimeField(null=True, blank=True)
    listed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "identity"], name="projecthandle_once"),
            models.UniqueConstraint(
                fields=["identity", "external_id"], name="projecthandle_external_id_once"
            ),
        ]


class HolderHandle(models.Model):
    """What an identity endpoint calls a person or a group of ours; "" while it is not known.

    Given by the site's file, or found by the endpoint's rule: then `looked_at` says when. Who
    was not found (`missing` says why, `words` in sentences) is looked for again at `next_at`.
    """

    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="identity_handles"
    )
    group = models.ForeignKey(
        Group, models.PROTECT, null=True, blank=True, related_name="identity_handles"
    )
    identity = models.ForeignKey(Endpoint, models.PROTECT, related_name="holder_handles")
    external_id = models.CharField(max_length=255, blank=True)
    looked_at = models.DateTimeField(null=True, blank=True)
    missing = models.CharField(max_length=10, blank=True, choices=Missing)
    words = models.CharField(max_length=500, blank=True)
    miss_count = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(group__isnull=True),
                name="holderhandle_one_holder",
            ),
            # Who is not known is looked for again; nobody else is.
            models.CheckConstraint(
                condition=Q(external_id="", next_at__isnull=False, missing__in=Missing.values)
                | (~Q(external_id="") & Q(next_at__isnull=True, missing="")),
                name="holderhandle_known_or_missing",
            ),
            models.UniqueConstraint(
                fields=["user", "identity"],
                condition=Q(user__isnull=False),
                name="holderhandle_once_a_user",
            ),
            models.UniqueConstraint(
                fields=["group", "identity"],
                condition=Q(group__isnull=False),
                name="holderhandle_once_a_group",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_at"], condition=Q(next_at__isnull=False), name="holderhandle_missing"
            ),
            models.Index(fields=["identity", "external_id"], name="holderhandle_by_id"),
        ]


class RoleGrant(models.Model):
    """A role in a project that Remit set: noted before it is written, confirmed when read back.

    What is not noted here was granted by others and is never touched: also where somebody is to
    have it here and had it before we asked. `external_id`: to whom it was granted, whatever the
    holder is called by now; the note goes once it was taken back and is no longer read there.
    """

    handle = models.ForeignKey(ProjectHandle, models.CASCADE, related_name="role_grants")
    holder = models.ForeignKey(HolderHandle, models.PROTECT, related_name="role_grants")
    external_id = models.CharField(max_length=255)
    role = models.CharField(max_length=64)
    asked_at = models.DateTimeField()
    granted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["handle", "holder", "external_id", "role"], name="rolegrant_once"
            ),
        ]


class KnownName(models.Model):
    """A project that an identity endpoint listed when it was last asked for all of them.

    For those who hold no credentials: they see which names are taken there, and how old that is.
    `name` is in small letters, as names are compared without case.
    """

    identity = models.ForeignKey(Endpoint, models.CASCADE, related_name="known_names")
    external_id = models.CharField(max_length=255)
    name = models.CharField(max_length=255)
    is_ours = models.BooleanField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["identity", "external_id"], name="knownname_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["name"], name="knownname_name")]
