"""How a call is ended on time, whatever the other side does.

The timeouts of HTTP libraries bound each read of the socket, so an answer that drips a
byte a second never ends. Here one clock runs for the whole call: when it is over the
sockets are shut down under the reader, and no further request leaves.
"""

import contextlib
import logging
import math
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_auth_from_url, get_netrc_auth
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

logger = logging.getLogger(__name__)

_here = threading.local()


# What is entered around each call, and how many seconds one may take.
_Turns = tuple[Callable[[], contextlib.AbstractContextManager[None]], float]


def _current() -> "Deadline | None":
    return getattr(_here, "deadline", None)


@contextlib.contextmanager
def taking_turns(
    turn: Callable[[], contextlib.AbstractContextManager[None]], longest: float
) -> Iterator[None]:
    """Have each call of this thread inside wait for its turn, and end within `longest` seconds.

    For work of many calls that are none of the caller's business one by one, as a survey:
    `turn` is entered before each and left after it, and what it raises ends the work.
    """
    _here.turns = (turn, longest)
    try:
        yield
    finally:
        _here.turns = None


class Deadline:
    """`with Deadline(seconds):` bounds every request that this thread makes inside.

    It bounds sending and receiving; looking up a host's name is bounded by the resolver.
    `sent` lists the requests that began to leave and were not refused, as (method, path
    and query): what is not in it has certainly not happened.
    """

    def __init__(self, seconds: float) -> None:
        self.is_over = False
        self.sent: list[tuple[str, str]] = []
        self._seconds = seconds
        self._sockets: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._turn = contextlib.ExitStack()
        self.ends = 0.0

    def __enter__(self) -> Self:
        if _current() is not None:
            raise RuntimeError("a call to a cloud is already under way in this thread")
        turns: _Turns | None = getattr(_here, "turns", None)
        if turns is not None:
            turn, longest = turns
            self._turn.enter_context(turn())
            self._seconds = min(self._seconds, longest)
        self.ends = time.monotonic() + self._seconds
        self._clock = _clock()
        self._clock.watch(self)
        _here.deadline = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _here.deadline = None
        self._clock.forget(self)
        with self._lock:
            self._sockets.clear()
        self._turn.close()

    def left(self) -> float:
        """Seconds until the end; raises TimeoutError when there are none."""
        seconds = self.ends - time.monotonic()
        if self.is_over or seconds <= 0:
            self.is_over = True
            raise TimeoutError("no time is left")
        return seconds

    def watch(self, sock: socket.socket | None) -> None:
        """Shut this socket at the end; raises TimeoutError when that is now."""
        with self._lock:
            self.left()
            if sock is not None:
                self._sockets.add(sock)

    def cut(self) -> None:
        """End the call: its sockets are shut down under whoever reads."""
        with self._lock:
            self.is_over = True
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    # The plain socket's own: a TLS one would first wait for its peer.
                    socket.socket.shutdown(_socket_of(sock), socket.SHUT_RDWR)


def _socket_of(sock: Any) -> socket.socket:
    """Of TLS that goes through a proxy's TLS the connection is no socket itself, but has one."""
    found: socket.socket = sock if isinstance(sock, socket.socket) else sock.socket
    return found


class _Clock:
    """Cuts what is over, by one thread for all calls of a process: one for each costs as much as
    the rest of a call to it.

    It is woken for what ends before it would look again, so that of calls with equal spans only
    the first wakes it.
    """

    def __init__(self) -> None:
        self._watched: set[Deadline] = set()
        self._changed = threading.Condition()
        self._looks_at = math.inf
        threading.Thread(target=self._run, daemon=True, name="deadlines").start()

    def watch(self, deadline: Deadline) -> None:
        with self._changed:
            self._watched.add(deadline)
            if deadline.ends < self._looks_at:
                self._looks_at = deadline.ends
                self._changed.notify()

    def forget(self, deadline: Deadline) -> None:
        with self._changed:
            self._watched.discard(deadline)

    def _run(self) -> None:
        while True:
            for each in self._over():
                try:
                    each.cut()
                except Exception:
                    # It would be the end of this thread: no call would ever be cut again.
                    logger.exception("a call could not be cut")

    def _over(self) -> list[Deadline]:
        """Wait until the moment to look at; which are over by then."""
        with self._changed:
            left = self._looks_at - time.monotonic()
            if left > 0:
                self._changed.wait(min(left, threading.TIMEOUT_MAX))
            now = time.monotonic()
            over = [each for each in self._watched if each.ends <= now]
            self._watched.difference_update(over)
            self._looks_at = min((each.ends for each in self._watched), default=math.inf)
        return over


_clocks: dict[int, _Clock] = {}
_clocks_lock = threading.Lock()


def _clock() -> _Clock:
    """This process's own: threads do not follow into a fork."""
    pid = os.getpid()
    clock = _clocks.get(pid)
    if clock is None:
        with _clocks_lock:
            clock = _clocks.get(pid)
            if clock is None:
                clock = _clocks[pid] = _Clock()
    return clock


class TimeLeft:
    """What is left of a span for the next of several calls: `left = TimeLeft(5); left()`."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds

    def __call__(self) -> float:
        return max(0.0, self._ends - time.monotonic())


class _Bounded:
    """What both kinds of connection do more: obey the deadline of their thread."""

    sock: Any

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]  # of the class it is mixed into
        if (deadline := _current()) is not None:
            deadline.watch(self.sock)

    def request(self, method: str, url: str, *args: Any, **options: Any) -> None:
        if self.sock is None:
            self.connect()
        if (deadline := _current()) is not None:
            deadline.watch(self.sock)
            deadline.sent.append((method, url))
        super().request(method, url, *args, **options)  # type: ignore[misc]  # as above


class _Http(_Bounded, HTTPConnection):
    pass


class _Https(_Bounded, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _DeadlineAdapter(HTTPAdapter):
    """Never retries; refuses to send outside a deadline."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        deadline = _current()
        if deadline is None:
            raise RuntimeError("every call to a cloud needs a deadline")
        try:
            options["timeout"] = deadline.left()
        except TimeoutError as error:
            raise requests.exceptions.Timeout(str(error), request=request) from error
        response = super().send(request, *args, **options)
        if 300 <= response.status_code < 500 and deadline.sent:
            deadline.sent.pop()
        return response


class _OfNetrc(AuthBase):
    """What ~/.netrc says of a server, else its address: the library looks for it at each call."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str] | None] = {}

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url = request.url or ""
        host = urlsplit(url).netloc
        if host not in self._known:
            of_address = get_auth_from_url(url)
            self._known[host] = get_netrc_auth(url) or (of_address if any(of_address) else None)
        found = self._known[host]
        return HTTPBasicAuth(*found)(request) if found is not None else request


class _Session(requests.Session):
    """Asks the environment once for each server which proxy and certificates are meant: the
    library reads all of it for each call, and that of a worker never changes."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = _OfNetrc()
        self._merged: dict[tuple[Any, ...], dict[str, Any]] = {}

    def merge_environment_settings(
        self, url: str, proxies: Any, stream: Any, verify: Any, cert: Any
    ) -> dict[str, Any]:
        merge = super().merge_environment_settings
        if proxies:
            return dict(merge(url, proxies, stream, verify, cert))
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc, stream, verify, cert)
        if key not in self._merged:
            self._merged[key] = dict(merge(url, proxies, stream, verify, cert))
        return {**self._merged[key], "proxies": dict(self._merged[key]["proxies"])}


def http_session() -> requests.Session:
    """A session of the requests library whose every request is bounded by a `Deadline`."""
    session = _Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _DeadlineAdapter(max_retries=0))
    return session
