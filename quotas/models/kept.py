"""Limits of projects that are kept as they were found, until somebody says what they are to be."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from quotas.states import KeptWhy

from .enforcement import Limit, Target


class KeptLimit(models.Model):
    """A limit that the import of a cloud found and could not explain by quota.

    It is never written while the row is there, and is drift wherever it differs from what the
    ledger says. The row goes when an answer of the site's file explains it, when somebody has
    it restored, when it is read back as what the ledger says, or with the cloud's project, as
    another is made in its place. `seen` is in base units, −1: unlimited; None
    where the catalogue names it since, and no import has read it yet.
    """

    target = models.ForeignKey(Target, models.CASCADE, related_name="kept_limits")
    limit = models.ForeignKey(Limit, models.PROTECT, related_name="kept")
    why = models.CharField(max_length=12, choices=KeptWhy)
    seen = models.BigIntegerField(null=True)
    kept_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["target", "limit"], name="keptlimit_once"),
            models.CheckConstraint(condition=Q(why__in=KeptWhy.values), name="keptlimit_why_known"),
        ]
