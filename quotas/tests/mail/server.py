"""A real mail server on loopback, which can be told to refuse, to hold on, or to end."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from portal.lib.servers.valkey import free_port

# It tells each step of each conversation.
logging.getLogger("mail.log").setLevel(logging.WARNING)
HOST = "127.0.0.1"
TAKEN = "250 Taken"
HOLD_SECONDS = 30


@dataclass(frozen=True)
class Got:
    """A letter as it came in."""

    recipient: str
    sender: str
    message: EmailMessage
    raw: bytes

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")


class MailServer:
    """Takes letters; `at_rcpt` and `at_end` say what it answers there, by the recipient."""

    def __init__(self, **options: Any) -> None:
        # Of the library's SMTP: TLS, who may sign in.
        self._options = options
        self.port = free_port()
        self.letters: list[Got] = []
        self.connection_count = 0
        self.at_mail: Callable[[str], str] = lambda sender: "250 OK"
        self.at_rcpt: Callable[[str], str] = lambda recipient: "250 OK"
        self.at_end: Callable[[str], str] = lambda recipient: TAKEN
        # Where it holds on: "rcpt", "end", or nowhere; until it may go on.
        self.holds_at = ""
        self.is_held = threading.Event()
        self.may_go = threading.Event()
        self._controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self, hostname=HOST, port=self.port, **self._options)
        self._controller.start()

    def stop(self) -> None:
        self.may_go.set()
        if self._controller is not None:
            self._controller.stop(no_assert=True)
            self._controller = None

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, answers: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self.connection_count += 1
        return answers

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        return self.at_mail(address)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        await self._hold("rcpt")
        answer = self.at_rcpt(address)
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        (recipient,) = envelope.rcpt_tos
        answer = self.at_end(recipient)
        if answer.startswith("2"):
            raw = envelope.content
            assert isinstance(raw, bytes)
            message = message_from_bytes(raw, policy=default)
            assert isinstance(message, EmailMessage)
            self.letters.append(Got(recipient, envelope.mail_from or "", message, raw))
        await self._hold("end")
        return answer

    async def _hold(self, place: str) -> None:
        if self.holds_at == place:
            self.is_held.set()
            await asyncio.get_running_loop().run_in_executor(None, self.may_go.wait, HOLD_SECONDS)

    def to(self, name: str) -> list[Got]:
        """What a person of the cast got."""
        return [each for each in self.letters if each.recipient == address(name)]


def address(name: str) -> str:
    return f"{name}@example.org"


@contextmanager
def serving(**options: Any) -> Iterator[MailServer]:
    """options: `tls_context`, `authenticator` and others of aiosmtpd's SMTP."""
    server = MailServer(**options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
