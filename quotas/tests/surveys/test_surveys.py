"""200 projects in two regions are read by as few calls as each API allows, behind all writes."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from pytest_django import Settings

from contrib.scale.cloud import ScaleCloud
from contrib.scale.numbers import (
    REGIONS,
    least_to_survey,
    limits,
    project_id,
    project_name,
    used,
)
from contrib.testing.plain import PlainClient
from portal.observing import SURVEYS_AT_ONCE
from portal.testing.servers import DatabaseCopy
from quotas.delivery import surveys
from quotas.delivery.observe import observe, stale
from quotas.delivery.permits import permit
from quotas.delivery.surveys import due_surveys, plan_surveys, survey
from quotas.models import (
    Account,
    Drift,
    Endpoint,
    KeptLimit,
    Reading,
    SurveyRun,
    Target,
    UsagePeak,
)
from quotas.states import KeptWhy
from quotas.tests.site import NOW, Site

from .conftest import COUNT, SERVICES, make_crowd

SEEN = ("target", "limit", "limit_seen", "used")


def survey_all(*slugs: str) -> None:
    """Each endpoint, or these, as if its moment had come."""
    plan_surveys()
    SurveyRun.objects.update(next_at=Now())
    for endpoint in Endpoint.objects.filter(slug__in=slugs) if slugs else Endpoint.objects.all():
        survey(endpoint.pk)
    assert [*SurveyRun.objects.exclude(error_code="").values_list("error_words", flat=True)] == []


def asked(cloud: ScaleCloud) -> Counter[tuple[str, str | None]]:
    """{(service, region): calls}, without signing in and asking for versions."""
    return Counter(
        (each["service"], each["region"])
        for each in cloud.take_calls()
        if "/auth/" not in each["path"] and "/" in each["path"].strip("/")
    )


def expected_use() -> dict[tuple[str, str, str], int]:
    """{(project, endpoint, key): base units}"""
    return {
        (project_name(number), f"{driver}-{region}", key): used(number, service)[key] * step
        for number in range(1, COUNT + 1)
        for region in REGIONS
        for service, (driver, keys) in SERVICES.items()
        for key, _unit, step in keys
    }


def test_use_of_all_projects_is_read_by_as_few_calls_as_each_api_allows(crowd: ScaleCloud) -> None:
    crowd.forget_calls()
    survey_all()
    least = least_to_survey(COUNT)
    expected: dict[tuple[str, str | None], int] = {
        (service, region): least[service] for service in SERVICES for region in REGIONS
    }
    assert asked(crowd) == expected | {("identity", None): least["identity"]}
    rows = Reading.objects.values_list(
        "target__project__slug", "target__endpoint__slug", "limit__key", "used"
    )
    assert {(project, endpoint, key): use for project, endpoint, key, use in rows} == expected_use()
    peaks = UsagePeak.objects.count()
    assert peaks == len(expected_use())
    # Nothing differs, so nothing is told and nothing is written but what is due for a new date.
    before = [*Reading.objects.order_by("pk").values_list(*SEEN, "read_at", "surveyed_at")]
    survey_all()
    assert [*Reading.objects.order_by("pk").values_list(*SEEN, "read_at", "surveyed_at")] == before
    assert UsagePeak.objects.count() == peaks
    assert not Drift.objects.exists()
    run = SurveyRun.objects.get(endpoint__slug="nova-geneva")
    assert (run.project_count, run.call_count) == (COUNT, least["compute"])


def test_what_is_read_in_one_go_is_not_read_once_more_by_itself(
    crowd: ScaleCloud, settings: Settings
) -> None:
    survey_all()
    # Read long ago, by themselves.
    Target.objects.update(looked_at=Now() - timedelta(seconds=settings.OBSERVE_SECONDS + 1))
    drivers = Counter(stale().values_list("endpoint__driver", flat=True))
    assert drivers == {"keystone": COUNT}, "of a service nothing is due, though long not read"
    survey_all("keystone", *(f"neutron-{region}" for region in REGIONS))
    assert not stale().exists()
    Target.objects.filter(endpoint__driver="nova").update(
        looked_at=Now() - timedelta(seconds=settings.OBSERVE_EACH_SECONDS + 1)
    )
    due = stale().first()
    assert due is not None
    assert due.endpoint.driver == "nova"
    crowd.forget_calls()
    observe(due.pk)
    # The list of projects showed this one: Keystone is not asked for it.
    assert asked(crowd) == {("compute", due.endpoint.region_name): 1}


@pytest.fixture
def changing(crowd: ScaleCloud, tmp_path: Path, settings: Settings) -> Iterator[ScaleCloud]:
    """A cloud for this test alone, which others change."""
    cloud = ScaleCloud(tmp_path, COUNT)
    cloud.start()
    settings.CLOUDS_YAML = str(cloud.clouds_yaml)
    yield cloud
    cloud.stop()


def test_what_others_changed_is_found_by_the_reading_of_all(
    changing: ScaleCloud, settings: Settings
) -> None:
    survey_all()
    plain = PlainClient(changing.clouds_yaml, "sandbox")
    body = {"quota": {"network": limits(3, "network")["network"] + 50}}
    seen = Reading.objects.filter(target__endpoint__slug="neutron-geneva")
    # These were looked at by themselves meanwhile: what is read of all is older.
    looked_at = Target.objects.filter(
        endpoint__slug="neutron-geneva", project__slug__in=map(project_name, (7, 8))
    )
    Reading.objects.filter(target__in=list(looked_at.order_by("pk"))).update(
        read_at=Now() + timedelta(hours=1)
    )
    kept = [
        KeptLimit.objects.create(
            target=each.target, limit=each.limit, why=KeptWhy.TOTAL, seen=7, kept_at=NOW
        )
        for each in seen.filter(
            target__project__slug__in=map(project_name, (8, 9)), limit__key="network"
        ).order_by("target")
    ]
    for number in (3, 4, 7):
        path = f"/v2.0/quotas/{project_id(number)}"
        plain.done("PUT", "network", path, body, region="geneva")
    plain.done("PATCH", "identity", f"/projects/{project_id(5)}", {"project": {"name": "mine"}})
    plain.done("DELETE", "identity", f"/projects/{project_id(6)}")
    # A decision moved this one meanwhile; nobody has delivered it.
    Account.objects.filter(
        project__slug=project_name(4), offering__contributions__limit__key="network"
    ).update(balance=F("balance") + 1)
    Target.objects.filter(project__slug=project_name(4)).update(generation=F("generation") + 1)
    Reading.objects.filter(target__project__slug=project_name(4)).update(limit_seen=None)
    survey_all()
    found = Drift.objects.order_by("pk").values_list(
        "kind", "target__project__slug", "target__endpoint__slug"
    )
    assert sorted(found) == [
        ("limit changed", project_name(3), "neutron-geneva"),
        ("project renamed", project_name(5), "keystone"),
    ]
    assert [*KeptLimit.objects.order_by("pk")] == kept[:1]
    # What the list lacks is looked at by itself before anybody says that it is gone.
    gone, other = (
        Target.objects.get(project__slug=project_name(number), endpoint__slug="keystone")
        for number in (6, 7)
    )
    assert gone.observed_at is not None
    assert other.observed_at is not None
    assert gone.observed_at < other.observed_at
    settings.OBSERVE_SECONDS = 0.001
    observe(gone.pk)
    assert Drift.objects.filter(kind="project missing", target=gone).exists()


def test_a_survey_waits_for_whoever_writes_and_lets_others_write_between_its_calls(
    committed_site: Site, scale_cloud: ScaleCloud, settings: Settings
) -> None:
    settings.CLOUDS_YAML = str(scale_cloud.clouds_yaml)
    scale_cloud.reset()
    make_crowd(committed_site, 5)
    Endpoint.objects.filter(slug="nova-geneva").update(concurrency=1)
    nova = Endpoint.objects.get(slug="nova-geneva")
    plan_surveys()
    SurveyRun.objects.update(next_at=Now())

    def read_all() -> None:
        survey(nova.pk)
        connection.close()

    surveyor = threading.Thread(target=read_all)
    with scale_cloud.pause(service="compute", region="geneva", path="os-services") as first:
        with permit(nova):
            scale_cloud.forget_calls()
            surveyor.start()
            with pytest.raises(TimeoutError):
                first.wait_until_held(0.5)
            assert not asked(scale_cloud)
        first.wait_until_held()
        # It holds the only slot for this one call; the next begins behind whoever writes.
        waiting = Target.objects.filter(endpoint=nova).order_by("pk").first()
        assert waiting is not None
        writer_has = threading.Event()
        may_end = threading.Event()

        def write() -> None:
            with permit(nova):
                writer_has.set()
                may_end.wait(20)
            connection.close()

        writer = threading.Thread(target=write)
        writer.start()
        scale_cloud.forget_calls()
        Target.objects.filter(pk=waiting.pk).update(
            state="leased", lease_token="4f0d7f0e-0000-4000-8000-000000000000",
            lease_until=Now() + timedelta(seconds=60),
        )  # fmt: skip
    assert writer_has.wait(20)
    assert asked(scale_cloud)[("compute", "geneva")] <= 1
    Target.objects.filter(pk=waiting.pk).update(state="applied", lease_token=None, lease_until=None)
    may_end.set()
    for thread in (writer, surveyor):
        thread.join(20)
    assert SurveyRun.objects.get(endpoint=nova).ended_at is not None


def test_a_survey_that_was_killed_begins_anew_once_its_time_is_over(
    committed_site: Site, database_copy: DatabaseCopy, scale_cloud: ScaleCloud, settings: Settings
) -> None:
    settings.CLOUDS_YAML = str(scale_cloud.clouds_yaml)
    scale_cloud.reset()
    make_crowd(committed_site, 5)
    nova = Endpoint.objects.get(slug="nova-geneva")
    plan_surveys()
    SurveyRun.objects.filter(endpoint=nova).update(next_at=Now())
    code = (
        "import django; django.setup();"
        f"from quotas.delivery.surveys import survey; survey({nova.pk})"
    )
    with scale_cloud.pause(service="compute", region="geneva", path="servers/detail") as held:
        worker = subprocess.Popen(
            [sys.executable, "-c", code],
            env=database_copy.environment | {"CLOUDS_YAML": str(scale_cloud.clouds_yaml)},
        )
        try:
            held.wait_until_held()
        finally:
            os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
    assert due_surveys() == []
    SurveyRun.objects.filter(endpoint=nova).update(next_at=Now())
    assert due_surveys() == [], "whoever is at it may still be"
    SurveyRun.objects.filter(endpoint=nova).update(lease_until=Now())
    assert due_surveys() == [nova.pk]
    survey(nova.pk)
    run = SurveyRun.objects.get(endpoint=nova)
    assert (run.project_count, run.token) == (5, None)


def test_endpoints_are_read_each_in_a_moment_of_its_own_and_few_at_once(
    crowd: ScaleCloud, settings: Settings
) -> None:
    plan_surveys()
    moments = SurveyRun.objects.values_list("next_at", flat=True).order_by("next_at")
    assert len(set(moments)) == 1 + len(REGIONS) * len(SERVICES)
    SurveyRun.objects.update(next_at=Now())
    settings.SURVEYS_AT_ONCE = 2
    assert len(due_surveys()) == 2
    held = SurveyRun.objects.order_by("pk").first()
    assert held is not None
    SurveyRun.objects.filter(pk=held.pk).update(
        token="4f0d7f0e-0000-4000-8000-000000000000", lease_until=Now() + timedelta(seconds=60)
    )
    assert len(due_surveys()) == 1


@pytest.mark.parametrize("is_busy", [True, False])
def test_a_survey_that_took_long_and_came_to_nothing_pauses_as_long(
    site: Site, settings: Settings, is_busy: bool
) -> None:
    nova = site.endpoints["nova-geneva"]
    SurveyRun.objects.create(endpoint=nova, next_at=Now())
    turn = surveys._take(nova.pk)
    assert turn is not None
    took = timedelta(seconds=2 * settings.OBSERVE_SECONDS)
    SurveyRun.objects.update(began_at=F("began_at") - took)
    if is_busy:
        surveys._end(turn, again=30)
    else:
        surveys._fail(turn, "timeout", "No answer came.")
    assert SurveyRun.objects.get(token=None, next_at__gt=Now() + 0.9 * took).endpoint == nova


@pytest.mark.parametrize("page", ["operate.md", "connect-a-cloud.md"])
def test_surveys_leave_most_processes_of_a_worker_as_documented_to_deliveries(
    settings: Settings, page: str
) -> None:
    text = (settings.BASE_DIR / "docs" / page).read_text()
    found = re.findall(r"--queues apply,observe,notify --concurrency (\d+)", text)
    assert [int(each) > 2 * SURVEYS_AT_ONCE for each in found] == [True]
