"""What services answer to values that drivers never send, and how that is sorted: on the
sandbox and on real services of two releases alike, so that a rule fits what is really said.
"""

from typing import Any

import pytest

from quotas.backends import BackendError, IdentityProject, Kind
from quotas.backends.tests.conftest import TIMEOUT, Region

LARGEST = 2**31 - 1


def send(region: Region, service: str, project: IdentityProject, values: dict[str, Any]) -> None:
    """A write past the driver's own checks, sorted by its rules."""
    driver = {"compute": region.nova, "volume": region.cinder}[service]
    driver._service.call(
        "PUT",
        f"/os-quota-sets/{project.external_id}",
        body={"quota_set": values},
        timeout=TIMEOUT,
    )


def limits(region: Region, service: str, project: IdentityProject) -> dict[str, int]:
    ask = region.site.plain.compute_limits if service == "compute" else (
        region.site.plain.volume_limits
    )  # fmt: skip
    return ask(region.name, project.external_id)


REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("compute", {"cores": -2}, "bad_request", "-2"),
    ("compute", {"cores": LARGEST + 1}, "above_maximum", str(LARGEST)),
    ("compute", {"cores": 5, "no_such_key": 1}, "unknown_key", "no_such_key"),
    # Known until 2.35 and asked for at 2.57: Nova kept networks once.
    ("compute", {"cores": 5, "floating_ips": 1}, "unknown_key", "floating_ips"),
    ("volume", {"volumes": -2}, "bad_request", "volumes must be >= -1"),
    ("volume", {"volumes": LARGEST + 1}, "above_maximum", str(LARGEST)),
    ("volume", {"volumes": "12"}, "bad_request", ""),
    ("volume", {}, "bad_request", ""),
    ("volume", {"volumes": 5, "force": True}, "unknown_key", "force"),
    ("volume", {"volumes": 5, "gigabytes_no-such-type": 1}, "unknown_key", "no-such-type"),
]


@pytest.mark.parametrize(("service", "values", "code", "names"), REFUSED, ids=str)
def test_what_a_service_does_not_take_is_sorted_and_nothing_of_it_kept(
    region: Region,
    project: IdentityProject,
    service: str,
    values: dict[str, Any],
    code: str,
    names: str,
) -> None:
    before = limits(region, service, project)
    with pytest.raises(BackendError) as excinfo:
        send(region, service, project, values)
    error = excinfo.value
    assert (error.kind, error.code, error.http_status, error.uncertain) == (
        Kind.REFUSED, code, 400, False,
    )  # fmt: skip
    assert names in error.words
    assert limits(region, service, project) == before


def test_nova_takes_digits_as_text_and_an_empty_set(
    region: Region, project: IdentityProject
) -> None:
    send(region, "compute", project, {"cores": "12"})
    send(region, "compute", project, {})
    assert limits(region, "compute", project)["cores"] == 12


def test_keys_that_another_release_or_version_has_are_absent_not_invented(
    region: Region, project: IdentityProject
) -> None:
    networks = ["floating_ips", "fixed_ips", "security_groups", "security_group_rules"]
    assert region.nova.read(project.external_id, networks, timeout=TIMEOUT) == {}
    types = ["gigabytes_no-such-type", "volumes_no-such-type", "gigabytes_"]
    assert region.cinder.read(project.external_id, types, timeout=TIMEOUT) == {}
