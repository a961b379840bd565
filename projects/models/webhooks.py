"""Webhooks: who is told of events by a call to an address of theirs, and how that went."""

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from projects.states import CallState, WebhookState

from .events import Event
from .people import User
from .projects import Project
from .units import Unit


class Webhook(models.Model):
    """An address that is called with events: those of a project, of a unit, or a person's own.

    It is told what its owner may see at that moment, of the kinds in `verbs` (none: all).
    (after_xid, after_id): the event up to which calls were written, as a reader of the feed.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100)
    url = models.CharField(max_length=500)
    owner = models.ForeignKey(User, models.PROTECT, related_name="webhooks")
    project = models.ForeignKey(
        Project, models.PROTECT, null=True, blank=True, related_name="webhooks"
    )
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="webhooks")
    verbs = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    state = models.CharField(max_length=12, choices=WebhookState, default=WebhookState.ON)
    state_why = models.CharField(max_length=300, blank=True)
    # Encrypted with a key of the site; the older one signs too until its end.
    secret = models.BinaryField(max_length=300)
    old_secret = models.BinaryField(max_length=300, null=True, blank=True)
    old_secret_until = models.DateTimeField(null=True, blank=True)
    # Since the last call that was taken: how often it failed, and when it may be called again.
    failing_since = models.DateTimeField(null=True, blank=True)
    failure_count = models.PositiveIntegerField(default=0)
    held_until = models.DateTimeField(null=True, blank=True)
    # By whom it was not called for longest goes next.
    called_at = models.DateTimeField(null=True, blank=True)
    after_xid = models.BigIntegerField()
    after_id = models.BigIntegerField()
    created_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(project__isnull=True) | Q(unit__isnull=True),
                name="webhook_one_place_at_most",
            ),
            models.CheckConstraint(
                condition=Q(old_secret__isnull=True, old_secret_until__isnull=True)
                | Q(old_secret__isnull=False, old_secret_until__isnull=False),
                name="webhook_old_secret_ends",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["id"], condition=Q(state="on", deleted_at__isnull=True), name="webhook_on"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WebhookCall(models.Model):
    """One event that a webhook is told of, until it was taken or given up; none: a test.

    A worker takes it by a lease, compared by the database's clock, as deliveries are.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    webhook = models.ForeignKey(Webhook, models.PROTECT, related_name="calls")
    event = models.ForeignKey(Event, models.PROTECT, null=True, blank=True, related_name="calls")
    state = models.CharField(max_length=12, choices=CallState, default=CallState.DUE)
    attempts = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["webhook", "event"], name="webhookcall_once"),
            models.CheckConstraint(
                condition=Q(state="due", ended_at__isnull=True)
                | (~Q(state="due") & Q(ended_at__isnull=False, lease__isnull=True)),
                name="webhookcall_due_or_ended",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["webhook", "due_at"], condition=Q(state="due"), name="webhookcall_due"
            ),
            models.Index(fields=["webhook", "-id"], name="webhookcall_log"),
            models.Index(
                fields=["ended_at"], condition=Q(ended_at__isnull=False), name="webhookcall_ended"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.webhook_id}: {self.event_id or 'test'}"

    @property
    def message_id(self) -> str:
        """What receivers know it by: the same at each try."""
        return f"msg_{self.public_id.hex}"


class WebhookAttempt(models.Model):
    """One try of a call: what the receiver answered, or why nothing was sent."""

    call = models.ForeignKey(WebhookCall, models.CASCADE, related_name="tries")
    at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    words = models.CharField(max_length=300, blank=True)
    took_ms = models.PositiveIntegerField()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["call", "id"], name="webhookattempt_log")]

    def __str__(self) -> str:
        return f"{self.call_id}: {self.status or self.words}"
