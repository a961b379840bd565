"""How much all workers together may ask of an endpoint: slots for calls, and a pace."""

from typing import ClassVar

from django.db import models

from .enforcement import Endpoint


class CallSlot(models.Model):
    """The right to have one call under way at an endpoint, until a moment at the latest.

    As many rows as the endpoint's concurrency; a free one has no holder. A holder that died
    blocks its slot until `held_until`, by when its call has certainly ended.
    """

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="call_slots")
    number = models.PositiveSmallIntegerField()
    holder = models.UUIDField(null=True, blank=True)
    held_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["endpoint", "number"], name="callslot_once"),
            models.CheckConstraint(
                condition=models.Q(holder__isnull=True, held_until__isnull=True)
                | models.Q(holder__isnull=False, held_until__isnull=False),
                name="callslot_held_has_end",
            ),
        ]


class CallPace(models.Model):
    """When the next call to an endpoint may begin, for those with a limit per second.

    Beside the endpoint's own row, which must not be written with each call.
    """

    endpoint = models.OneToOneField(
        Endpoint, models.CASCADE, primary_key=True, related_name="call_pace"
    )
    next_at = models.DateTimeField()
