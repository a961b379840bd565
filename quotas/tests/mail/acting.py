"""What tests of mail do: something happens, and workers write to whoever is told of it."""

from datetime import datetime, timedelta

from django.db.models import Count

from projects.actions.mail_choices import set_mail_choices
from projects.models import Event, Letter, LetterNotice, Notice, User
from projects.outgoing.letters import write_letters
from projects.outgoing.notices import tell
from projects.states import LetterState, NoticeKind
from quotas.actions import decide, requests
from quotas.delivery.mail import Postman
from quotas.models import QuotaRequest
from quotas.tests.mail.server import MailServer
from quotas.tests.site import NOW, Site
from quotas.tests.webhooks.acting import ask, grant

__all__ = ["ask", "grant"]

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# After what is gathered is due.
LATER = NOW + 5 * MINUTE


def read_notices(now: datetime) -> None:
    while write_letters(now):
        pass


def post(now: datetime) -> int:
    """What a worker does at a moment: send until nothing is due, or the server is away."""
    count = 0
    with Postman() as postman:
        while postman.send_next(now):
            count += 1
    return count


def write_and_post(now: datetime = LATER) -> int:
    """Read the notices, and send what they make five minutes later."""
    read_notices(now - 5 * MINUTE)
    return post(now)


def say_no(site: Site, asked: QuotaRequest, reason: str = "Not now", now: datetime = NOW) -> None:
    asked.refresh_from_db()
    decide.decline(
        quota_request=asked, line_ids=[asked.lines.get().pk], reason=reason,
        version=asked.version, actor=site.dana, now=now,
    )  # fmt: skip


def comment(asked: QuotaRequest, actor: User, text: str, now: datetime = NOW) -> None:
    requests.comment(quota_request=asked, text=text, actor=actor, now=now)


def remind(asked: QuotaRequest, person: User) -> None:
    """Tell somebody that it waits for them."""
    event = Event.objects.filter(subject_kind="request", subject_id=asked.pk).earliest("pk")
    tell(event, [person.pk], NoticeKind.REMINDED)


def choose(person: User, hour: int | None = None, **ways: str) -> None:
    """ways: decided="digest"."""
    named = {kind.replace("_", " "): way for kind, way in ways.items()}
    set_mail_choices(ways=named, digest_hour=hour, actor=person)


def untold() -> set[tuple[str, str]]:
    """(who, what happened) that stands in no letter yet, of people who can be written to."""
    rows = Notice.objects.filter(person__is_active=True).exclude(person__mail="")
    waiting = rows.exclude(pk__in=LetterNotice.objects.values("notice"))
    return set(waiting.values_list("person__subject", "event__verb"))


def check_letters(server: MailServer) -> None:
    """Nobody was told of anything twice; each letter was sent, and the server got each once."""
    assert untold() == set()
    twice = Notice.objects.values("event", "person").annotate(count=Count("pk"))
    assert not twice.filter(count__gt=1).exists()
    unsent = Letter.objects.exclude(state=LetterState.SENT).order_by("pk")
    told = ("person__subject", "state", "parts__notice__event__verb")
    wrong = list(unsent.values_list(*told))
    assert wrong == [], wrong
    ids = [each.message["Message-ID"] for each in server.letters]
    assert len(set(ids)) == len(ids) == Letter.objects.count()


def states(person: User) -> list[str]:
    """Of the letters of a person, the oldest first."""
    return list(Letter.objects.filter(person=person).order_by("pk").values_list("state", flat=True))


def the_letter() -> Letter:
    return Letter.objects.get()


SENT, DUE = LetterState.SENT, LetterState.DUE
