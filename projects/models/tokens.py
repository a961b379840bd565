"""What programs call with: tokens, the service accounts that bear them, and answers kept for them.

A token is no second person. What it does is done by the person who holds it, or who owns its
service account, never beyond what they may do at that moment; scopes, networks and the place
of a service account only narrow that.
"""

import uuid
from typing import ClassVar, cast

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from projects.states import TokenScope

from .people import User
from .projects import Project
from .units import Unit


class ServiceAccount(models.Model):
    """A program that belongs to a project or a unit. Its owner is the person of all it does.

    It acts in its project, or in its unit and what is below, and nowhere else.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100)
    purpose = models.CharField(max_length=500, blank=True)
    owner = models.ForeignKey(User, models.PROTECT, related_name="service_accounts")
    project = models.ForeignKey(
        Project, models.PROTECT, null=True, blank=True, related_name="service_accounts"
    )
    unit = models.ForeignKey(
        Unit, models.PROTECT, null=True, blank=True, related_name="service_accounts"
    )
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(project__isnull=True) ^ Q(unit__isnull=True),
                name="serviceaccount_one_place",
            ),
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=Q(closed_at__isnull=True, project__isnull=False),
                name="serviceaccount_once_in_project",
            ),
            models.UniqueConstraint(
                fields=["unit", "name"],
                condition=Q(closed_at__isnull=True, unit__isnull=False),
                name="serviceaccount_once_in_unit",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> Project | Unit:
        """Where it acts: one of both, by the constraint serviceaccount_one_place."""
        return cast(Project | Unit, self.project or self.unit)

    @property
    def version(self) -> str:
        """What its verbs change of it: whose it is, and whether it is closed."""
        return f"{self.owner.public_id}{'-closed' if self.closed_at else ''}"


class ApiToken(models.Model):
    """A key to the API, shown once: `remit_<public_id>_<secret>`.

    Kept is a digest of the secret, keyed with the pepper that `pepper_id` names, so that the
    table alone opens nothing and peppers can be changed. An empty `networks` allows them all.
    """

    public_id = models.CharField(max_length=16, unique=True)
    digest = models.BinaryField(max_length=32)
    pepper_id = models.CharField(max_length=16)
    name = models.CharField(max_length=100)
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="tokens")
    service_account = models.ForeignKey(
        ServiceAccount, models.PROTECT, null=True, blank=True, related_name="tokens"
    )
    scopes = ArrayField(models.CharField(max_length=20, choices=TokenScope))
    # CIDR, as written by Python's ipaddress: "192.0.2.0/24".
    networks = ArrayField(models.CharField(max_length=49), default=list, blank=True)
    created_at = models.DateTimeField()
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    ends_at = models.DateTimeField()
    # To the minute: not every call is worth a write.
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(service_account__isnull=True),
                name="apitoken_one_bearer",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("created_at")), name="apitoken_period"
            ),
            models.CheckConstraint(condition=Q(scopes__len__gt=0), name="apitoken_has_scopes"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def person(self) -> User:
        """Who acts: the holder, or the owner of the service account."""
        if self.service_account is not None:
            return self.service_account.owner
        return cast(User, self.user)  # held by the constraint apitoken_one_bearer

    @property
    def scope_words(self) -> list[str]:
        """What it may be used for, as people say it."""
        return [str(TokenScope(each).label) for each in self.scopes]

    @property
    def version(self) -> str:
        """What its verbs change of it: until when it is in force, and whether it was ended."""
        return f"{int(self.ends_at.timestamp())}{'-ended' if self.revoked_at else ''}"


class KeptAnswer(models.Model):
    """The answer to a POST that came with an Idempotency-Key, kept to be given again.

    Written in the transaction of what the POST did: there is an answer exactly if there is
    an effect. `bearer` is who may ask for it: "person:12" or "service:3".
    """

    bearer = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    # SHA-256 over method, address and body: the same key with another call is a mistake.
    digest = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    headers = models.JSONField(default=dict)
    body = models.TextField()
    at = models.DateTimeField(db_index=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bearer", "key"], name="keptanswer_once"),
        ]

    def __str__(self) -> str:
        return f"{self.bearer} {self.key}"
