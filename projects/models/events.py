"""The append-only record of acts. It holds ids and figures, no names or mail addresses.

Triggers refuse UPDATE, DELETE and TRUNCATE (migration `append_only`). `xid` is the
transaction that wrote the row: a feed that reads in (xid, id) order below the horizon
of its snapshot misses nothing.
"""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Func

from .people import User
from .projects import Project
from .units import Unit


class XidField(models.Field):
    """PostgreSQL's 64-bit transaction id, as an integer."""

    # See portal.lib.together: JSON has it as a text.
    is_read_from_json = True

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return self.to_python(value)

    def to_python(self, value: Any) -> int | None:
        return None if value is None else int(value)

    def get_internal_type(self) -> str:
        return "XidField"


class CurrentXid(Func):
    """The id of the transaction in progress, as the server counts; for early migrations."""

    function = "pg_current_xact_id"
    arity = 0
    output_field = XidField()


class RecordXid(Func):
    """The id of the transaction in progress, as the record counts (eras.py)."""

    function = "remit_xid"
    arity = 0
    output_field = XidField()


class Event(models.Model):
    """One act: who did what to which thing, and when. No actor: the system itself."""

    xid = XidField(db_default=RecordXid(), editable=False)
    at = models.DateTimeField()
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="acts")
    # By which token, where a program did it; who did it is the actor.
    token = models.ForeignKey(
        "projects.ApiToken", models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    verb = models.CharField(max_length=40)
    project = models.ForeignKey(
        Project, models.PROTECT, null=True, blank=True, related_name="events"
    )
    unit = models.ForeignKey(Unit, models.PROTECT, null=True, blank=True, related_name="events")
    # Rows of packages above this one are named by kind and id, not by a foreign key.
    subject_kind = models.CharField(max_length=30, blank=True)
    subject_id = models.BigIntegerField(null=True, blank=True)
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["project", "-id"]),
            models.Index(fields=["unit", "-id"]),
            models.Index(fields=["actor", "-id"]),
            models.Index(fields=["subject_kind", "subject_id", "id"], name="event_subject"),
            models.Index(fields=["xid", "id"], name="event_feed"),
            # From a moment to a place in the feed.
            models.Index(fields=["at"], name="event_moment"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject_kind} {self.subject_id}"
