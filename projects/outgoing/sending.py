"""One call to an address that somebody wrote down: what the receiver answered, or why none came.

The name is resolved here, each address is checked, and exactly that one is connected to, so an
answer of DNS that changes between check and connect changes nothing. Redirects, cookies and
proxies do not exist here. One time limit holds for all of it, however slowly a receiver drips.
"""

import http.client
import io
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.utils.translation import gettext as _

from .addresses import PUBLIC, Address, Reach, WrongUrl, may_reach, parse

logger = logging.getLogger(__name__)

# (host, port) → the addresses of the name, as DNS says now; raises OSError.
Resolve = Callable[[str, int], Sequence[str]]

CONNECT_SECONDS = 5
MAX_TRIED = 3
MAX_WORDS = 300


@dataclass(frozen=True)
class Limits:
    """What the site allows. seconds: for all of a call, from the name to the answer."""

    seconds: float
    may_be_plain: bool
    reach: Reach = PUBLIC


@dataclass(frozen=True)
class Answer:
    """status: of the HTTP answer; None: there was none, and `words` say why.

    retry_after: seconds for which the receiver asked to be left alone.
    """

    status: int | None
    words: str
    took_ms: int
    retry_after: int | None = None

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class _TooSlow(Exception):
    """The time for the whole call is over."""


@dataclass
class _Clock:
    """What is left of the time for one call."""

    ends: float

    def left(self) -> float:
        seconds = self.ends - time.monotonic()
        if seconds <= 0:
            raise _TooSlow
        return seconds


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name, in the system's order; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def call(
    url: str, body: bytes, headers: Mapping[str, str], limits: Limits, resolve: Resolve = resolve
) -> Answer:
    """POST a JSON body once. Never raises for what a receiver or the network does."""
    begun = time.monotonic()
    clock = _Clock(begun + limits.seconds)
    status, retry_after = None, None
    try:
        address = parse(url, may_be_plain=limits.may_be_plain, reach=limits.reach)
        with (
            _connected(address, limits, clock, resolve) as plain,
            _secured(plain, address, clock) as connection,
        ):
            status, retry_after = _exchange(connection, address, body, headers, clock)
        words = _words_of(status)
    except (_TooSlow, TimeoutError):
        words = _("No answer within %(seconds)s s.") % {"seconds": f"{limits.seconds:g}"}
    except WrongUrl as error:
        words = str(error)
    except ssl.SSLCertVerificationError as error:
        words = _("Its certificate is not valid: %(why)s.") % {"why": error.verify_message}
    except http.client.RemoteDisconnected:
        words = _("It closed the connection without an answer.")
    except http.client.HTTPException:
        words = _("It does not speak HTTP.")
    except OSError as error:
        words = _("No connection: %(why)s.") % {"why": error.strerror or type(error).__name__}
    took = int((time.monotonic() - begun) * 1000)
    return Answer(status, words[:MAX_WORDS], took, retry_after)


def _words_of(status: int) -> str:
    if 300 <= status < 400:
        return _("It redirects, and redirects are not followed.")
    return ""


def _connected(address: Address, limits: Limits, clock: _Clock, resolve: Resolve) -> socket.socket:
    """Connect to one of the addresses that were checked, and to no other."""
    found = _within(clock, lambda: resolve(address.host, address.port))
    if not found:
        raise WrongUrl(_("The name %(host)s has no address.") % {"host": address.host})
    for each in found:
        # One private address among others is enough: which one a proxy would take is luck.
        if not may_reach(each, limits.reach):
            # Which one is for operators: what names mean inside of a site is not for everybody.
            words = {"host": address.host}
            logger.info("a webhook leads to a private address", extra={**words, "ip": each})
            raise WrongUrl(
                _("%(host)s leads to a private address, which this site does not call.") % words
            )
    last: OSError | None = None
    for each in found[:MAX_TRIED]:
        family = socket.AF_INET6 if ":" in each else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(min(CONNECT_SECONDS, clock.left()))
            connection.connect((each, address.port))
        except OSError as error:
            connection.close()
            last = error
        except BaseException:
            connection.close()
            raise
        else:
            return connection
    raise last or OSError


def _within(clock: _Clock, ask: Callable[[], Sequence[str]]) -> Sequence[str]:
    """The answer of the resolver, which has no time limit of its own."""
    found: list[Sequence[str] | OSError] = []

    def run() -> None:
        try:
            found.append(ask())
        except OSError as error:
            found.append(error)
        except UnicodeError:
            found.append(OSError(0, "no name of a host"))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(clock.left())
    if not found:
        raise _TooSlow
    if isinstance(found[0], OSError):
        raise found[0]
    return found[0]


def _secured(plain: socket.socket, address: Address, clock: _Clock) -> socket.socket:
    """TLS for https, with the certificate of the name that was written."""
    plain.settimeout(clock.left())
    if not address.is_secure:
        return plain
    return _context().wrap_socket(plain, server_hostname=address.host)


@cache
def _context() -> ssl.SSLContext:
    """The system's authorities; SSL_CERT_FILE names others, as everywhere."""
    return ssl.create_default_context()


def _exchange(
    connection: socket.socket, address: Address, body: bytes, headers: Mapping[str, str],
    clock: _Clock,
) -> tuple[int, int | None]:  # fmt: skip
    """Send the call and read the head of the answer; its body is nothing to us, and not read."""
    head = {
        "Host": address.authority,
        "User-Agent": "Remit-Webhook/1",
        "Accept": "*/*",
        "Connection": "close",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers,
    }
    lines = [f"POST {address.target} HTTP/1.1", *(f"{name}: {text}" for name, text in head.items())]
    connection.settimeout(clock.left())
    connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii") + body)
    # http.client caps the lines and the number of headers.
    answer = http.client.HTTPResponse(_Reading(connection, clock), method="POST")  # type: ignore[arg-type]  # asks for makefile alone
    try:
        answer.begin()
        return answer.status, _seconds(answer.headers.get("Retry-After", ""))
    finally:
        answer.close()


def _seconds(text: str) -> int | None:
    """Retry-After in seconds; a date is not worth its clocks."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else None


class _Reading(io.RawIOBase):
    """The connection as http.client reads it: each read may take what is left of the time."""

    def __init__(self, connection: socket.socket, clock: _Clock) -> None:
        self._connection, self._clock = connection, clock

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(self._clock.left())
        return self._connection.recv_into(buffer)
