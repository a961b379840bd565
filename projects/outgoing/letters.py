"""Which notices stand in which letter: gathered by thing, or for the day, by workers.

Nothing of it is in the transaction of an act. Notices are read in (xid, id) order below the
horizon, as events are by webhooks, so that one which is committed late is not missed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from projects.models import Letter, LetterNotice, Notice, Postbox
from projects.queries.events import IsAfter, IsOver, Place
from projects.states import LetterState, MailWay

from .mail_choices import Wanted, next_digest, wanted_by
from .mail_kinds import usual

BATCH = 500
# What is a thread of its own; all else belongs to its project, or its unit.
THINGS = ("request", "delegation", "webhook", "token", "announcement")
# As many notices as people read in one letter; what is more begins another.
MOST_PARTS = 50


def is_mail_on() -> bool:
    """Whether letters leave this site, to a mail server or to a folder."""
    return bool(settings.EMAIL_HOST or settings.MAIL_FOLDER)


def write_letters(now: datetime) -> int:
    """Read on and put notices into letters; how many were read: 0 also while others are at it.

    While the site sends no mail it reads on all the same: nobody is written to about the past.
    """
    with transaction.atomic():
        box = Postbox.objects.select_for_update(no_key=True, skip_locked=True).first()
        if box is None:
            return 0
        found = list(
            Notice.objects.filter(IsOver(F("xid")), IsAfter.of(Place(box.after_xid, box.after_id)))
            .select_related("event", "person")
            .order_by("xid", "pk")[:BATCH]
        )
        if not found:
            return 0
        if is_mail_on():
            _put_into_letters([each for each in found if may_be_written_to(each)], now)
        last = found[-1]
        Postbox.objects.filter(pk=box.pk).update(after_xid=last.xid, after_id=last.pk)
    return len(found)


def may_be_written_to(notice: Notice) -> bool:
    """Whether the person is still there and has an address."""
    return notice.person.is_active and bool(notice.person.mail)


def thread_of(notice: Notice) -> str:
    """What the notice is about: "request-1042", "project-7"; of nothing nameable, itself."""
    event = notice.event
    if event.subject_kind in THINGS and event.subject_id is not None:
        return f"{event.subject_kind}-{event.subject_id}"
    for kind, number in (("project", event.project_id), ("unit", event.unit_id)):
        if number is not None:
            return f"{kind}-{number}"
    return f"notice-{notice.pk}"


def _put_into_letters(notices: list[Notice], now: datetime) -> None:
    people = {each.person_id for each in notices}
    wanted = wanted_by(people)
    open_letters = _Gathering(people, now)
    parts = []
    for each in notices:
        way = wanted[each.person_id].way(each.kind)
        if way != MailWay.OFF:
            letter = open_letters.of(each, way, wanted[each.person_id])
            parts.append(LetterNotice(letter=letter, notice=each))
    open_letters.save()
    # One that stands in a letter stays there: it is told of once.
    LetterNotice.objects.bulk_create(parts, ignore_conflicts=True)


class _Gathering:
    """The letters of some people that still take notices: held until the transaction ends."""

    def __init__(self, people: Iterable[int], now: datetime) -> None:
        self.now = now
        is_untouched = Q(state=LetterState.DUE, try_count=0, lease__isnull=True)
        rows = Letter.objects.filter(
            is_untouched, person__in=list(people), next_try_at__gt=now
        ).select_for_update(no_key=True, skip_locked=True)
        self.letters = {(each.person_id, each.thread): each for each in rows.order_by("pk")}
        self.made: list[Letter] = []
        self.hurried: list[Letter] = []
        counts = LetterNotice.objects.filter(letter__in=[each.pk for each in self.letters.values()])
        self.counts: dict[tuple[int, str], int] = {}
        for letter in counts.values_list("letter__person", "letter__thread"):
            self.counts[letter] = self.counts.get(letter, 0) + 1

    def of(self, notice: Notice, way: str, wanted: Wanted) -> Letter:
        """The letter that the notice stands in."""
        is_digest = way == MailWay.DIGEST
        key = (notice.person_id, "" if is_digest else thread_of(notice))
        letter = self.letters.get(key)
        if letter is None or self.counts.get(key, 0) >= MOST_PARTS:
            letter = self._make(notice, key[1], wanted)
            self.letters[key], self.counts[key] = letter, 0
        self.counts[key] = self.counts.get(key, 0) + 1
        if not is_digest and usual(notice.kind).is_urgent and letter.due_at > self.now:
            letter.due_at = letter.next_try_at = self.now
            self.hurried.append(letter)
        return letter

    def save(self) -> None:
        Letter.objects.bulk_create(self.made)
        rest = [each for each in self.hurried if each not in self.made]
        Letter.objects.bulk_update(rest, ["due_at", "next_try_at"])

    def _make(self, notice: Notice, thread: str, wanted: Wanted) -> Letter:
        due_at = self.now + timedelta(seconds=settings.MAIL_GATHER_SECONDS)
        if not thread:
            due_at = next_digest(notice.person, wanted.hour, self.now)
        letter = Letter(
            person=notice.person, thread=thread, is_digest=not thread, due_at=due_at,
            next_try_at=due_at, created_at=self.now,
        )  # fmt: skip
        self.made.append(letter)
        return letter
