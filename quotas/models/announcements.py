"""What operators tell the people of projects: the words, to whom, from when, until when."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from projects.models import Event, User
from projects.states import Role
from quotas.states import ANNOUNCED, AnnouncedTo, AnnouncementState

from .catalogue import Zone
from .jobs import Job


class Announcement(models.Model):
    """Words to everybody who has one of `roles` in a project with something in one of `zones`.

    `event` is the act that people are told of, by one notice each, and `job` tells them slice by
    slice; both are there once it is being sent. Who was told is in the notices alone.
    """

    MAX_SUBJECT, MAX_TEXT = 150, 2000

    subject = models.CharField(max_length=MAX_SUBJECT)
    text = models.TextField(max_length=MAX_TEXT)
    zones = models.ManyToManyField(Zone, related_name="+")
    who = models.CharField(max_length=6, choices=AnnouncedTo, default=AnnouncedTo.EITHER)
    roles = ArrayField(models.CharField(max_length=10, choices=Role))
    state = models.CharField(
        max_length=9, choices=AnnouncementState, default=AnnouncementState.DRAFT
    )
    # When it is, or was, to be sent. The banner stands until then; null: there is none.
    starts_at = models.DateTimeField(null=True, blank=True)
    banner_until = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    # Who scheduled it, and in whose name people are told.
    sender = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    event = models.OneToOneField(
        Event, models.PROTECT, null=True, blank=True, related_name="announcement"
    )
    job = models.OneToOneField(
        Job, models.PROTECT, null=True, blank=True, related_name="announcement"
    )
    # How many there were to tell as it began.
    people_count = models.PositiveIntegerField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=AnnouncementState.values), name="announcement_state_known"
            ),
            models.CheckConstraint(
                condition=Q(who__in=AnnouncedTo.values), name="announcement_who_known"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[AnnouncementState.SCHEDULED, *ANNOUNCED])
                | Q(starts_at__isnull=False, sender__isnull=False),
                name="announcement_scheduled_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=ANNOUNCED) | Q(event__isnull=False),
                name="announcement_sent_has_event",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["starts_at"],
                condition=Q(state=AnnouncementState.SCHEDULED),
                name="announcement_due",
            ),
            # Asked by every page: of those whose banner stands there are few, or none.
            models.Index(
                fields=["banner_until"], condition=Q(state__in=ANNOUNCED), name="announcement_live"
            ),
        ]

    def __str__(self) -> str:
        return self.subject
