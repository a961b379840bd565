"""Pages and lists of those who repair: whatever services say, however many rows there are."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Delegation, Project
from projects.states import REPAIRING
from quotas.actions.jobs import start_job
from quotas.delivery import jobs
from quotas.models import (
    DelegationBound,
    Endpoint,
    EndpointWord,
    Job,
    JobItem,
    Limit,
    Target,
)
from quotas.states import DriftKind, ItemState, TargetState
from quotas.tests.api import caller
from quotas.tests.counting import assert_flat
from quotas.tests.drifting import make_drift
from quotas.tests.site import Site, make_project
from quotas.tests.test_problems import crowd, fail, target_of

NASTY = """"><img src=x onerror=alert(1)></code></script><script>alert('%(name)s %s {{7*7}}')"""
RAW = ("<img src=x", "<script>alert")


@pytest.fixture
def nasty(site_today: Site) -> Site:
    """Every text that a service, or somebody in a cloud, gives us is an attempt at a page."""
    site, now = site_today, timezone.now()
    project = site.project
    type(project).objects.filter(pk=project.pk).update(name=NASTY[:64])
    fail(target_of(project), "odd", NASTY)
    fail(target_of(project, "cinder-geneva"), "forbidden", NASTY)
    fail(
        target_of(project, "keystone"), "name_taken", NASTY,
        name_taken_by={"id": NASTY, "name": NASTY, "description": NASTY, "is_enabled": True,
                       "tags": [NASTY]},
    )  # fmt: skip
    Target.objects.update(
        look_error_code="timeout", look_error_words=NASTY, looked_at=now, observed_at=None
    )
    left = Limit.objects.filter(key="ram")
    left.update(left_out_at=now, left_out_by=site.otto, left_out_reason=NASTY, name=NASTY[:64])
    make_drift(site, "cores", wanted=1, seen=2, ignore_reason=NASTY, ignored_by=site.otto,
               ignored_until=now.replace(year=2100))  # fmt: skip
    make_drift(site, kind=DriftKind.PROJECT_RENAMED, seen_name=NASTY)
    make_drift(site, kind=DriftKind.PROJECT_MISSING)
    skipped = make_project(site, "left-out", "atlas", now)
    Target.objects.filter(project=skipped).update(state=TargetState.SKIPPED, skip_reason=NASTY)
    Endpoint.objects.filter(slug="nova-geneva").update(
        state="paused", state_reason=NASTY, state_by=site.otto, state_since=now
    )
    Endpoint.objects.filter(slug="cinder-geneva").update(state="unreachable", state_reason=NASTY)
    EndpointWord.objects.create(
        endpoint=site.endpoints["nova-geneva"], state="paused", reason=NASTY, actor=site.otto,
        at=now,
    )  # fmt: skip
    job = start_job(kind="skip", subjects=[target_of(project).pk], arguments={"reason": NASTY},
                    actor=site.otto, now=now)  # fmt: skip
    JobItem.objects.filter(job=job).update(state=ItemState.REFUSED, words=NASTY)
    return site


def addresses(site: Site) -> list[str]:
    nova, cinder = "nova-geneva", "cinder-geneva"
    keystone = target_of(site.project, "keystone").pk
    drifts = Target.objects.get(pk=keystone).drifts.order_by("pk")
    return [
        reverse("endpoint_list"),
        *(reverse(name, args=[slug]) for slug in (nova, cinder, "keystone")
          for name in ("endpoint_detail", "endpoint_plan", "endpoint_pause", "endpoint_restrict")),
        f"{reverse('endpoint_plan', args=[nova])}?show=all",
        reverse("project_plan", args=["atlas-reco"]),
        reverse("problem_list"),
        reverse("problem_detail", args=["unknown.nova.odd", nova]),
        reverse("problem_detail", args=["forbidden", cinder]),
        reverse("problem_detail", args=["name-taken", "keystone"]),
        *(reverse("problem_detail", args=["skipped", slug]) for slug in (nova, cinder)),
        *(f"{reverse('drift_list')}?show={show}" for show in ("open", "ignored", "ended")),
        *(reverse(name, args=[each.pk]) for each in drifts
          for name in ("drift_restore", "drift_ignore")),
        reverse("target_adopt", args=["keystone", keystone]),
        reverse("target_recreate", args=["keystone", keystone]),
        reverse("job_list"),
        reverse("job_detail", args=[Job.objects.get().pk]),
        reverse("project_detail", args=["atlas-reco"]),
        reverse("project_detail", args=["left-out"]),
        "/",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["otto", "audrey", "alice", "dana"])
