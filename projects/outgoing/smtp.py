"""A conversation with the mail server, step by step: it knows when a letter is perhaps sent.

A server takes a letter with the dot that ends its data, and not before. So whoever sends is
asked right before the dot (`before_end`), and of what fails until then it is certain that
nobody got it. The folder of `make run` is another way, with the same moment.
"""

import os
import re
import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend

from portal.lib.plain import one_line

SERVICE_NOT_AVAILABLE = 421
OK, OK_ELSEWHERE, GO_AHEAD = 250, 251, 354


class Fate(Enum):
    """What became of a letter."""

    SENT = "sent"
    LATER = "later"  # certainly not taken, may be tried again
    REFUSED = "refused"  # not taken, and never will be
    UNKNOWN = "unknown"  # perhaps taken
    LEFT = "left"  # `before_end` said no


@dataclass(frozen=True)
class Answer:
    """What became of a letter, and the server's own words."""

    fate: Fate
    words: str = ""


class Away(Exception):
    """There is no conversation with the server, in the words of whoever said so."""


class Way(Protocol):
    """How letters leave: several by one `Way`, which is closed at the end."""

    def send(self, message: EmailMessage, recipient: str, before_end: Callable[[], bool]) -> Answer:
        """Send one; raises Away where the letter was not even begun."""

    def close(self) -> None: ...


def open_way() -> Way:
    """The way that the settings name; raises Away."""
    if settings.EMAIL_HOST:
        return SmtpWay()
    if settings.MAIL_FOLDER:
        return FolderWay(Path(settings.MAIL_FOLDER))
    raise Away("No mail server is set: EMAIL_HOST.")


class SmtpWay:
    """A connection to the server of EMAIL_HOST, opened by Django's own settings of TLS."""

    def __init__(self) -> None:
        self._sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
        self._sent_count = 0
        self._server: smtplib.SMTP | None = _opened()

    def close(self) -> None:
        """Say goodbye; whether the server hears it does not matter."""
        server, self._server = self._server, None
        if server is not None:
            try:
                server.quit()
            except (OSError, smtplib.SMTPException):
                server.close()

    def send(self, message: EmailMessage, recipient: str, before_end: Callable[[], bool]) -> Answer:
        server = self._greet()
        try:
            refusal = self._ask(server, recipient)
            if refusal is not None:
                return refusal
            server.send(_without_end(message.as_bytes(policy=SMTP)))
        except (OSError, smtplib.SMTPException, ValueError) as error:
            # The dot was not said, so nobody has it.
            self._drop()
            return Answer(Fate.LATER, _words_of(error))
        try:
            may_end = before_end()
        except BaseException:
            self._drop()
            raise
        if not may_end:
            self._drop()
            return Answer(Fate.LEFT)
        return self._end(server)

    def _greet(self) -> smtplib.SMTP:
        """MAIL FROM. A server that ends connections after some letters gets a second one."""
        if self._sent_count and self._server is not None:
            try:
                code, _words = self._server.mail(self._sender)
                if code == OK:
                    return self._server
            except (OSError, smtplib.SMTPException):
                pass
            self._drop()
        if self._server is None:
            self._server = _opened()
        try:
            code, words = self._server.mail(self._sender)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise Away(_words_of(error)) from error
        if code != OK:
            # Who does not take our sender takes no letter at all.
            self._drop()
            raise Away(_said(code, words))
        return self._server

    def _ask(self, server: smtplib.SMTP, recipient: str) -> Answer | None:
        """RCPT TO and DATA; the answer where it ends there."""
        code, words = server.rcpt(recipient)
        if code in (OK, OK_ELSEWHERE):
            code, words = server.docmd("data")
            if code == GO_AHEAD:
                return None
        self._begin_anew(server, code)
        return _no(code, words)

    def _end(self, server: smtplib.SMTP) -> Answer:
        """Say the dot and hear what the server thinks of it; its silence says nothing."""
        try:
            server.send(b".\r\n")
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            return Answer(Fate.LATER, _words_of(error))
        try:
            _patience(server, settings.MAIL_ANSWER_SECONDS)
            code, words = server.getreply()
            _patience(server, settings.EMAIL_TIMEOUT)
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            return Answer(Fate.UNKNOWN, _words_of(error))
        self._sent_count += 1
        if code == OK:
            return Answer(Fate.SENT, _said(code, words))
        self._begin_anew(server, code)
        return _no(code, words)

    def _begin_anew(self, server: smtplib.SMTP, code: int) -> None:
        """After a refusal; a server that takes its leave by it is left."""
        try:
            if code != SERVICE_NOT_AVAILABLE and server.rset()[0] == OK:
                return
        except (OSError, smtplib.SMTPException):
            pass
        self._drop()

    def _drop(self) -> None:
        """Without a word: in the middle of data a goodbye would be a part of the letter."""
        server, self._server = self._server, None
        if server is not None:
            server.close()


def _opened() -> smtplib.SMTP:
    """Connected, encrypted and signed in as the settings say; raises Away."""
    mailer: Any = EmailBackend(timeout=settings.EMAIL_TIMEOUT)
    try:
        mailer.open()
        # Django greets only where it encrypts or signs in.
        mailer.connection.ehlo_or_helo_if_needed()
    except (OSError, smtplib.SMTPException) as error:
        if mailer.connection is not None:
            mailer.connection.close()
        raise Away(_words_of(error)) from error
    server: smtplib.SMTP = mailer.connection
    return server


def _patience(server: smtplib.SMTP, seconds: float) -> None:
    if server.sock is not None:
        server.sock.settimeout(seconds)


class FolderWay:
    """Each letter is a file of the folder, under its own id: written twice it is there once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Away(_words_of(error)) from error

    def send(self, message: EmailMessage, recipient: str, before_end: Callable[[], bool]) -> Answer:
        name = re.sub(r"[^\w.@-]", "", str(message["Message-ID"]))
        path = self._folder / f"{name}.eml"
        draft = path.with_suffix(".part")
        try:
            draft.write_bytes(message.as_bytes(policy=SMTP))
        except OSError as error:
            raise Away(_words_of(error)) from error
        if not before_end():
            draft.unlink(missing_ok=True)
            return Answer(Fate.LEFT)
        os.replace(draft, path)
        return Answer(Fate.SENT, str(path))

    def close(self) -> None:
        """Nothing is open."""


def _without_end(data: bytes) -> bytes:
    """The data of a letter without the dot that ends it; a line that begins with one has two."""
    whole = data if data.endswith(b"\r\n") else data + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", whole)


def _no(code: int, words: bytes | str) -> Answer:
    fate = Fate.REFUSED if 500 <= code < 600 else Fate.LATER
    return Answer(fate, _said(code, words))


def _said(code: int, words: bytes | str) -> str:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return one_line(f"{code} {text}")


def _words_of(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return _said(error.smtp_code, error.smtp_error)
    return one_line(str(error) or type(error).__name__)
