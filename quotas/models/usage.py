"""What was used and promised in a unit, day by day: added up once, drawn often."""

from typing import ClassVar

from django.db import models

from projects.models import Unit

from .enforcement import Limit


class UnitUsage(models.Model):
    """The projects of a unit and of all below it, at one limit on one day, in base units.

    `unit` null: the whole site. `used` is the sum of the day's peaks, of `known_count` of
    `project_count` projects: of those that were not seen on the day (`seen_count` were) the
    last peak of some days before counts; of the others nothing is known. `quota` is what the
    ledger promised as the day ended. By the tree as it stood when the day was added up.
    """

    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="usage")
    limit = models.ForeignKey(Limit, models.PROTECT, related_name="+")
    day = models.DateField()
    used = models.BigIntegerField()
    quota = models.BigIntegerField()
    seen_count = models.PositiveIntegerField()
    known_count = models.PositiveIntegerField()
    project_count = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["limit", "unit", "day"],
                nulls_distinct=False,
                name="unitusage_once_a_day",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    seen_count__lte=models.F("known_count"),
                    known_count__lte=models.F("project_count"),
                ),
                name="unitusage_counts_agree",
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["day"], name="unitusage_of_day")]
