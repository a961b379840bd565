"""What a session keeps from call to call: only what its next sign-in, its server or its process
could not make wrong."""

import contextlib
import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from contrib.testing.clouds import SandboxSite
from portal.testing import wait_until
from quotas.backends import BackendError, EndpointConfig, Kind
from quotas.backends.deadline import Deadline, http_session
from quotas.backends.openstack import Service, _open_region, forget
from quotas.backends.tests.conftest import TIMEOUT

NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def config(sandbox_site: SandboxSite) -> Iterator[EndpointConfig]:
    config = EndpointConfig(
        slug="nova", driver="nova", cloud=sandbox_site.cloud, region_name=sandbox_site.regions[0],
        options={}, clouds_file=str(sandbox_site.clouds_yaml),
    )  # fmt: skip
    yield config
    forget(config)


@pytest.fixture
def slow_server() -> Iterator[str]:
    """Sends a byte now and then and never ends: no timeout of one read is ever over."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        threading.Thread(target=_answer_slowly, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def _answer_slowly(server: socket.socket) -> None:
    while True:
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            try:
                connection, _address = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                for _ in range(400):
                    time.sleep(0.02)
                    connection.sendall(b"a")


def test_an_address_is_that_of_the_sign_in_that_told_it(config: EndpointConfig) -> None:
    service = Service(config, "compute")
    service.call("GET", "/os-services", timeout=TIMEOUT)
    region = _open_region(config)
    access, address = region.addresses["compute"]
    region.addresses["compute"] = (access, NOBODY)
    with pytest.raises(BackendError) as refusal:
        service.call("GET", "/os-services", timeout=TIMEOUT)
    assert refusal.value.kind is Kind.UNREACHABLE
    # As when a token has run out: whatever the catalogue says by then.
    region.config.get_session().auth.invalidate()
    service.call("GET", "/os-services", timeout=TIMEOUT)
    assert region.addresses["compute"][1] == address
    assert region.addresses["compute"][0] is not access


def test_an_address_of_before_is_none_of_a_sign_in_that_came_meanwhile(
    config: EndpointConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(config, "compute")
    adapter = service._adapter()
    auth: Any = adapter.session.auth
    find = adapter.get_endpoint

    def find_as_another_thread_signs_in() -> str:
        find()
        auth.invalidate()
        auth.get_access(adapter.session)
        return NOBODY

    with monkeypatch.context() as racing, Deadline(TIMEOUT):
        racing.setattr(adapter, "get_endpoint", find_as_another_thread_signs_in)
        assert service._address(adapter) == {"endpoint_override": NOBODY}
    service.call("GET", "/os-services", timeout=TIMEOUT)


def test_each_service_has_an_address_of_its_own(config: EndpointConfig) -> None:
    for each in ("compute", "block-storage", "identity"):
        with pytest.raises(BackendError, match="not_found"):
            Service(config, each).call("GET", "/nothing", timeout=TIMEOUT)
    addresses = [address for _access, address in _open_region(config).addresses.values()]
    assert len(set(addresses)) == len(addresses) == 3


def test_what_the_environment_says_of_a_server_is_no_other_server_s(
    monkeypatch: pytest.MonkeyPatch, slow_server: str
) -> None:
    monkeypatch.setenv("http_proxy", NOBODY)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    session = http_session()
    for _ in range(2):
        with Deadline(TIMEOUT), pytest.raises(requests.exceptions.ProxyError):
            session.get(slow_server.replace("127.0.0.1", "localhost"))
        with Deadline(0.2):
            assert session.get(slow_server).status_code == 200


def test_each_server_is_signed_in_to_as_netrc_says_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "netrc"
    file.write_text("machine one.test login me password mine\n")
    monkeypatch.setenv("NETRC", str(file))
    session = http_session()
    for url, header in (
        ("http://two.test/", None), ("http://one.test/", "Basic bWU6bWluZQ=="),
        ("http://one.test/a", "Basic bWU6bWluZQ=="), ("http://two.test/a", None),
        ("http://you:yours@two.test/", "Basic eW91OnlvdXJz"), ("http://two.test/b", None),
        ("http://you:yours@one.test/", "Basic bWU6bWluZQ=="),
    ):  # fmt: skip
        asked = session.prepare_request(requests.Request("GET", url))
        assert asked.headers.get("Authorization") == header
    # Whoever signs in otherwise does.
    own = requests.Request("GET", "http://one.test/", auth=("you", "yours"))
    assert session.prepare_request(own).headers["Authorization"] == "Basic eW91OnlvdXJz"


def _seconds_of(url: str, seconds: float) -> float:
    began = time.monotonic()
    # Cut within a line of its head it is an answer, before that none.
    with Deadline(seconds) as deadline, contextlib.suppress(requests.RequestException):
        http_session().get(url)
    assert deadline.is_over
    return time.monotonic() - began


def test_a_call_that_ends_sooner_than_those_before_is_cut_on_time(slow_server: str) -> None:
    with Deadline(60):
        pass
    assert 0.3 <= _seconds_of(slow_server, 0.3) < 5


def test_one_that_ends_later_than_those_before_is_cut_too(slow_server: str) -> None:
    with Deadline(0.05) as deadline:
        wait_until(lambda: deadline.is_over, 10, "the deadline to be over")
    assert 0.3 <= _seconds_of(slow_server, 0.3) < 5


class Within:
    """What reads TLS within a proxy's TLS, as urllib3's: no socket itself."""

    def __init__(self, sock: object) -> None:
        self.socket = sock


def test_a_call_through_the_tls_of_a_proxy_is_cut_too() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, Deadline(0.1) as deadline:
        deadline.watch(Within(ours))  # type: ignore[arg-type]  # as the library has it
        theirs.settimeout(5)
        assert theirs.recv(1) == b""
    assert deadline.is_over


def test_one_that_cannot_be_cut_keeps_no_other_from_it(
    slow_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Deadline(0.05) as deadline:
        deadline.watch(Within(None))  # type: ignore[arg-type]  # as above
        wait_until(lambda: "could not be cut" in caplog.text, 10, "the attempt to cut it")
    assert _seconds_of(slow_server, 0.3) < 5


def test_a_forked_worker_cuts_its_own(slow_server: str) -> None:
    assert _seconds_of(slow_server, 0.05) < 5
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_seconds_of, args=(slow_server, 0.2))
    child.start()
    child.join(10)
    assert child.exitcode == 0
