"""The outbox: what somebody should be told of an act. Pages, mail and webhooks read it."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from .events import Event, RecordXid, XidField
from .people import User


class Notice(models.Model):
    """One person is told of one event, once. `kind` says why: it is theirs to do, or to know.

    Written in the transaction of the act. `xid` is for readers in (xid, id) order, as of events.
    """

    xid = XidField(db_default=RecordXid(), editable=False)
    event = models.ForeignKey(Event, models.PROTECT, related_name="notices")
    person = models.ForeignKey(User, models.PROTECT, related_name="notices")
    kind = models.CharField(max_length=40)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "person"], name="notice_once"),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["person", "-id"], condition=Q(read_at__isnull=True), name="notice_unread"
            ),
            models.Index(fields=["person", "-id"], name="notice_of_person"),
            models.Index(fields=["xid", "id"], name="notice_feed"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.person_id}"
