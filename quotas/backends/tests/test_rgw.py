"""Object storage: the suite, and what is enforced, on the sandbox and on a real gateway."""

import uuid
from pathlib import Path

import pytest

from contrib.testing import ceph
from contrib.testing.clouds import SandboxSite
from quotas.backends import UNLIMITED, BackendError, EndpointConfig, Figure, Kind
from quotas.backends.conformance import (
    FailureConformance,
    QuotaConformance,
    SurveyConformance,
    UsageConformance,
)
from quotas.backends.rgw import RgwDriver
from quotas.backends.tests.conftest import TIMEOUT
from quotas.backends.tests.storage import StorageSubject

BOTH = ["sandbox", pytest.param("ceph", marks=pytest.mark.needs("ceph"))]


def made(request: pytest.FixtureRequest, folder: Path) -> StorageSubject:
    if request.param == "ceph":
        clouds = request.getfixturevalue("ceph_clouds")
        return StorageSubject(clouds, ceph.CLOUD, None, folder)
    site: SandboxSite = request.getfixturevalue("sandbox_site")
    return StorageSubject(site.clouds_yaml, site.cloud, "geneva", folder)


class TestRgw(QuotaConformance, UsageConformance, SurveyConformance, FailureConformance):
    @pytest.fixture(scope="class", params=BOTH)
    @classmethod
    def subject(
        cls, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> StorageSubject:
        return made(request, tmp_path_factory.mktemp("subject"))


@pytest.fixture(params=BOTH)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> StorageSubject:
    return made(request, tmp_path)


@pytest.fixture
def driver(subject: StorageSubject) -> RgwDriver:
    return subject.driver(subject.address)


def test_what_is_written_past_the_quota_is_refused_by_the_gateway(
    subject: StorageSubject, driver: RgwDriver
) -> None:
    project = subject.new_project()
    driver.write(project, {"size": 4, "objects": 2}, timeout=TIMEOUT)
    subject.s3("PUT", project, project)
    assert subject.put(project, f"{project}/whole", 4 * 1024) == 200
    past = subject.s3("PUT", project, f"{project}/more", b"x")
    assert past.status_code == 403
    assert "QuotaExceeded" in past.text
    driver.write(project, {"size": 8}, timeout=TIMEOUT)
    assert subject.put(project, f"{project}/more", 1) == 200
    assert subject.put(project, f"{project}/third", 1) == 403  # of objects there may be two
    found = driver.read(project, ["size", "objects"], timeout=TIMEOUT)
    assert found == {"size": Figure(8, 5), "objects": Figure(2, 2)}


@pytest.mark.parametrize("key", ["size", "objects", "bucket_size", "bucket_objects"])
def test_zero_takes_nothing_in(subject: StorageSubject, driver: RgwDriver, key: str) -> None:
    project = subject.new_project()
    subject.s3("PUT", project, project)
    driver.write(project, {key: 0}, timeout=TIMEOUT)
    assert driver.read(project, [key], timeout=TIMEOUT)[key].limit == 0
    assert subject.put(project, f"{project}/any", 1) == 403


def test_zero_buckets_are_none(subject: StorageSubject, driver: RgwDriver) -> None:
    project = subject.new_project()
    driver.write(project, {"buckets": 0}, timeout=TIMEOUT)
    assert subject.s3("PUT", project, project).status_code == 403
    driver.write(project, {"buckets": 1}, timeout=TIMEOUT)
    assert subject.s3("PUT", project, project).status_code == 200
    assert subject.s3("PUT", project, f"{project}-2").status_code == 400


def test_a_user_is_made_when_there_is_something_to_hold(
    subject: StorageSubject, driver: RgwDriver
) -> None:
    project = uuid.uuid4().hex
    driver.write(project, {"size": 0, "objects": 0}, timeout=TIMEOUT)
    assert subject.admin("GET", "user", uid=project).status_code == 404
    nothing = {"size": Figure(0, 0), "objects": Figure(0, 0)}
    assert driver.read(project, nothing, timeout=TIMEOUT) == nothing

    driver.write(project, {"size": 10, "objects": 5}, timeout=TIMEOUT)
    assert subject.limits(project)["size"] == 10
    assert subject.admin("GET", "user", uid=project).json()["keys"] == []


def test_where_the_gateway_makes_users_nothing_is_told_too(subject: StorageSubject) -> None:
    driver = subject.driver(subject.address, users_by_keystone=True)
    project = uuid.uuid4().hex
    assert driver.read(project, ["size"], timeout=TIMEOUT) == {"size": Figure(None, 0)}
    driver.write(project, {"size": 0}, timeout=TIMEOUT)
    assert driver.read(project, ["size"], timeout=TIMEOUT) == {"size": Figure(0, 0)}


def test_a_user_can_be_called_by_tenant_and_project(subject: StorageSubject) -> None:
    driver = subject.driver(subject.address, uid="{project_id}${project_id}")
    project = uuid.uuid4().hex
    driver.write(project, {"size": 10}, timeout=TIMEOUT)
    uid = f"{project}${project}"
    assert subject.admin("GET", "user", uid=uid).json()["user_quota"]["max_size_kb"] == 10
    assert driver._project_of(uid) == project
    assert driver._project_of(project) is None


def test_what_bounds_nothing_reads_as_unlimited(subject: StorageSubject, driver: RgwDriver) -> None:
    project = subject.new_project()
    subject.admin("POST", "user", uid=project, **{"max-buckets": "0"})
    found = driver.read(project, timeout=TIMEOUT)
    assert {key: figure.limit for key, figure in found.items()} == dict.fromkeys(
        subject.keys, UNLIMITED
    )
    quota = {"quota": "", "quota-type": "user", "enabled": "false", "max-size-kb": "7"}
    subject.admin("PUT", "user", uid=project, **quota)
    assert driver.read(project, ["size"], timeout=TIMEOUT)["size"].limit == UNLIMITED


def test_keys_that_the_gateway_does_not_know_are_a_matter_of_credentials(
    subject: StorageSubject,
) -> None:
    subject.gateway["access_key"] = "NOBODY"
    with pytest.raises(BackendError) as excinfo:
        subject.driver(subject.address).read("0" * 32, timeout=TIMEOUT)
    assert (excinfo.value.kind, excinfo.value.code) == (Kind.REFUSED, "credentials")


@pytest.mark.parametrize("missing", ["url", "access_key", "secret_key"])
def test_clouds_yaml_without_a_gateway_is_named(tmp_path: Path, missing: str) -> None:
    entry = {"url": "http://127.0.0.1:1", "access_key": "a", "secret_key": "b"}
    del entry[missing]
    file = tmp_path / "clouds.yaml"
    file.write_text(f"clouds: {{c: {{rgw: {entry}}}}}")
    for cloud in ("c", "other"):
        driver = RgwDriver(EndpointConfig("e", "rgw", cloud, None, {}, str(file)))
        with pytest.raises(BackendError) as excinfo:
            driver.read("0" * 32, timeout=TIMEOUT)
        assert (excinfo.value.kind, excinfo.value.code) == (Kind.REFUSED, "configuration")
