"""What people asked for and what was decided. A request's state is derived from its lines."""

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from projects.models import Delegation, Group, Project, User
from quotas.states import PENDING, LineState

from .catalogue import Offering, Resource, Zone
from .enforcement import Target
from .ledger import Account


class QuotaRequest(models.Model):
    """A wish for a project; its id is the number that people call it by."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="quota_requests")
    requester = models.ForeignKey(User, models.PROTECT, related_name="quota_requests")
    reason = models.TextField(max_length=2000, blank=True)
    # Wanted until the end of this day, site time; null: it stays.
    until_on = models.DateField(null=True, blank=True)
    all_or_nothing = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

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
        ]

    def __str__(self) -> str:
        return f"#{self.request_id} {self.offering_id}"


class DecisionKind(models.TextChoices):
    APPROVE = "approve", _("approved")
    DECLINE = "decline", _("declined")
    RETURN = "return", _("returned")


class Decision(models.Model):
    """An act of a decider, with the immutable snapshot that proves it was allowed."""

    request = models.ForeignKey(QuotaRequest, models.PROTECT, related_name="decisions")
    kind = models.CharField(max_length=8, choices=DecisionKind)
    # Who acted; `person` is whose authority it was (the same until deputies act).
    actor = models.ForeignKey(User, models.PROTECT, related_name="decisions_made")
    person = models.ForeignKey(User, models.PROTECT, related_name="decisions")
    reason = models.TextField(max_length=2000, blank=True)
    snapshot = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]


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

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["decision", "line"], name="decisionline_once"),
            models.CheckConstraint(
                condition=Q(granted__isnull=True)
                | Q(granted__gte=0, before__gte=0, source__isnull=False),
                name="decisionline_grant_complete",
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


class DelegationBound(models.Model):
    """How much a delegation may give: of a resource (null: any) in a zone (null: any).

    Null amounts are without bound. Every row that matches a line must hold, and one must
    match. `per_decision` counts the net increase per project and offering in
    `window_days`; `total` refills every `period_days`, if that is given.
    """

    delegation = models.ForeignKey(Delegation, models.PROTECT, related_name="bounds")
    resource = models.ForeignKey(Resource, models.PROTECT, null=True, blank=True, related_name="+")
    zone = models.ForeignKey(Zone, models.PROTECT, null=True, blank=True, related_name="+")
    per_decision = models.BigIntegerField(null=True, blank=True)
    window_days = models.PositiveSmallIntegerField(default=30)
    total = models.BigIntegerField(null=True, blank=True)
    period_days = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["delegation", "resource", "zone"],
                nulls_distinct=False,
                name="delegationbound_once",
            ),
            models.CheckConstraint(
                condition=(Q(per_decision__isnull=True) | Q(per_decision__gte=0))
                & (Q(total__isnull=True) | Q(total__gte=0)),
                name="delegationbound_not_negative",
            ),
        ]


class Assignment(models.Model):
    """Who can decide which line, by which delegation; groups stay unexpanded."""

    line = models.ForeignKey(RequestLine, models.PROTECT, related_name="assignments")
    delegation = models.ForeignKey(Delegation, models.PROTECT, related_name="assignments")
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    group = models.ForeignKey(Group, models.PROTECT, null=True, blank=True, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["line", "delegation"], name="assignment_once"),
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(group__isnull=True), name="assignment_one_holder"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "line"], name="assignment_of_user"),
            models.Index(fields=["group", "line"], name="assignment_of_group"),
        ]


class Comment(models.Model):
    """What somebody wrote on a request: a question, an answer, a remark."""

    request = models.ForeignKey(QuotaRequest, models.PROTECT, related_name="comments")
    author = models.ForeignKey(User, models.PROTECT, related_name="+")
    text = models.TextField(max_length=2000)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]
