"""What people can ask for: regions, zones, resources and their offerings. Data, never code."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from portal.lib.amounts import ACCESS


class Region(models.Model):
    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=100)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["order", "slug"]

    def __str__(self) -> str:
        return self.name


class ZoneKind(models.TextChoices):
    COMPUTE = "compute", _("compute")
    STORAGE = "storage", _("storage")
    NETWORK = "network", _("network")
    OBJECT = "object", _("object")


class Zone(models.Model):
    """A place within a region where resources are had."""

    region = models.ForeignKey(Region, models.PROTECT, related_name="zones")
    slug = models.SlugField(max_length=40)
    name = models.CharField(max_length=100)
    kind = models.CharField(max_length=10, choices=ZoneKind)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["region__order", "region__slug", "order", "slug"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["region", "slug"], name="zone_slug_once"),
            models.CheckConstraint(condition=Q(kind__in=ZoneKind.values), name="zone_kind_known"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> str:
        """With its region, as zones of several regions may have one name."""
        return f"{self.name}, {self.region.name}"


class Resource(models.Model):
    """What is counted. Amounts are integers of `unit` ("" counts, "B" bytes), in `step`s.

    Of an access a project has one or none: it is granted or not. Envelopes and bounds count how
    many projects may have it.
    """

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=100)
    unit = models.CharField(max_length=1, blank=True, choices=[("", _("count")), ("B", _("bytes"))])
    step = models.BigIntegerField(default=1)
    is_access = models.BooleanField(default=False, db_default=False)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["order", "slug"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(step__gte=1), name="resource_step_positive"),
            models.CheckConstraint(
                condition=Q(is_access=False) | Q(unit="", step=1), name="resource_access_is_counted"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def quota_unit(self) -> str:
        """The unit that what a project has of it is written in: an access is granted or not."""
        return ACCESS if self.is_access else self.unit


class Offering(models.Model):
    """A resource in a zone; known everywhere by its slug, "geneva.compute-a.vcpu"."""

    slug = models.CharField(
        max_length=125,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9-]+\.[a-z0-9-]+\.[a-z0-9-]+\Z")],
    )
    zone = models.ForeignKey(Zone, models.PROTECT, related_name="offerings")
    resource = models.ForeignKey(Resource, models.PROTECT, related_name="offerings")
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = [
            "zone__region__order", "zone__region__slug", "zone__order", "zone__slug",
            "resource__order", "resource__slug",
        ]  # fmt: skip
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["zone", "resource"], name="offering_once"),
        ]

    def __str__(self) -> str:
        return self.slug


class Capacity(models.Model):
    """What stood behind an offering on a day: `amount` times `overcommit` can be promised.

    A dated observation; the ledger never depends on it.
    """

    offering = models.ForeignKey(Offering, models.PROTECT, related_name="capacities")
    amount = models.BigIntegerField()
    overcommit = models.DecimalField(max_digits=6, decimal_places=3, default=1)
    as_of = models.DateField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["offering", "as_of"], name="capacity_once_a_day"),
            models.CheckConstraint(
                condition=Q(amount__gte=0, overcommit__gt=0), name="capacity_sane"
            ),
        ]

    @property
    def promisable(self) -> int:
        """How much can be promised in base units, overcommit included."""
        return int(self.amount * self.overcommit)


class Preset(models.Model):
    """A named set of increases that fills the lines of a request."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=100)
    region = models.ForeignKey(Region, models.PROTECT, related_name="presets")
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["order", "slug"]

    def __str__(self) -> str:
        return self.name


class PresetLine(models.Model):
    """By how much a preset raises one offering."""

    preset = models.ForeignKey(Preset, models.CASCADE, related_name="lines")
    offering = models.ForeignKey(Offering, models.PROTECT, related_name="+")
    increase = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["preset", "offering"], name="presetline_once"),
            models.CheckConstraint(condition=Q(increase__gt=0), name="presetline_increases"),
        ]