def test_no_word_of_a_service_becomes_a_part_of_a_page(nasty: Site, name: str) -> None:
    client = Client()
    client.force_login(nasty.people[name])
    shown = 0
    for address in addresses(nasty):
        answer = client.get(address)
        assert answer.status_code in (200, 403, 404), address
        html = answer.content.decode()
        shown += "&lt;img src=x" in html
        assert not [raw for raw in RAW if raw in html], address
        assert "49')" not in html, address
    assert shown >= (15 if name in ("otto", "audrey") else 1)


# --- however many -----------------------------------------------------------------------


def repairs(site: Site, name: str) -> None:
    """Let somebody of the cast repair everything in all zones."""
    since = timezone.now() - timedelta(hours=1)
    held = Delegation.objects.create(
        user=site.people[name], powers=list(REPAIRING), unit=site.units["org"],
        starts_at=since, created_at=since,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=held)


def grow(site: Site) -> None:
    """Fifty more of everything: failed targets, drift of two kinds, jobs with items, words."""
    crowd(site, 50, "forbidden", "no")
    Target.objects.update(look_error_code="timeout", looked_at=timezone.now(), observed_at=None)
    for target in Target.objects.filter(project__slug__startswith="crowd", endpoint__driver="nova"):
        make_drift(site, "cores", project=target.project, wanted=1, seen=2)
        make_drift(site, kind=DriftKind.PROJECT_MISSING, project=target.project)
        EndpointWord.objects.create(
            endpoint=target.endpoint, state="open", actor=site.otto, at=timezone.now()
        )
        start_job(kind="retry", subjects=[target.pk], actor=site.otto, now=timezone.now())
    first = Job.objects.earliest("pk")
    ids = Target.objects.values_list("pk", flat=True)
    JobItem.objects.bulk_create(
        [JobItem(job=first, subject_kind="target", subject_id=each) for each in ids],
        ignore_conflicts=True,
    )


@pytest.mark.parametrize("name", ["otto", "mallory"])
@pytest.mark.parametrize(
    "path",
    [
        "drift/", "drift/coverage/", "drift/unanswered/", "jobs/", "jobs/{job}/items/",
        "problems/", "problems/forbidden/nova-geneva/targets/", "endpoints/nova-geneva/words/",
    ],
)  # fmt: skip
def test_a_list_costs_the_same_for_few_and_for_many(site_today: Site, path: str, name: str) -> None:
    repairs(site_today, "mallory")
    target = fail(target_of(site_today.project), "forbidden", "no")
    make_drift(site_today, "cores", wanted=1, seen=2)
    job = start_job(
        kind="retry", subjects=[target.pk], actor=site_today.people[name], now=timezone.now()
    )
    Target.objects.update(look_error_code="timeout", looked_at=timezone.now(), observed_at=None)
    person = caller(site_today, name)

    def load() -> None:
        assert person.get(path.format(job=job.pk)).status_code == 200

    assert_flat(f"repairs {name} {path}", load, lambda: grow(site_today))


def _analyze() -> None:
    """As the database does by itself, but not inside of a test's transaction."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE projects_project, quotas_target, quotas_job, quotas_jobitem")


def test_ten_thousand_targets_of_a_cause_become_one_job_that_can_be_read(
    site_today: Site, django_assert_max_num_queries: Any
) -> None:
    site, count, now = site_today, 10_000, timezone.now()
    slugs = [f"many-{number}" for number in range(count)]
    Project.objects.bulk_create(
        [Project(slug=each, name=each, unit=site.units["atlas"], created_at=now) for each in slugs],
        batch_size=2000,
    )
    nova = site.endpoints["nova-geneva"]
    Target.objects.bulk_create(
        [
            Target(
                project=project, endpoint=nova, state=TargetState.REFUSED, error_code="forbidden",
                error_words="no", error_at=now, next_try_at=now,
            )
            for project in Project.objects.filter(slug__startswith="many-")
        ],
        batch_size=2000,
    )  # fmt: skip
    _analyze()
    client = Client()
    client.force_login(site.otto)
    for address in (
        reverse("problem_list"), reverse("problem_detail", args=["forbidden", "nova-geneva"]),
        reverse("api_problem_targets", args=["forbidden", "nova-geneva"]),
    ):  # fmt: skip
        with django_assert_max_num_queries(15):
            assert client.get(address).status_code == 200
    with django_assert_max_num_queries(45):
        answer = caller(site, "otto").post("problems/forbidden/nova-geneva/retry/")
    assert (answer.status_code, answer.json()["total"]) == (202, count)
    _analyze()
    job = Job.objects.get()
    detail = reverse("job_detail", args=[job.pk])
    for address in (detail, f"{detail}?page=400", reverse("api_job_items", args=[job.pk])):
        with django_assert_max_num_queries(15):
            assert client.get(address).status_code == 200
    assert jobs.run(job.pk, seconds=0.2)
    assert 0 < job.items.filter(state=ItemState.DONE).count() < count
