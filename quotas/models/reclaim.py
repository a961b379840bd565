"""Quota that is not used: what was found, and what owners gave back and may take back again."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from projects.models import ProjectAct

from .enforcement import Limit
from .ledger import Account


class UnusedQuota(models.Model):
    """How much of a project's quota its use leaves over, as it was last looked at; base units.

    A hint for lists: `balance` is the quota that it was found on, and once that is another it
    counts no more. `peak` on `peak_on` is the highest use of `limit`, the one that leaves the
    least, on the `day_count` days on which it was seen; `promised` is what the project has of that
    limit in all zones that it counts.
    """

    account = models.OneToOneField(Account, models.CASCADE, related_name="unused")
    balance = models.BigIntegerField()
    amount = models.BigIntegerField()
    limit = models.ForeignKey(Limit, models.PROTECT, related_name="+")
    peak = models.BigIntegerField()
    peak_on = models.DateField()
    promised = models.BigIntegerField(default=0)
    day_count = models.PositiveIntegerField()
    found_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, amount__lte=F("balance")), name="unusedquota_of_quota"
            ),
        ]
        # The most of a resource first.
        indexes: ClassVar = [models.Index(fields=["amount", "id"], name="unusedquota_amount")]


class QuotaReturn(models.Model):
    """What owners gave back of a quota of their own accord; undone at most once, until a moment.

    `home` got what was theirs for good, {loan id: amount} of `loans` went where it was lent
    from; amounts in base units, with their transfers at `act`. `undone_amount` is less than
    the amount where not all was there any more.
    """

    account = models.ForeignKey(Account, models.PROTECT, related_name="returns")
    home = models.ForeignKey(Account, models.PROTECT, related_name="+")
    act = models.OneToOneField(ProjectAct, models.PROTECT, related_name="quota_return")
    amount = models.BigIntegerField()
    loans = models.JSONField(default=dict, blank=True)
    undo_until = models.DateTimeField()
    undone_by = models.OneToOneField(
        ProjectAct, models.PROTECT, null=True, blank=True, related_name="undone_return"
    )
    undone_amount = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="quotareturn_amount_positive"),
            models.CheckConstraint(
                condition=Q(undone_by__isnull=True, undone_amount=0)
                | Q(undone_by__isnull=False, undone_amount__gt=0, undone_amount__lte=F("amount")),
                name="quotareturn_undone_within_amount",
            ),
        ]
