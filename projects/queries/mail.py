"""How mail is: what waits, what failed and why, for those who operate; and its metrics."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Count, Min, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from prometheus_client.metrics_core import Metric

from portal.lib.metrics import gauge
from projects.models import Letter, Postbox
from projects.states import LetterState

# What somebody may want to look at, or to have sent again.
NOT_WELL = (LetterState.REFUSED, LetterState.GIVEN_UP, LetterState.UNKNOWN)
NUMBERED = {"request": "#%s", "delegation": "D-%s"}


@dataclass(frozen=True)
class MailStanding:
    """Where mail goes, whether the server answers, and letters by state."""

    # "smtp.example.org:587"; "" where there is none.
    server: str
    folder: str
    failing_since: datetime | None
    failure_count: int
    held_until: datetime | None
    # What the server said, or what was said of it, when it last failed.
    words: str
    counts: dict[str, int]
    oldest_due_at: datetime | None
    last_sent_at: datetime | None

    @property
    def is_on(self) -> bool:
        return bool(self.server or self.folder)

    @property
    def due_count(self) -> int:
        return self.counts.get(LetterState.DUE, 0)


def mail_standing(now: datetime) -> MailStanding:
    """Four queries. Of letters that are due, the age counts from when each was to be sent."""
    box = Postbox.objects.get()
    states = Letter.objects.order_by().values_list("state")
    due = Letter.objects.filter(state=LetterState.DUE, due_at__lte=now)
    last = Letter.objects.filter(state=LetterState.SENT).order_by("-pk")
    return MailStanding(
        server=f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}" if settings.EMAIL_HOST else "",
        folder=settings.MAIL_FOLDER,
        failing_since=box.failing_since,
        failure_count=box.failure_count,
        held_until=box.held_until,
        words=box.words,
        counts=dict(states.annotate(Count("pk"))),
        oldest_due_at=due.aggregate(oldest=Min("due_at"))["oldest"],
        last_sent_at=last.values_list("ended_at", flat=True).first(),
    )


def letters_in(states: Iterable[str]) -> QuerySet[Letter]:
    """Letters in these states, the newest first."""
    rows = Letter.objects.filter(state__in=list(states)).select_related("person")
    return rows.order_by("-pk")


def about(letter: Letter) -> str:
    """Return "#1042", "D-7", "unit-3" or "the day's digest"."""
    if letter.is_digest:
        return _("the day’s digest")
    kind, __, number = letter.thread.partition("-")
    return NUMBERED[kind] % number if kind in NUMBERED else letter.thread


def collect_mail() -> Iterable[Metric]:
    """Letters by state, how long the oldest has waited, and whether the server answers."""
    now = timezone.now()
    standing = mail_standing(now)
    yield gauge(
        "remit_letters",
        "Letters by state",
        {(state,): float(standing.counts.get(state, 0)) for state in LetterState.values},
        "state",
    )
    oldest = standing.oldest_due_at
    yield gauge(
        "remit_letter_oldest_due_seconds",
        "For how long the letter that is due for longest has waited",
        {(): (now - oldest).total_seconds() if oldest else 0.0},
    )
    values: dict[tuple[str, ...], float] = {}
    if standing.is_on:
        values = {(): float(standing.failing_since is None)}
    yield gauge("remit_mail_server_up", "0: it did not answer last time; none: no mail", values)
