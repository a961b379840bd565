"""How much a delegation may give, what of it is consumed, and whom a line waits for."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from projects.models import Delegation, Group, Project, Unit, User
from projects.states import Power
from quotas.states import AssignmentKind

from .catalogue import Resource, Zone
from .requests import RequestLine


class DelegationBound(models.Model):
    """How much a delegation may give: of a resource (null: any) in a zone (null: any).

    Null amounts are without bound. Every row that matches a line must hold, and one must
    match. `per_decision` counts the net increase per project and offering in
    `window_days`; `total`, of one resource, refills every `period_days` from the start of
    the delegation, if that is given.
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
            models.CheckConstraint(
                condition=Q(total__isnull=True) | Q(resource__isnull=False),
                name="delegationbound_total_of_one_resource",
            ),
            models.CheckConstraint(
                condition=Q(window_days__gte=1)
                & (Q(period_days__isnull=True) | Q(period_days__gte=1, total__isnull=False)),
                name="delegationbound_days_sane",
            ),
        ]


class BoundUse(models.Model):
    """How much of a bound's total is consumed in one of its periods, in base units.

    Whoever decides by the delegation, or by one below it, adds to the row under its lock.
    Deciding and funding are counted apart. `most` repeats the bound's immutable total, so
    that the database itself refuses what goes beyond.
    """

    bound = models.ForeignKey(DelegationBound, models.PROTECT, related_name="uses")
    power = models.CharField(max_length=30, choices=Power)
    # 0 is the period that begins with the delegation; without a period there is no other.
    period = models.PositiveIntegerField(default=0)
    most = models.BigIntegerField()
    used = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["bound", "power", "period"], name="bounduse_once"),
            models.CheckConstraint(
                condition=Q(used__gte=0, used__lte=F("most")), name="bounduse_within_total"
            ),
        ]


# What a walk along a queue goes by besides: the table itself is not looked at.
ALONG = ("line", "delegation", "kind", "starts_at", "ends_at")


class Assignment(models.Model):
    """Who can decide which line, by which delegation; groups stay unexpanded.

    Who has too little authority is asked to endorse it. `level` 0 is the nearest. `asked_number`
    and `asked_at` are the request's number and the moment of its sending, which a queue is in
    the order of: while the line is open, and null else. Triggers write them (migration
    `waiting_along`), and routing forgets them where it ends an assignment.
    """

    # Each has an index below that begins with it.
    line = models.ForeignKey(
        RequestLine, models.PROTECT, related_name="assignments", db_index=False
    )
    delegation = models.ForeignKey(
        Delegation, models.PROTECT, related_name="assignments", db_index=False
    )
    user = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    group = models.ForeignKey(
        Group, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    kind = models.CharField(max_length=8, choices=AssignmentKind, default=AssignmentKind.DECIDE)
    level = models.PositiveSmallIntegerField(default=0)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField(null=True, blank=True)
    asked_number = models.BigIntegerField(null=True, blank=True, editable=False)
    asked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["line", "delegation"], name="assignment_once"),
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(group__isnull=True), name="assignment_one_holder"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=AssignmentKind.values), name="assignment_kind_known"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["user", "line"], name="assignment_of_user"),
            models.Index(fields=["group", "line"], name="assignment_of_group"),
            models.Index(fields=["delegation"], name="assignment_by_delegation"),
            # What waits for somebody, in the order of a queue and by number, so that who wants a
            # page reads no further than that.
            *(
                models.Index(
                    fields=[holder, *order], include=ALONG, name=f"assignment_{name}_{holder}",
                    condition=Q(asked_number__isnull=False, **{f"{holder}__isnull": False}),
                )
                for name, order in (
                    ("waits", ("asked_at", "asked_number")), ("numbers", ("asked_number",)),
                )
                for holder in ("user", "group")
            ),
        ]  # fmt: skip


class RouteMark(models.Model):
    """Whatever is open in a project, or below a unit, is to be routed anew.

    One row, however many requests there are: who changes an authority locks none of them.
    `due_at` lies ahead where an authority begins or ends by its dates. `after_id` is the last
    request that was routed; the row goes with the last one.
    """

    unit = models.ForeignKey(Unit, models.CASCADE, null=True, blank=True, related_name="+")
    project = models.ForeignKey(Project, models.CASCADE, null=True, blank=True, related_name="+")
    after_id = models.BigIntegerField(default=0)
    due_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(unit__isnull=True) ^ Q(project__isnull=True), name="routemark_one_place"
            ),
        ]
