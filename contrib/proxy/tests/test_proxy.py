"""The proxy: all calls of the drivers pass it, and it does to real services what it is told."""

import stat
import threading

import pytest

from contrib.testing.clouds import FaultySite
from quotas.backends import BackendError, EndpointConfig, Registry
from quotas.backends.nova import NovaDriver

TIMEOUT = 30.0
REGISTRY = Registry(
    {
        "keystone": "quotas.backends.keystone:KeystoneDriver",
        "nova": "quotas.backends.nova:NovaDriver",
        "cinder": "quotas.backends.cinder:CinderDriver",
    }
)


def config(site: FaultySite, driver: str, region: int = 0) -> EndpointConfig:
    return EndpointConfig(
        slug=driver,
        driver=driver,
        cloud=site.cloud,
        region_name=site.regions[region],
        clouds_file=str(site.clouds_yaml),
    )


def nova(site: FaultySite, region: int = 0) -> NovaDriver:
    return REGISTRY.quota(config(site, "nova", region))  # type: ignore[return-value]  # by its name


@pytest.fixture
def project(faulty: FaultySite, new_tag: str) -> str:
    body = {"project": {"name": f"p-{new_tag[-12:]}", "domain_id": "default", "tags": [new_tag]}}
    made: str = faulty.plain.done("POST", "identity", "/projects", body)["project"]["id"]
    return made


def write(site: FaultySite, project: str, cores: int, *, timeout: float = TIMEOUT) -> str:
    """The code of the error that a write ends in; empty when it went well."""
    try:
        nova(site).write(project, {"cores": cores}, timeout=timeout)
    except BackendError as error:
        return error.code
    return ""


def cores(site: FaultySite, project: str) -> int:
    return site.plain.compute_limits(site.regions[0], project)["cores"]


def test_every_call_of_every_driver_passes_the_proxy(
    faulty: FaultySite, project: str, new_tag: str
) -> None:
    identity = REGISTRY.identity(config(faulty, "keystone"))
    found = identity.find(new_tag, timeout=TIMEOUT)
    assert found is not None
    assert found.external_id == project
    for region in (0, 1):
        for driver in ("nova", "cinder"):
            REGISTRY.quota(config(faulty, driver, region)).read(project, timeout=TIMEOUT)
    places = {
        (call["service"], call["region"])
        for call in faulty.proxy.calls()
        if "os-quota-sets" in call["path"] or "/projects" in call["path"]
    }
    assert places == {
        ("identity", None),
        *((service, region) for service in ("compute", "volume") for region in faulty.regions),
    }


def test_its_file_is_for_its_owner_alone(faulty: FaultySite) -> None:
    assert stat.S_IMODE(faulty.clouds_yaml.stat().st_mode) == 0o600


def test_a_call_held_before_is_not_done_and_one_held_after_is(
    faulty: FaultySite, project: str
) -> None:
    write(faulty, project, 5)
    for when, seen in (("before", 5), ("after", 9)):
        with faulty.proxy.pause(when, service="compute", method="PUT", path=project) as pause:
            thread = threading.Thread(target=write, args=(faulty, project, 9))
            thread.start()
            pause.wait_until_held()
            assert cores(faulty, project) == seen
        thread.join(TIMEOUT)
        assert cores(faulty, project) == 9
        write(faulty, project, 5)


@pytest.mark.parametrize(
    ("kind", "code", "written"),
    [
        ("status", "unavailable", False),
        ("drop", "dropped", False),
        ("drop_after", "dropped", True),
        ("half_body", "broken_answer", True),
        ("wrong_json", "broken_answer", False),
        ("ignore", "", False),
        ("expired", "", True),
        ("slow", "", True),
        ("hang", "timeout", False),
    ],
)
def test_a_fault_is_one_of_the_real_service_to_its_driver(
    faulty: FaultySite, project: str, kind: str, code: str, written: bool
) -> None:
    write(faulty, project, 5)
    with faulty.proxy.add_fault(kind, service="compute", method="PUT", path=project, seconds=0.1):
        assert write(faulty, project, 9, timeout=1.5) == code
    assert cores(faulty, project) == (9 if written else 5)
    assert write(faulty, project, 11) == ""
    assert cores(faulty, project) == 11


def test_a_port_refuses_after_so_many_answers_and_takes_connections_again(
    faulty: FaultySite, project: str
) -> None:
    def read() -> None:
        nova(faulty).read(project, timeout=TIMEOUT)

    read()
    fault = faulty.proxy.add_fault(
        "refuse", service="compute", region=faulty.regions[0], path="quota-sets", skip=1
    )
    read()
    assert write(faulty, project, 9) == "no_connection"
    nova(faulty, 1).read(project, timeout=TIMEOUT)
    fault.remove()
    assert write(faulty, project, 9) == ""
    assert cores(faulty, project) == 9


def test_a_port_refuses_at_once(faulty: FaultySite, project: str) -> None:
    nova(faulty).read(project, timeout=TIMEOUT)
    with faulty.proxy.add_fault("refuse", service="compute"):
        assert write(faulty, project, 9) == "no_connection"
    assert write(faulty, project, 9) == ""
