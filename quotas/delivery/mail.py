"""A letter from its lease to what became of it: written in its reader's language, and sent.

By workers alone. What it tells is asked again as it is written; nothing left: it is withheld.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime, parseaddr
from types import TracebackType
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from portal.lib.moments import zone_of
from portal.lib.plain import one_line
from projects.models import Letter, User
from projects.outgoing import posting
from projects.outgoing.mail_choices import wanted_by
from projects.outgoing.mail_kinds import usual
from projects.outgoing.smtp import Answer, Away, Fate, Way, open_way
from projects.outgoing.stopping import stop_url
from projects.queries.viewers import Viewer
from quotas.queries.letter_words import Part, parts_of, subject_of

logger = logging.getLogger(__name__)


class _AsItIs(UnstructuredHeader, BaseHeader):
    """A header of addresses and ids: where one is longer than a line it must not be encoded."""

    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
for _name in ("list-unsubscribe", "references", "in-reply-to"):
    _HEADERS.map_to_type(_name, _AsItIs)
# Of 78 characters, without the header's name, quotation marks and brackets.
HEADER_LINE = 68
# Folded for servers, with line ends as they want them.
POLICY = SMTP.clone(header_factory=_HEADERS)


class Postman(AbstractContextManager["Postman"]):
    """Sends letters by one connection, which is opened for the first and closed at the end."""

    def __init__(self) -> None:
        self._way: Way | None = None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._way is not None:
            self._way.close()

    def send_next(self, now: datetime) -> bool:
        """Send the letter that is next; False: there is none, or the server is away."""
        taken = posting.take(now)
        if taken is None:
            return False
        person = taken.letter.person
        if person.mail and not _is_address(person.mail):
            posting.was_refused(taken, posting.NO_ADDRESS, now)
            return True
        try:
            message = written(taken.letter, now)
        except Exception:
            # A fault of ours, which must not hold up the letters behind it.
            logger.exception("a letter could not be written", extra={"letter": taken.letter.pk})
            posting.try_later(taken, posting.NOT_WRITTEN, now)
            return True
        if message is None:
            posting.withhold(taken, now)
            return True
        try:
            self._way = self._way or open_way()
            answer = self._way.send(message, person.mail, lambda: posting.begin(taken))
        except Away as away:
            posting.put_back(taken, str(away), now)
            logger.warning("the mail server is away", extra={"error": str(away)})
            return False
        _note(taken, answer, timezone.now() if answer.fate is Fate.SENT else now)
        return True


def _note(taken: posting.Taken, answer: Answer, now: datetime) -> None:
    if answer.fate is Fate.SENT:
        posting.was_sent(taken, answer.words, now)
    elif answer.fate is Fate.REFUSED:
        posting.was_refused(taken, answer.words, now)
    elif answer.fate is Fate.LATER:
        posting.try_later(taken, answer.words, now)
    elif answer.fate is Fate.UNKNOWN:
        posting.is_unknown(taken, answer.words, now)


def written(letter: Letter, now: datetime) -> EmailMessage | None:
    """The letter in its reader's language and time zone; None: nothing is left to tell."""
    person = letter.person
    if not person.is_active or not person.mail:
        return None
    language = person.language if person.language in dict(settings.LANGUAGES) else ""
    with (
        translation.override(language or settings.LANGUAGE_CODE),
        timezone.override(zone_of(person.time_zone)),
    ):
        wanted = wanted_by([person.pk])[person.pk]
        parts = parts_of(letter, Viewer.of(person, now), wanted)
        return _message(letter, parts, now) if parts else None


def _message(letter: Letter, parts: Sequence[Part], now: datetime) -> EmailMessage:
    person = letter.person
    kinds = sorted({each.kind for each in parts})
    stop = stop_url(person, kinds)
    context = {
        "subject": subject_of(parts, is_digest=letter.is_digest),
        "parts": parts,
        "is_digest": letter.is_digest,
        "person": one_line(str(person), 100),
        "language": translation.get_language(),
        "kinds": "; ".join(str(usual(each).words) for each in kinds),
        "stop_url": stop,
        "choices_url": settings.SITE_URL + reverse("mail_choices"),
        "site_url": settings.SITE_URL,
    }
    message = EmailMessage(policy=POLICY)
    _head(message, letter, str(context["subject"]), now)
    message["List-Unsubscribe"] = f"<{stop}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    # Seven bits, so that any server takes it as it is.
    text, html = (render_to_string(f"mail/letter.{each}", context) for each in ("txt", "html"))
    message.set_content(text.strip() + "\n", cte="quoted-printable")
    message.add_alternative(html.strip() + "\n", subtype="html", cte="quoted-printable")
    return message


def _head(message: EmailMessage, letter: Letter, subject: str, now: datetime) -> None:
    host = urlsplit(settings.SITE_URL).hostname
    name, sender = parseaddr(settings.DEFAULT_FROM_EMAIL)
    message["Subject"] = subject
    message["From"] = Address(display_name=name or "Remit", addr_spec=sender)
    message["To"] = _address_of(letter.person)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{letter.public_id.hex}@{host}>"
    # No machine answers to it, and none that writes "I am away" does.
    message["Auto-Submitted"] = "auto-generated"
    message["X-Auto-Response-Suppress"] = "All"
    if settings.MAIL_REPLY_TO:
        message["Reply-To"] = settings.MAIL_REPLY_TO
    if letter.thread:
        # No letter has this id: it is what those about one thing have in common.
        root = f"<{letter.thread}.thread@{host}>"
        message["In-Reply-To"] = root
        message["References"] = root


def _address_of(person: User) -> Address:
    """Their name and their address, as one line of a header takes both.

    Folded over two lines a name loses its quotation marks, and is read as addresses of its own.
    """
    room = HEADER_LINE - len(person.mail)
    name = one_line(person.name, room) if room > 0 else ""
    return Address(display_name=name, addr_spec=person.mail)


def _is_address(text: str) -> bool:
    """Whether it is an address as every server takes it: of ASCII, on one line."""
    try:
        validate_email(text)
    except ValidationError:
        return False
    return text.isascii()
