"""Who sends which letter next, and what becomes of it: leases, back-off, at most once.

A letter is `sending` from right before its last byte until the server's answer is written; one
that is found so after its lease was perhaps sent, and is never sent again. Before that moment
nothing was accepted, so whatever fails is tried again. Leases are compared by the database's
clock; no transaction is open while somebody talks to the server.
"""

import random
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from projects.models import Letter, Postbox
from projects.states import LetterState

from .letters import is_mail_on

# After the first failure of a letter, the second, …; the last one until it is given up.
BACK_OFF_SECONDS = (60, 300, 900, 3_600, 7_200, 14_400)
# For how long a server that does not answer is left alone: doubled from the first to the last.
HOLD_SECONDS, MOST_HOLD_SECONDS = 5, 300
# A conversation has some steps, each with its timeout; and then there is our own work.
STEPS, LEASE_SLACK_SECONDS = 6, 30
MOST_WORDS = 300

LOST = gettext_noop("The worker was lost before the server's answer.")
TOO_OLD = gettext_noop("It could not be sent for too long.")
NO_ADDRESS = gettext_noop("This is no address of mail.")
NOT_WRITTEN = gettext_noop("It could not be written; see the log of the worker.")
# What is said by us and not by the server: pages say it in the reader's language.
OURS = (LOST, TOO_OLD, NO_ADDRESS, NOT_WRITTEN)


@dataclass(frozen=True)
class Taken:
    """A letter that this worker holds."""

    letter: Letter
    token: uuid.UUID


def due_letters(now: datetime) -> QuerySet[Letter]:
    """Letters that are due and that no live worker holds."""
    return _free().filter(next_try_at__lte=now)


def _free() -> QuerySet[Letter]:
    is_free = Q(lease_until__isnull=True) | Q(lease_until__lte=Now())
    return Letter.objects.filter(is_free, state=LetterState.DUE)


def may_send(now: datetime) -> bool:
    """Whether something is due, and the server is there and not left alone."""
    if not is_mail_on():
        return False
    held = Postbox.objects.filter(held_until__gt=now)
    return due_letters(now).exists() and not held.exists()


def take(now: datetime) -> Taken | None:
    """The letter that is due for longest; None: nothing is due, or others are at it.

    While the server fails one letter at a time is tried, by whoever comes first.
    """
    with transaction.atomic():
        box = Postbox.objects.select_for_update(no_key=True, skip_locked=True).first()
        if box is None or (box.held_until is not None and box.held_until > now):
            return None
        held = Letter.objects.filter(
            state__in=(LetterState.DUE, LetterState.SENDING), lease_until__gt=Now()
        )
        if held.count() >= (1 if box.failure_count else settings.MAIL_CONNECTIONS):
            return None
        letter = due_letters(now).select_related("person").order_by("next_try_at", "pk").first()
        if letter is None:
            return None
        token = uuid.uuid4()
        seconds = STEPS * settings.EMAIL_TIMEOUT + LEASE_SLACK_SECONDS
        Letter.objects.filter(pk=letter.pk).update(
            lease=token, lease_until=Now() + timedelta(seconds=seconds)
        )
    return Taken(letter, token)


def begin(taken: Taken) -> bool:
    """From here on it is perhaps sent: right before its end. False: the lease was lost."""
    seconds = settings.MAIL_ANSWER_SECONDS + LEASE_SLACK_SECONDS
    return bool(
        _held(taken, LetterState.DUE)
        .filter(lease_until__gt=Now())
        .update(state=LetterState.SENDING, lease_until=Now() + timedelta(seconds=seconds))
    )


def was_sent(taken: Taken, words: str, now: datetime) -> bool:
    """The server took it; also when it said so after we had stopped waiting."""
    answers_well(now)
    return _end(taken, LetterState.SENT, words, now, LetterState.SENDING, LetterState.UNKNOWN)


