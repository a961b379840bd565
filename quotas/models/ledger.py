"""The double-entry ledger of promises. Quota is never edited; it moves.

For each offering all balances add up to zero: the site's own account is the negative
of what was issued to the pool, and no other account is ever below zero. Transfers are
immutable (triggers of migration `append_only`), and both of a transfer's accounts are
of its offering (composite foreign keys of migration `one_offering`).
"""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from projects.models import Delegation, Project, ProjectAct, Unit, User

from .catalogue import Offering


class Holder(models.TextChoices):
    SITE = "site", _("site")
    POOL = "pool", _("pool")
    UNIT = "unit", _("unit")
    PROJECT = "project", _("project")


class Account(models.Model):
    """What one holder has of one offering, in base units.

    A unit's account is its envelope and exists by declaration, a zero one too; a
    project's account is its quota. `place` is the unit, or the one that the project is in: triggers
    of migration `account_place` keep it, so that what lies below an envelope is found by it.
    """

    # Looked up with the place.
    offering = models.ForeignKey(Offering, models.PROTECT, related_name="accounts", db_index=False)
    holder = models.CharField(max_length=8, choices=Holder)
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="envelopes")
    project = models.ForeignKey(
        Project, models.PROTECT, null=True, blank=True, related_name="accounts"
    )
    place = models.ForeignKey(
        Unit, models.PROTECT, related_name="+",
        null=True, blank=True, editable=False, db_index=False,
    )  # fmt: skip
    balance = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(holder=Holder.SITE, balance__lte=0)
                | (~Q(holder=Holder.SITE) & Q(balance__gte=0)),
                name="account_not_overdrawn",
            ),
            models.CheckConstraint(
                condition=Q(
                    holder__in=[Holder.SITE, Holder.POOL], unit__isnull=True, project__isnull=True
                )
                | Q(holder=Holder.UNIT, unit__isnull=False, project__isnull=True)
                | Q(holder=Holder.PROJECT, unit__isnull=True, project__isnull=False),
                name="account_one_holder",
            ),
            models.UniqueConstraint(
                fields=["offering", "holder"],
                condition=Q(holder__in=[Holder.SITE, Holder.POOL]),
                name="account_site_pool_once",
            ),
            models.UniqueConstraint(
                fields=["offering", "unit"],
                condition=Q(unit__isnull=False),
                name="account_envelope_once",
            ),
            models.UniqueConstraint(
                fields=["project", "offering"],
                condition=Q(project__isnull=False),
                name="account_quota_once",
            ),
            # What the composite foreign keys of transfers point at.
            models.UniqueConstraint(fields=["id", "offering"], name="account_id_offering"),
            models.CheckConstraint(
                condition=Q(unit=None, project=None, place=None)
                | Q(unit__isnull=False, place__isnull=False, unit=F("place"))
                | Q(project__isnull=False, place__isnull=False),
                name="account_has_its_place",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["offering", "place"], name="account_in_place")]

    def __str__(self) -> str:
        owner = self.project or self.unit or self.holder
        return f"{owner} {self.offering.slug}"


class TransferKind(models.TextChoices):
    ISSUE = "issue", _("issued to the pool")
    FUND = "fund", _("funded")
    TAKE_BACK = "take back", _("taken back")
    SWEEP = "sweep", _("swept up")
    GRANT = "grant", pgettext_lazy("quota", "granted")
    RETURN = "return", pgettext_lazy("quota", "returned")
    LOAN = "loan", _("lent")
    REPAY = "repay", _("loan paid back")


class Transfer(models.Model):
    """An immutable movement of a positive amount from `debit` to `credit`."""

    offering = models.ForeignKey(Offering, models.PROTECT, related_name="transfers")
    debit = models.ForeignKey(Account, models.PROTECT, related_name="debits")
    credit = models.ForeignKey(Account, models.PROTECT, related_name="credits")
    amount = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=TransferKind)
    decision_line = models.ForeignKey(
        "DecisionLine", models.PROTECT, null=True, blank=True, related_name="transfers"
    )
    envelope_act = models.ForeignKey(
        "EnvelopeAct", models.PROTECT, null=True, blank=True, related_name="transfers"
    )
    project_act = models.ForeignKey(
        ProjectAct, models.PROTECT, null=True, blank=True, related_name="transfers"
    )
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    note = models.CharField(max_length=500, blank=True)
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_amount_positive"),
            models.CheckConstraint(
                condition=~Q(debit=F("credit")), name="transfer_between_two_accounts"
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["debit", "at"]),
            models.Index(fields=["credit", "at"]),
        ]

    def __str__(self) -> str:
        return f"{self.amount} from {self.debit_id} to {self.credit_id}"


class EnvelopeActKind(models.TextChoices):
    DECLARE = "declare", _("declared")
    FUND = "fund", _("funded")
    TAKE_BACK = "take back", _("taken back")
    SWEEP = "sweep", _("swept up")


class EnvelopeAct(models.Model):
    """Somebody declared, funded or took back from an envelope, with the proof; append-only.

    `amount` in base units, zero where only declared. No delegation: the operator's command.
    `delegation` and `snapshot` prove it like those of a decision.
    """

    kind = models.CharField(max_length=10, choices=EnvelopeActKind)
    unit = models.ForeignKey(Unit, models.PROTECT, related_name="envelope_acts")
    offering = models.ForeignKey(Offering, models.PROTECT, related_name="+")
    amount = models.BigIntegerField(default=0)
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    delegation = models.ForeignKey(
        Delegation, models.PROTECT, null=True, blank=True, related_name="envelope_acts"
    )
    reason = models.CharField(max_length=500, blank=True)
    snapshot = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["at", "id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(kind__in=EnvelopeActKind.values), name="envelopeact_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(amount__gte=0), name="envelopeact_amount_not_negative"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["unit", "-id"], name="envelopeact_of_unit")]


class Loan(models.Model):
    """Quota given to a project until a moment; `outstanding` of it is still there."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="loans")
    source = models.ForeignKey(Account, models.PROTECT, related_name="loans_given")
    transfer = models.OneToOneField(Transfer, models.PROTECT, related_name="loan")
    amount = models.BigIntegerField()
    outstanding = models.BigIntegerField()
    ends_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, outstanding__gte=0, outstanding__lte=F("amount")),
                name="loan_outstanding_within_amount",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["account", "ends_at"], condition=Q(outstanding__gt=0), name="loan_open"
            ),
            # What the calendar looks at.
            models.Index(fields=["ends_at"], condition=Q(outstanding__gt=0), name="loan_ends"),
        ]
