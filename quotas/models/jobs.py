"""Long work with progress: what was asked for, item by item, and what became of each."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from projects.models import ApiToken, User
from quotas.states import ItemState, JobState


class Job(models.Model):
    """Work on many things that somebody asked for; its items are done one by one.

    `kind` names the verb, `arguments` are the same for each item. The worker that runs it
    holds it until `held_until`; after a crash another goes on with the items that wait.
    """

    kind = models.CharField(max_length=40)
    actor = models.ForeignKey(User, models.PROTECT, related_name="jobs")
    # By which token, where a program asked for it: the work then stays within what that may do.
    token = models.ForeignKey(
        ApiToken, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    arguments = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=8, choices=JobState, default=JobState.QUEUED)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    holder = models.UUIDField(null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=JobState.values), name="job_state_known"),
            models.CheckConstraint(
                condition=Q(state=JobState.ENDED, ended_at__isnull=False)
                | (~Q(state=JobState.ENDED) & Q(ended_at__isnull=True)),
                name="job_ended_has_time",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["held_until"], condition=~Q(state=JobState.ENDED), name="job_unended"
            ),
        ]


class JobItem(models.Model):
    """One thing of a job; `words` say why it was not done."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="items")
    subject_kind = models.CharField(max_length=40)
    subject_id = models.BigIntegerField()
    state = models.CharField(max_length=8, choices=ItemState, default=ItemState.WAITING)
    words = models.CharField(max_length=1000, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["job", "subject_kind", "subject_id"], name="jobitem_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=ItemState.values), name="jobitem_state_known"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["job", "state"], name="jobitem_by_state")]
