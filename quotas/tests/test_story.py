"""A quota request goes from a browser to a cloud and back: on the sandbox and on real OpenStack."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from contrib.testing.clouds import Site as CloudSite
from portal.testing.servers import DatabaseCopy
from projects.models import Project
from quotas.models import Delivery
from quotas.queries.accounts import audit
from quotas.states import TargetState
from quotas.tests.stage import Stage, approve, ask, staged

pytestmark = pytest.mark.needs("chromium")
VCPU, SPACE = ("vCPU", "compute-a"), ("Volume space", "storage-a")
VOLUMES = ("Volumes", "storage-a")


@pytest.fixture(params=["sandbox", pytest.param("openstack", marks=pytest.mark.needs("openstack"))])
def cloud(request: pytest.FixtureRequest) -> CloudSite:
    found: CloudSite = request.getfixturevalue(f"{request.param}_site")
    return found


@pytest.fixture
def stage(
    cloud: CloudSite, database_copy: DatabaseCopy, browser: Browser, tmp_path: Path
) -> Iterator[Stage]:
    with staged(cloud, database_copy, browser, tmp_path) as standing:
        yield standing


def test_a_wish_becomes_true_in_both_regions(stage: Stage) -> None:
    with stage.person("alice") as alice, stage.person("dana") as dana:
        for number in (0, 1):
            region = stage.region(number)
            asked = ask(alice, region, {VCPU: "64", SPACE: "1.5T"}, "First light")
            expect(alice.page.locator("#request-state")).to_contain_text("waits")
            approve(dana, asked)
            # Her page tells it by itself, once it was read back.
            expect(alice.page.locator("#request-state")).to_contain_text("applied")
            expect(alice.page.locator(".val[data-kind=applied]")).to_have_count(2)
            _check_in_the_cloud(stage, region)
    project = Project.objects.get(slug="telescope")
    found = stage.cloud.plain.projects_with(project.tag)
    assert [(each["id"], each["name"]) for each in found] == [(stage.external_id, project.name)]
    assert audit() == []


def _check_in_the_cloud(stage: Stage, region: str) -> None:
    plain, project = stage.cloud.plain, stage.external_id
    compute, volume = plain.compute_limits(region, project), plain.volume_limits(region, project)
    by_type = f"gigabytes_{stage.cloud.volume_types[0]}"
    other = f"gigabytes_{stage.cloud.volume_types[1]}"
    assert (compute["cores"], compute["ram"]) == (64, 0)
    assert (volume[by_type], volume["gigabytes"], volume[other]) == (1536, 1536, 0)


def test_what_is_in_use_is_not_taken_away(stage: Stage) -> None:
    region = stage.region(0)
    cinder = f"cinder-{region}"
    with stage.person("alice") as alice, stage.person("dana") as dana, stage.person("otto") as otto:
        approve(dana, ask(alice, region, {SPACE: "30G", VOLUMES: "5"}, "Plates"))
        expect(alice.page.locator("#request-state")).to_contain_text("applied")
        volume_type = stage.cloud.volume_types[0]
        stage.cloud.set_volumes(region, stage.external_id, 2, gib=10, volume_type=volume_type)
        approve(dana, ask(alice, region, {SPACE: "10G"}, "Fewer plates"))
        stage.wait_for(lambda: stage.target(cinder).state == TargetState.REFUSED, "refused")
        # The owner gets a sentence, the operator the figures; nobody a check mark.
        alice.page.reload()
        expect(alice.page.locator("#progress .notice")).to_contain_text("in use")
        expect(alice.page.locator(".val[data-kind=applied] .icon")).to_have_count(0)
        otto.page.goto(f"/operations/endpoints/{cinder}/")
        expect(otto.page.locator("main")).to_contain_text("20 GiB in use, 10 GiB granted")
        assert stage.cloud.plain.volume_limits(region, stage.external_id)["gigabytes"] == 30
        stage.cloud.set_volumes(region, stage.external_id, 0, gib=10, volume_type=volume_type)
        expect(alice.page.locator("#request-state")).to_contain_text("applied")
        assert stage.cloud.plain.volume_limits(region, stage.external_id)["gigabytes"] == 10


def test_a_project_deleted_behind_our_back_is_said_and_nothing_called_applied(
    stage: Stage,
) -> None:
    region = stage.region(1)
    plain, project = stage.cloud.plain, stage.external_id
    plain.done("DELETE", "identity", f"/projects/{project}")
    with stage.person("alice") as alice, stage.person("dana") as dana, stage.person("otto") as otto:
        approve(dana, ask(alice, region, {VCPU: "8", SPACE: "10G"}, "Spectra"))
        for service in ("keystone", f"nova-{region}", f"cinder-{region}"):
            stage.wait_for(
                lambda service=service: stage.target(service).state == TargetState.REFUSED,  # type: ignore[misc]
                f"{service} is refused",
            )
        alice.page.reload()
        expect(alice.page.locator("#progress .notice").first).to_be_visible()
        expect(alice.page.locator(".val[data-kind=applied] .icon")).to_have_count(0)
        otto.page.goto(f"/operations/endpoints/cinder-{region}/")
        expect(otto.page.locator("main")).to_contain_text("deleted outside Remit")
    assert Delivery.objects.filter(applied_at__isnull=False).count() == 0
