"""What people asked for and what was decided. A request's state is derived from its lines."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from projects.models import Delegation, Project, User
from quotas.states import PENDING, LineState

from .catalogue import Offering
from .enforcement import Target
from .ledger import Account


class QuotaRequest(models.Model):
    """A wish for a project; its id is the number that people call it by."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="quota_requests")
    requester = models.ForeignKey(User, models.PROTECT, related_name="quota_requests")
    # Who wrote it in the requester's name, by the power `ask for others`.
    asked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.TextField(max_length=2000, blank=True)
    # Wanted until the end of this day, site time; null: it stays.
    until_on = models.DateField(null=True, blank=True)
    all_or_nothing = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()
    # When the requester last asked the deciders politely to look.
    nudged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            # What the composite foreign key of lines points at.
            models.UniqueConstraint(fields=["id", "project"], name="quotarequest_id_project"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["project", "-id"]),
            models.Index(fields=["requester", "-id"]),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class RequestLine(models.Model):
    """One offering wanted by a request: `wanted` is the absolute limit in base units."""

    request = models.ForeignKey(QuotaRequest, models.PROTECT, related_name="lines")
    # The request's own project, here for the constraint below (same by a foreign key).
    project = models.ForeignKey(Project, models.PROTECT, related_name="+")
    offering = models.ForeignKey(Offering, models.PROTECT, related_name="request_lines")
    wanted = models.BigIntegerField()
    # The project's quota when the line was last sent or amended.
    balance_seen = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=LineState, default=LineState.DRAFT)
    # How many levels above the nearest deciders it was handed up to, besides these.
    level = models.PositiveSmallIntegerField(default=0)
    # While open: since when, and when deciders are reminded and it goes one level up.
    waits_since = models.DateTimeField(null=True, blank=True)
    remind_at = models.DateTimeField(null=True, blank=True)
    escalate_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["request_id", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=LineState.values), name="requestline_state_known"
            ),
            models.CheckConstraint(
                condition=Q(wanted__gte=0, balance_seen__gte=0), name="requestline_not_negative"
            ),
            models.UniqueConstraint(fields=["request", "offering"], name="requestline_once"),
            models.UniqueConstraint(
                fields=["project", "offering"],
                condition=Q(state__in=PENDING),
                name="requestline_one_pending",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["request"], condition=Q(state=LineState.OPEN), name="requestline_open"
            ),
            models.Index(
                fields=["remind_at"], condition=Q(state=LineState.OPEN), name="requestline_remind"
            ),
            models.Index(
                fields=["escalate_at"],
                condition=Q(state=LineState.OPEN),
                name="requestline_escalate",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.request_id} {self.offering_id}"


class DecisionKind(models.TextChoices):
    APPROVE = "approve", _("approved")
    DECLINE = "decline", _("declined")
    RETURN = "return", _("returned")
    # Says what somebody with too little authority would grant; the line stays open.
    ENDORSE = "endorse", _("endorsed")


class Decision(models.Model):
    """An act of a decider, with the immutable snapshot that proves it was allowed."""

    request = models.ForeignKey(QuotaRequest, models.PROTECT, related_name="decisions")
    kind = models.CharField(max_length=8, choices=DecisionKind)
    # Who acted; null: a policy did, in the name of `person`, whose authority it rests on.
    actor = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="decisions_made"
    )
    person = models.ForeignKey(User, models.PROTECT, related_name="decisions")
    policy_version = models.ForeignKey(
        "PolicyVersion", models.PROTECT, null=True, blank=True, related_name="decisions"
    )
    reason = models.TextField(max_length=2000, blank=True)
    snapshot = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(actor__isnull=False) ^ Q(policy_version__isnull=False),
                name="decision_by_person_or_policy",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["at", "id"], name="decision_by_time")]


class DecisionLine(models.Model):
    """What a decision did with one line, in base units; null `granted`: nothing was."""

    decision = models.ForeignKey(Decision, models.PROTECT, related_name="lines")
    line = models.ForeignKey(RequestLine, models.PROTECT, related_name="decision_lines")
    delegation = models.ForeignKey(Delegation, models.PROTECT, related_name="+")
    source = models.ForeignKey(
        Account, models.PROTECT, null=True, blank=True, related_name="decision_lines"
    )
    before = models.BigIntegerField(null=True, blank=True)
    granted = models.BigIntegerField(null=True, blank=True)
    # What an endorsement recommends: an absolute limit; null where nothing was endorsed.
    endorsed = models.BigIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["decision", "line"], name="decisionline_once"),
            models.CheckConstraint(
                condition=Q(granted__isnull=True)
                | Q(granted__gte=0, before__gte=0, source__isnull=False),
                name="decisionline_grant_complete",
            ),
            models.CheckConstraint(
                condition=Q(endorsed__isnull=True) | Q(endorsed__gte=0, granted__isnull=True),
                name="decisionline_endorses_or_grants",
            ),
        ]


class Delivery(models.Model):
    """A granted line must become true at a target, from the generation it raised on.

    `applied_at` is when that generation was read back; until then nothing is done.
    `left_out_at`: every limit that the line feeds there is left out, so nothing enforces it.
    """

    decision_line = models.ForeignKey(DecisionLine, models.PROTECT, related_name="deliveries")
    target = models.ForeignKey(Target, models.PROTECT, related_name="deliveries")
    generation = models.PositiveBigIntegerField()
    applied_at = models.DateTimeField(null=True, blank=True)
    left_out_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["decision_line", "target"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(applied_at__isnull=True) | Q(left_out_at__isnull=True),
                name="delivery_applied_or_left_out",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["target", "generation"],
                condition=Q(applied_at__isnull=True, left_out_at__isnull=True),
                name="delivery_pending",
            ),
        ]


class Comment(models.Model):
    """What somebody wrote on a request: a question, an answer, a remark."""

    request = models.ForeignKey(QuotaRequest, models.PROTECT, related_name="comments")
    author = models.ForeignKey(User, models.PROTECT, related_name="+")
    text = models.TextField(max_length=2000)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]


class Watcher(models.Model):
    """Somebody who may see a request and wants to be told of what happens to it."""

    request = models.ForeignKey(QuotaRequest, models.PROTECT, related_name="watchers")
    person = models.ForeignKey(User, models.PROTECT, related_name="watches")
    since = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["request", "person"], name="watcher_once"),
        ]
