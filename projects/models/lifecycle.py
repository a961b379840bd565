"""The life of a project: what was done, what waits for a yes, what holds its end, who was told.

What somebody wrote stands here and not in events, which hold no free text.
"""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from projects.states import ChangeKind, ChangeState, EndingKind, ProjectActKind, Role

from .delegations import Delegation
from .people import User
from .projects import Project
from .units import Unit


class ProjectAct(models.Model):
    """What somebody, or the calendar (`actor` null), did with a project; append-only.

    `delegation` and `snapshot` prove an act that needed authority, like those of a decision.
    `data` holds ids, days and figures of the act: {"from": …, "to": …}.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="acts")
    kind = models.CharField(max_length=12, choices=ProjectActKind)
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    delegation = models.ForeignKey(
        Delegation, models.PROTECT, null=True, blank=True, related_name="project_acts"
    )
    reason = models.CharField(max_length=500, blank=True)
    data = models.JSONField(default=dict, blank=True)
    snapshot = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind__in=ProjectActKind.values), name="projectact_kind_known"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["project", "-id"], name="projectact_of_project")]


class ProjectChange(models.Model):
    """A change of a project that waits for somebody's yes; one of a kind at a time.

    extend: until another day, decided by who decides projects for its unit. move: into
    `to_unit`, by who decides projects there. hand over: to a new owner, `to_user`, who accepts.
    loan: the quota lent by `loan` (an id; who knows loans knows projects, not the reverse) until
    another day, or with none for good, by who could lend as much; one of each loan at a time.
    `asked_by` null: the site asks, as the owner has left. `expires_at`: then it lapses.
    """

    project = models.ForeignKey(Project, models.PROTECT, related_name="changes")
    kind = models.CharField(max_length=10, choices=ChangeKind)
    state = models.CharField(max_length=10, choices=ChangeState, default=ChangeState.OPEN)
    asked_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="changes_asked"
    )
    to_user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="changes_offered"
    )
    to_unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="+")
    until_on = models.DateField(null=True, blank=True)
    loan = models.BigIntegerField(null=True, blank=True)
    # The role that who offers a project has once it is taken; empty: none.
    then_role = models.CharField(max_length=10, choices=Role, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    answer = models.CharField(max_length=500, blank=True)
    answered_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    answered_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind=ChangeKind.EXTEND, until_on__isnull=False)
                | Q(kind=ChangeKind.MOVE, to_unit__isnull=False)
                | Q(kind=ChangeKind.HAND_OVER, to_user__isnull=False)
                | Q(kind=ChangeKind.LOAN, loan__isnull=False),
                name="projectchange_says_what",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ChangeState.values), name="projectchange_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state=ChangeState.OPEN, answered_at__isnull=True)
                | (~Q(state=ChangeState.OPEN) & Q(answered_at__isnull=False)),
                name="projectchange_answered_when",
            ),
            models.UniqueConstraint(
                fields=["project", "kind"],
                condition=Q(state=ChangeState.OPEN, loan__isnull=True),
                name="projectchange_one_open",
            ),
            models.UniqueConstraint(
                fields=["loan"],
                condition=Q(state=ChangeState.OPEN),
                name="projectchange_one_open_of_loan",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["to_user"],
                condition=Q(state=ChangeState.OPEN),
                name="projectchange_to_user",
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(state=ChangeState.OPEN),
                name="projectchange_expires",
            ),
        ]


class ProjectHold(models.Model):
    """An operator keeps a project from ending, for a reason, until a day or until released."""

    project = models.ForeignKey(Project, models.PROTECT, related_name="holds")
    reason = models.CharField(max_length=500)
    until_on = models.DateField(null=True, blank=True)
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField()
    released_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    released_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["project"], condition=Q(released_at__isnull=True), name="projecthold_once"
            ),
        ]


class EndNotice(models.Model):
    """That people were told of an end so many days before: each once, also after a crash.

    `subject_id` is the project's or the loan's. Another end is told anew.
    """

    subject_kind = models.CharField(max_length=10, choices=EndingKind)
    subject_id = models.BigIntegerField()
    ends_on = models.DateField()
    days_before = models.PositiveSmallIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["subject_kind", "subject_id", "ends_on", "days_before"],
                name="endnotice_once",
            ),
        ]
