"""People and groups: who somebody is, never what they may do.

A person is known by (issuer, subject) and a group by (issuer, external id), never by
a mail address or a name; neither is ever deleted, names and mail can be erased.
"""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.utils.crypto import salted_hmac

if TYPE_CHECKING:
    from .tokens import ApiToken

LOCAL_ISSUER = "local"


class UserManager(BaseUserManager["User"]):
    """Finds a person by what an identity provider calls them."""

    def local(self, subject: str) -> "User":
        """The local account of that name; raises DoesNotExist."""
        return self.get(issuer=LOCAL_ISSUER, subject=subject)


class User(AbstractBaseUser):
    """A person. `is_operator` runs the cloud and decides no quota."""

    # The token by which they act in this call, if they do; the record of acts tells of it.
    token: "ApiToken | None" = None

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    issuer = models.CharField(max_length=200, default=LOCAL_ISSUER)
    subject = models.CharField(max_length=200)
    name = models.CharField(max_length=200, blank=True)
    mail = models.CharField(max_length=254, blank=True)
    language = models.CharField(max_length=8, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    is_operator = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(auto_now_add=True)
    # As the directory says: to whom they report, when it last listed them, since when it does
    # not any more (they left; nothing that they did is forgotten).
    supervisor = models.ForeignKey("self", models.PROTECT, null=True, blank=True, related_name="+")
    listed_at = models.DateTimeField(null=True, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)
    # Sessions from before are over.
    signed_out_at = models.DateTimeField(null=True, blank=True)

    # Unique together with the issuer; the sign-in backend asks for local accounts only.
    USERNAME_FIELD = "subject"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="user_known_by_subject"),
            # Whoever left signs in no more, whatever else is written of them.
            models.CheckConstraint(
                condition=Q(left_at__isnull=True) | Q(is_active=False), name="user_left_is_closed"
            ),
        ]
        indexes: ClassVar = [
            GinIndex(SearchVector("name", "subject", config="simple"), name="user_search"),
        ]

    def __str__(self) -> str:
        return self.name or self.subject

    @property
    def is_here(self) -> bool:
        """Whether somebody who has not left uses the account: who can be given anything."""
        return self.is_active and self.left_at is None

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What each session is compared with: Django's own, and the moment that ended them."""
        own = str(super()._get_session_auth_hash(secret=secret))  # type: ignore[misc]  # in no stub
        if self.signed_out_at is None:
            return own
        salt = f"projects.models.User.signed_out_at {self.signed_out_at.isoformat()}"
        return salted_hmac(salt, own, secret=secret, algorithm="sha256").hexdigest()


class Group(models.Model):
    """A group of an identity provider."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    issuer = models.CharField(max_length=200, default=LOCAL_ISSUER)
    external_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    # When the directory last listed it, and since when it does not any more.
    listed_at = models.DateTimeField(null=True, blank=True)
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "external_id"], name="group_known_by_id"),
        ]

    def __str__(self) -> str:
        return self.name


class PeriodQuerySet(models.QuerySet[Any]):
    """Rows that hold from `starts_at` until just before `ends_at` (null: without end)."""

    def live(self, now: datetime) -> "PeriodQuerySet":
        """The rows in force at `now`."""
        return self.filter(in_force(now))


def in_force(now: datetime, prefix: str = "") -> Q:
    """The condition that a half-open period contains `now`."""
    begun = Q(**{f"{prefix}starts_at__lte": now})
    not_over = Q(**{f"{prefix}ends_at__isnull": True}) | Q(**{f"{prefix}ends_at__gt": now})
    return begun & not_over


def period_constraint(name: str) -> models.CheckConstraint:
    """A period ends after it starts, or not at all."""
    return models.CheckConstraint(
        condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")), name=name
    )


class GroupMembership(models.Model):
    """Who was in which group, and when."""

    group = models.ForeignKey(Group, models.PROTECT, related_name="memberships")
    user = models.ForeignKey(User, models.PROTECT, related_name="group_memberships")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    objects = PeriodQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            period_constraint("groupmembership_period"),
            models.UniqueConstraint(
                fields=["group", "user"],
                condition=Q(ends_at__isnull=True),
                name="groupmembership_once",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["user", "group"])]
