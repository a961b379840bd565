"""Addresses in clouds.yaml that lead nowhere, or to somebody else."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from contrib.sandbox.control import RunningSandbox
from contrib.sandbox.serving import free_port
from contrib.testing.clouds import SandboxSite
from quotas.backends import BackendError, EndpointConfig, Kind
from quotas.backends.nova import NovaDriver
from quotas.backends.tests.test_people import clouds_with


def read_fails(site: SandboxSite, folder: Path, auth_url: str, timeout: float = 5) -> BackendError:
    file = clouds_with(site, folder, auth_url=auth_url)
    driver = NovaDriver(EndpointConfig("e", "nova", site.cloud, "geneva", {}, file))
    with pytest.raises(BackendError) as excinfo:
        driver.read("0" * 32, timeout=timeout)
    return excinfo.value


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where connections are accepted by the kernel and nobody ever reads."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# Without a version in the address, the library looks for one, and fails in its own way.
@pytest.mark.parametrize("path", ["/identity/v3", "/identity", ""])
def test_nobody_listens(sandbox_site: SandboxSite, tmp_path: Path, path: str) -> None:
    error = read_fails(sandbox_site, tmp_path, f"http://127.0.0.1:{free_port()}{path}")
    assert (error.kind, error.code) == (Kind.UNREACHABLE, "no_connection")
    assert error.words == "compute of sandbox geneva: Connection refused"


@pytest.mark.parametrize("path", ["/identity/v3", "/identity"])
def test_nobody_answers(
    sandbox_site: SandboxSite, tmp_path: Path, path: str, silent_port: int
) -> None:
    address = f"http://127.0.0.1:{silent_port}{path}"
    error = read_fails(sandbox_site, tmp_path, address, timeout=0.3)
    assert (error.kind, error.code) == (Kind.UNREACHABLE, "timeout")


def test_no_such_host(sandbox_site: SandboxSite, tmp_path: Path) -> None:
    error = read_fails(sandbox_site, tmp_path, "http://keystone.invalid:5000/v3")
    assert (error.kind, error.code) == (Kind.UNREACHABLE, "no_connection")


def test_no_tls_there(sandbox: RunningSandbox, sandbox_site: SandboxSite, tmp_path: Path) -> None:
    error = read_fails(sandbox_site, tmp_path, f"https://127.0.0.1:{sandbox.port}/identity/v3")
    assert (error.kind, error.code) == (Kind.UNREACHABLE, "tls")


def test_no_identity_service_there(
    sandbox: RunningSandbox, sandbox_site: SandboxSite, tmp_path: Path
) -> None:
    error = read_fails(sandbox_site, tmp_path, f"{sandbox.url}/somewhere")
    assert error.kind == Kind.REFUSED
    assert error.code in ("configuration", "not_found")


def test_an_identity_service_in_trouble_while_versions_are_asked_for(
    sandbox: RunningSandbox, sandbox_site: SandboxSite, tmp_path: Path
) -> None:
    sandbox.add_fault("status", service="identity", status=503, message="Later.")
    error = read_fails(sandbox_site, tmp_path, f"{sandbox.url}/identity")
    assert (error.kind, error.code, error.words) == (Kind.TRANSIENT, "unavailable", "Later.")


def test_an_address_without_a_version_works(
    sandbox: RunningSandbox, sandbox_site: SandboxSite, tmp_path: Path
) -> None:
    error = read_fails(sandbox_site, tmp_path, f"{sandbox.url}/identity")
    assert (error.kind, error.code) == (Kind.REFUSED, "project_gone")