def was_refused(taken: Taken, words: str, now: datetime) -> bool:
    """The server said no, for good."""
    return _end(taken, LetterState.REFUSED, words, now)


def is_unknown(taken: Taken, words: str, now: datetime) -> bool:
    """The connection was lost between the end of the data and the answer."""
    return _end(taken, LetterState.UNKNOWN, words, now, LetterState.SENDING)


def withhold(taken: Taken, now: datetime) -> bool:
    """Nothing is left to tell: it is never sent."""
    return _end(taken, LetterState.WITHHELD, "", now, LetterState.DUE)


def try_later(taken: Taken, words: str, now: datetime) -> bool:
    """It was certainly not taken; after a while it is tried again."""
    place = min(taken.letter.try_count, len(BACK_OFF_SECONDS) - 1)
    later = now + timedelta(seconds=_jittered(BACK_OFF_SECONDS[place]))
    return bool(
        _held(taken, LetterState.DUE, LetterState.SENDING).update(
            state=LetterState.DUE, try_count=F("try_count") + 1, next_try_at=later,
            words=words[:MOST_WORDS], lease=None, lease_until=None,
        )
    )  # fmt: skip


def put_back(taken: Taken, words: str, now: datetime) -> None:
    """The server is away, which is no fault of the letter's: it keeps its turn."""
    with transaction.atomic():
        box = Postbox.objects.select_for_update(no_key=True).get()
        _held(taken, LetterState.DUE).update(lease=None, lease_until=None)
        hold = min(HOLD_SECONDS * 2 ** min(box.failure_count, 10), MOST_HOLD_SECONDS)
        box.failing_since = box.failing_since or now
        box.failure_count += 1
        box.held_until = now + timedelta(seconds=_jittered(hold))
        box.words = words[:MOST_WORDS]
        box.save(update_fields=["failing_since", "failure_count", "held_until", "words"])


def answers_well(now: datetime) -> None:
    """The server is there: whoever comes next need not wait."""
    Postbox.objects.filter(Q(failure_count__gt=0) | Q(held_until__gt=now)).update(
        failing_since=None, failure_count=0, held_until=None
    )


def find_lost(now: datetime) -> int:
    """What a lost worker was sending was perhaps sent. Its lease stays: a late answer may come."""
    return Letter.objects.filter(state=LetterState.SENDING, lease_until__lte=Now()).update(
        state=LetterState.UNKNOWN, words=LOST, ended_at=now
    )


def give_up(now: datetime) -> int:
    """End what could not be sent for days."""
    before = now - timedelta(days=settings.MAIL_GIVE_UP_DAYS)
    ids = list(_free().filter(due_at__lte=before).values_list("pk", flat=True)[:5_000])
    late = Letter.objects.filter(pk__in=ids, state=LetterState.DUE)
    last = Case(When(words="", then=Value(TOO_OLD)), default=F("words"))
    return late.update(
        state=LetterState.GIVEN_UP, words=last, ended_at=now, lease=None, lease_until=None
    )


def clean(now: datetime) -> int:
    """Forget letters that ended long ago; the notices remain. How many."""
    before = now - timedelta(days=settings.MAIL_LOG_DAYS)
    ids = list(Letter.objects.filter(ended_at__lte=before).values_list("pk", flat=True)[:5_000])
    Letter.objects.filter(pk__in=ids).delete()
    return len(ids)


def _held(taken: Taken, *states: LetterState) -> QuerySet[Letter]:
    return Letter.objects.filter(pk=taken.letter.pk, lease=taken.token, state__in=states)


def _end(
    taken: Taken, state: LetterState, words: str, now: datetime, *from_states: LetterState
) -> bool:
    old = from_states or (LetterState.DUE, LetterState.SENDING)
    return bool(
        _held(taken, *old).update(
            state=state, words=words[:MOST_WORDS], ended_at=now, lease_until=None
        )
    )


def _jittered(seconds: float) -> float:
    """Spread over a fifth, so that what failed together does not come back together."""
    return seconds * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
