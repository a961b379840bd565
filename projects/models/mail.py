"""Mail: letters made of notices, how each went, and what people want by mail.

A letter is what a person gets in their mailbox: about one thing, or the day's digest. It holds
no words: they are written when it is sent, of what its reader may see then.
"""

import uuid
from typing import ClassVar

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q

from projects.states import LetterState, MailWay

from .outgoing import Notice
from .people import User

OPEN = ("due", "sending")


class Postbox(models.Model):
    """One row: up to which notice letters were written, and how the mail server is.

    Who reads on, and who takes a letter, takes this row first. Failures here are the server's;
    those of one letter are the letter's.
    """

    after_xid = models.BigIntegerField(default=0)
    after_id = models.BigIntegerField(default=0)
    failing_since = models.DateTimeField(null=True, blank=True)
    failure_count = models.PositiveIntegerField(default=0)
    held_until = models.DateTimeField(null=True, blank=True)
    words = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(pk=1), name="postbox_only_one"),
        ]

    def __str__(self) -> str:
        return f"{self.after_xid}.{self.after_id}"


class Letter(models.Model):
    """Notices that one person is told of together, until it was sent or cannot be.

    `due_at`: when it was to be sent first; `next_try_at` moves. A worker takes it by a lease,
    compared by the database's clock. `words`: the last that the mail server said of it.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    person = models.ForeignKey(User, models.PROTECT, related_name="letters")
    # What it is about, "request-1042", so that mails on one thing stand together; digest: "".
    thread = models.CharField(max_length=60, blank=True)
    is_digest = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=LetterState, default=LetterState.DUE)
    due_at = models.DateTimeField()
    next_try_at = models.DateTimeField()
    try_count = models.PositiveIntegerField(default=0)
    lease = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    words = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(state__in=LetterState.values), name="letter_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=OPEN, ended_at__isnull=True)
                | (~Q(state__in=OPEN) & Q(ended_at__isnull=False)),
                name="letter_open_or_ended",
            ),
            models.CheckConstraint(
                condition=~Q(state="sending") | Q(lease__isnull=False, lease_until__isnull=False),
                name="letter_sending_has_lease",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_try_at"], condition=Q(state="due"), name="letter_due"),
            models.Index(fields=["person"], condition=Q(state="due"), name="letter_gathering"),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="letter_sent"),
            models.Index(fields=["state", "-id"], name="letter_log"),
        ]

    def __str__(self) -> str:
        return f"{self.thread or 'digest'} to {self.person_id}"


class LetterNotice(models.Model):
    """A notice is told of in one letter at most: so it is never sent twice."""

    letter = models.ForeignKey(Letter, models.CASCADE, related_name="parts")
    notice = models.OneToOneField(Notice, models.PROTECT, related_name="mailed")

    def __str__(self) -> str:
        return f"{self.letter_id}: {self.notice_id}"


class MailChoice(models.Model):
    """How a person wants notices of a kind by mail; without a row the kind's default holds."""

    person = models.ForeignKey(User, models.CASCADE, related_name="mail_choices")
    kind = models.CharField(max_length=40)
    way = models.CharField(max_length=12, choices=MailWay)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["person", "kind"], name="mailchoice_once"),
            models.CheckConstraint(
                condition=Q(way__in=MailWay.values), name="mailchoice_way_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.kind} {self.way}"


class DigestHour(models.Model):
    """At which hour of their own day a person gets the digest; without a row the site's hour."""

    person = models.OneToOneField(User, models.CASCADE, related_name="digest_hour")
    hour = models.PositiveSmallIntegerField(validators=[MaxValueValidator(23)])

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(hour__lte=23), name="digesthour_of_the_day"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.hour}:00"
