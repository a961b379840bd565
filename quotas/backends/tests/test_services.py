"""What single services do their own way, on the sandbox and on real services of two releases."""

from pathlib import Path
from typing import cast

import pytest

from contrib.testing.clouds import OpenstackSite, SandboxSite, Site
from contrib.testing.rows import change
from quotas.backends import (
    UNLIMITED,
    BackendError,
    Figure,
    GapDriver,
    Kind,
    QuotaDriver,
    SurveyDriver,
)
from quotas.backends.conformance.relay import Relay
from quotas.backends.manila import ManilaDriver
from quotas.backends.openstack import Service
from quotas.backends.tests import capabilities, subjects
from quotas.backends.tests.conftest import TIMEOUT
from quotas.backends.tests.subjects import CloudSubject

CountedSubject = tuple[CloudSubject, str]
"""A subject, and a key that it can use."""


class OnClouds:
    of: type[CloudSubject]

    @pytest.fixture(params=[0, 1], ids=["xena", "2026.1"])
    def subject(self, request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> CloudSubject:
        return self.of(site, request.param, tmp_path)


def surveyor(driver: QuotaDriver) -> SurveyDriver:
    assert hasattr(driver, "survey")
    return cast(SurveyDriver, driver)


@pytest.mark.needs("openstack")
@pytest.mark.parametrize("number", [0, 1], ids=["xena", "2026.1"])
def test_openstack_nova_lists_what_it_counts(
    openstack_site: OpenstackSite, tmp_path: Path, number: int
) -> None:
    """What is deleted softly is neither; what is shelved, or found no host, is both."""
    subject = subjects.NovaSubject(openstack_site, number, tmp_path)
    driver, project = subject.driver(subject.address), subject.new_project()
    subject.use(project, "instances", 4)
    for state in ("soft-delete", "shelved_offloaded", "error"):
        statement = "UPDATE instances SET vm_state = %s WHERE project_id = %s"
        statement += " AND vm_state = 'active' LIMIT 1"
        assert change(subject.region, "nova", statement, state, project) == 1
    one = driver.read(project, timeout=TIMEOUT)
    every = surveyor(driver).survey(timeout=TIMEOUT).figures[project]
    used = {key: figure.used for key, figure in one.items()}
    assert used == {"instances": 3, "cores": 3, "ram": 3 * 512}
    assert {key: figure.used for key, figure in every.items()} == used


@pytest.mark.needs("openstack")
@pytest.mark.parametrize("number", [0, 1], ids=["xena", "2026.1"])
def test_openstack_cinder_lists_what_it_counts(
    openstack_site: OpenstackSite, tmp_path: Path, number: int
) -> None:
    """Volumes of its own are no use; snapshots take space, unless it is told that they do not."""
    subject = subjects.CinderSubject(openstack_site, number, tmp_path)
    driver, project = subject.driver(subject.address), subject.new_project()
    subject.use(project, "volumes", 2)
    make_snapshot(subject, project)
    keys = ["volumes", "gigabytes", "snapshots", f"gigabytes_{subject.volume_type}"]
    one = driver.read(project, keys, timeout=TIMEOUT)
    assert [one[key].floor for key in keys] == [2, 3, 1, 3]
    assert used_by(project, driver, keys) == [2, 3, 1, 3]
    without = subject.driver(subject.address, no_snapshot_gb_quota=True)
    assert used_by(project, without, keys) == [2, 2, 1, 2]

    statement = "UPDATE volumes SET use_quota = 0 WHERE project_id = %s AND status = 'creating'"
    assert change(subject.region, "cinder", statement, project) == 1
    assert used_by(project, driver, keys) == [1, 2, 1, 2]


def make_snapshot(subject: CloudSubject, project: str) -> None:
    """Of one of the project's volumes, once it is told what an agent would tell."""
    inside = subject.inside(project)
    volumes = inside.done("GET", subject.service, "/volumes", region=subject.region)["volumes"]
    statement = "UPDATE volumes SET status = 'available', host = 'a@b#c' WHERE id = %s"
    assert change(subject.region, "cinder", statement, volumes[0]["id"]) == 1
    body = {"snapshot": {"volume_id": volumes[0]["id"]}}
    inside.done("POST", subject.service, "/snapshots", body, region=subject.region)


def used_by(project: str, driver: QuotaDriver, keys: list[str]) -> list[int | None]:
    found = surveyor(driver).survey(keys, timeout=TIMEOUT).figures[project]
    return [found[key].used for key in keys]


def test_a_nova_that_counts_from_placement_is_read_project_by_project(
    sandbox_site: SandboxSite, tmp_path: Path
) -> None:
    subject = subjects.NovaSubject(sandbox_site, 1, tmp_path)
    with Relay(subject.address) as relay:
        driver = subject.driver(relay.address, from_placement=True)
        found = surveyor(driver).survey(timeout=TIMEOUT)
        assert (found.counted, found.bounded, found.gaps) == (frozenset(), frozenset(), ())
        with subject.short_of_a_part():
            assert cast(GapDriver, driver).gaps(timeout=TIMEOUT) == ()
        assert relay.calls == []


class TestPages:
    """A list of all that there is goes on where a page ends."""

    @pytest.fixture(
        params=[
            (subjects.NovaSubject, "instances"),
            (subjects.CinderSubject, "volumes"),
            (subjects.NeutronSubject, "network"),
            (subjects.ManilaSubject, "shares"),
            (subjects.OctaviaSubject, "load_balancer"),
        ],
        ids=lambda param: param[1],
    )
    def counted(self, request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> CountedSubject:
        of, key = request.param
        return of(site, 1, tmp_path), key

    def test_all_pages_are_counted(
        self, counted: CountedSubject, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        subject, key = counted
        driver, project = surveyor(subject.driver(subject.address)), subject.new_project()
        subject.use(project, key, 3)
        for of in (Service, ManilaDriver):
            monkeypatch.setattr(of, "page_size", 2)
        found = driver.survey([key], timeout=TIMEOUT)
        assert found.figures[project][key].used == 3


class TestManila(OnClouds):
    of = subjects.ManilaSubject

    def test_a_project_and_its_types_rise_and_fall_together(
        self, subject: subjects.ManilaSubject
    ) -> None:
        driver, project = subject.driver(subject.address), subject.new_project()
        of_type = f"shares_{subject.share_type}"
        # Of a type there may be no more than of all when it is set: 50 at first.
        for shares, gigabytes in ((80, 900), (20, 3000), (500, 4)):
            wanted = {
                of_type: shares,
                "shares": shares,
                f"gigabytes_{subject.share_type}": gigabytes,
                "gigabytes": gigabytes,
            }
            driver.write(project, wanted, timeout=TIMEOUT)
            found = driver.read(project, wanted, timeout=TIMEOUT)
            assert {key: figure.limit for key, figure in found.items()} == wanted

    def test_a_type_above_its_project_is_refused(self, subject: subjects.ManilaSubject) -> None:
        driver, project = subject.driver(subject.address), subject.new_project()
        with pytest.raises(BackendError) as excinfo:
            driver.write(project, {f"shares_{subject.share_type}": 51}, timeout=TIMEOUT)
        assert (excinfo.value.kind, excinfo.value.code) == (Kind.REFUSED, "above_maximum")
        assert "must be less than 50" in excinfo.value.words

    def test_replicas_are_counted_for_all_as_for_one(self, subject: subjects.ManilaSubject) -> None:
        driver, project = subject.driver(subject.address), subject.new_project()
        share_type = subject.replicate(project)
        counted = {"share_replicas": 1, "replica_gigabytes": 2}
        wanted = counted | {f"{key}_{share_type}": value for key, value in counted.items()}
        one = driver.read(project, wanted, timeout=TIMEOUT)
        every = surveyor(driver).survey(wanted, timeout=TIMEOUT).figures[project]
        assert {key: figure.floor for key, figure in one.items()} == wanted
        assert {key: figure.used for key, figure in every.items()} == wanted


class TestOctavia(OnClouds):
    of = subjects.OctaviaSubject

    def test_both_spellings_are_one_limit(self, subject: subjects.OctaviaSubject) -> None:
        project = subject.new_project()
        with Relay(subject.address) as relay:
            driver = subject.driver(relay.address)
            driver.write(project, {"loadbalancer": 3, "health_monitor": 4}, timeout=TIMEOUT)
            assert [call.body for call in relay.writes()] == [
                b'{"quota": {"load_balancer": 3, "health_monitor": 4}}'
            ]
            keys = ["loadbalancer", "load_balancer", "healthmonitor", "health_monitor"]
            found = driver.read(project, keys, timeout=TIMEOUT)
            assert [found[key].limit for key in keys] == [3, 3, 4, 4]
            relay.forget()
            with pytest.raises(BackendError) as excinfo:
                both = {"load_balancer": 1, "loadbalancer": 1}
                driver.write(project, both, timeout=TIMEOUT)
            assert (excinfo.value.code, relay.calls) == ("bad_request", [])

    def test_only_the_lists_that_are_asked_for_are_read(
        self, subject: subjects.OctaviaSubject
    ) -> None:
        project = subject.new_project()
        with Relay(subject.address) as relay:
            driver = subject.driver(relay.address)
            driver.read(project, ["pool", "member"], timeout=TIMEOUT)
            paths = [call.path.partition("?")[0].partition("/lbaas/")[2] for call in relay.calls]
            assert paths == [f"quotas/{project}", "pools"]
            relay.forget()
            driver.read(project, timeout=TIMEOUT)
            assert len(relay.calls) == 6


class TestKeystoneLimits(OnClouds):
    of = capabilities.KeystoneLimitsSubject

    def test_a_limit_becomes_zero_though_keystone_ignores_it(
        self, subject: capabilities.KeystoneLimitsSubject
    ) -> None:
        driver, project = subject.driver(subject.address), subject.new_project()
        for value in (5, 0, 7):
            driver.write(project, {"servers": value}, timeout=TIMEOUT)
            assert subject.limits(project)["servers"] == value
            found = driver.read(project, ["servers"], timeout=TIMEOUT)
            assert found == {"servers": Figure(value, 0, 0)}

    def test_keystone_itself_answers_yes_to_zero_and_changes_nothing(
        self, subject: capabilities.KeystoneLimitsSubject
    ) -> None:
        """Why the driver takes such a limit away and makes it anew."""
        driver, project = subject.driver(subject.address), subject.new_project()
        driver.write(project, {"servers": 5}, timeout=TIMEOUT)
        limit = subject.ask("GET", f"/limits?project_id={project}")["limits"][0]
        subject.ask("PATCH", f"/limits/{limit['id']}", {"limit": {"resource_limit": 0}})
        assert subject.limits(project)["servers"] == 5


@pytest.mark.parametrize(
    "of", [capabilities.FlavorAccessSubject, capabilities.TypeAccessSubject], ids=["flavor", "type"]
)
class TestAccess:
    @pytest.fixture(params=[0, 1], ids=["xena", "2026.1"])
    def subject(
        self,
        request: pytest.FixtureRequest,
        site: Site,
        tmp_path: Path,
        of: type[capabilities.AccessSubject],
    ) -> capabilities.AccessSubject:
        return of(site, request.param, tmp_path)

    def test_what_is_public_is_unlimited_and_not_granted(
        self, subject: capabilities.AccessSubject
    ) -> None:
        driver, public = capabilities.public_one(subject)
        project = subject.new_project()
        assert driver.read(project, [public], timeout=TIMEOUT) == {public: Figure(UNLIMITED)}
        with pytest.raises(BackendError) as excinfo:
            driver.write(project, {subject.keys[0]: 1, public: 1}, timeout=TIMEOUT)
        assert (excinfo.value.kind, excinfo.value.code) == (Kind.REFUSED, "not_private")
        assert set(subject.limits(project).values()) == {0}

    def test_a_key_may_be_an_id(self, subject: capabilities.AccessSubject) -> None:
        driver, project = subject.driver(subject.address), subject.new_project()
        name = subject.keys[0]
        external_id = subject.ids[name]
        driver.write(project, {external_id: 1}, timeout=TIMEOUT)
        assert driver.read(project, [external_id, name], timeout=TIMEOUT) == {
            external_id: Figure(1),
            name: Figure(1),
        }
