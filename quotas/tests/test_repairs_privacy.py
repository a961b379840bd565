"""What repairers must not learn or break: names of projects of others, by any number they try."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Delegation, Project
from projects.states import REPAIRING
from quotas.delivery import jobs
from quotas.models import DelegationBound, Job, Target
from quotas.states import DriftKind, TargetState
from quotas.tests.api import caller, results
from quotas.tests.drifting import make_drift
from quotas.tests.site import Site, make_project
from quotas.tests.test_problems import fail, target_of

SECRET = "secret-merger"


@pytest.fixture
def secret(site_today: Site) -> Project:
    """A project of another unit than ATLAS, in which Mallory repairs all zones."""
    since = timezone.now() - timedelta(hours=1)
    found = make_project(site_today, SECRET, "it", since)
    held = Delegation.objects.create(
        user=site_today.mallory, powers=list(REPAIRING), unit=site_today.units["atlas"],
        starts_at=since, created_at=since,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=held)
    fail(target_of(site_today.project), "forbidden", "own words")
    fail(target_of(found), "forbidden", "their words")
    return found


def bodies_of(site: Site, job: Job) -> str:
    """Everything that the two doors show of a job and its items."""
    client = Client()
    client.force_login(site.mallory)
    found = [
        client.get(reverse("job_detail", args=[job.pk])),
        client.get(reverse("api_job", args=[job.pk])),
        client.get(reverse("api_job_items", args=[job.pk])),
    ]
    assert [each.status_code for each in found] == [200] * 3
    return "".join(each.content.decode() for each in found)


@pytest.mark.parametrize("kind", ["retry", "skip", "remedy"])
def test_a_job_names_no_project_that_its_starter_may_not_see(
    site_today: Site, secret: Project, kind: str
) -> None:
    ids = list(Target.objects.filter(project=secret).order_by("pk").values_list("pk", flat=True))
    body: dict[str, Any] = {"targets": [*ids, target_of(site_today.project).pk]}
    if kind == "skip":
        body["reason"] = "Later."
    answer = caller(site_today, "mallory").post(f"problems/forbidden/nova-geneva/{kind}/", body)
    assert answer.status_code == 202, answer.content
    job = Job.objects.get()
    assert SECRET not in bodies_of(site_today, job)
    jobs.run(job.pk)
    shown = bodies_of(site_today, job)
    assert SECRET not in shown
    assert "atlas-reco" in shown
    assert not job.items.filter(subject_id__in=ids).exists()


def test_a_job_names_its_projects_no_more_once_the_powers_are_revoked(
    site_today: Site, secret: Project
) -> None:
    target = target_of(site_today.project)
    caller(site_today, "mallory").post(
        "problems/forbidden/nova-geneva/retry/", {"targets": [target.pk]}
    )
    site_today.mallory.delegations.update(revoked_at=timezone.now())
    job = Job.objects.get()
    jobs.run(job.pk)
    assert "atlas-reco" not in bodies_of(site_today, job)
    assert Target.objects.get(pk=target.pk).state == TargetState.REFUSED


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("targets/{target}/retry/", {}),
        ("targets/{target}/skip/", {"reason": "Later."}),
        ("targets/{target}/remedy/", {}),
        ("targets/{target}/refresh/", {}),
        ("targets/{target}/recreate/", {}),
        ("drift/{drift}/restore/", {}),
        ("drift/{drift}/ignore/", {"until_on": "2099-01-01", "reason": "Later."}),
        ("drift/{drift}/adopt/", {"seen": 5}),
    ],
)
def test_the_api_does_not_tell_that_a_project_of_others_is_there(
    site_today: Site, secret: Project, path: str, body: dict[str, Any]
) -> None:
    drift = make_drift(site_today, "cores", project=secret, wanted=0, seen=5)
    url = path.format(target=target_of(secret).pk, drift=drift.pk)
    answer = caller(site_today, "mallory").post(url, body)
    unknown = caller(site_today, "mallory").post(path.format(target=10**6, drift=10**6), body)
    assert SECRET not in answer.content.decode()
    assert (answer.status_code, unknown.status_code) == (404, 404)


@pytest.mark.parametrize("name", ["drift_restore", "drift_ignore"])
def test_no_page_tells_that_a_project_of_others_is_there(
    site_today: Site, secret: Project, name: str
) -> None:
    drift = make_drift(site_today, "cores", project=secret, wanted=0, seen=5)
    client = Client()
    client.force_login(site_today.mallory)
    for number in (drift.pk, 10**6):
        assert client.get(reverse(name, args=[number])).status_code == 404


def test_lists_of_the_api_hold_nothing_of_others_whatever_is_filtered(
    site_today: Site, secret: Project
) -> None:
    make_drift(site_today, "cores", project=secret, wanted=0, seen=5)
    make_drift(site_today, project=secret, kind=DriftKind.PROJECT_MISSING)
    Target.objects.filter(project=secret).update(
        look_error_code="timeout", look_error_words="no", looked_at=timezone.now(),
        observed_at=None,
    )  # fmt: skip
    person = caller(site_today, "mallory")
    for path in (
        "targets/", "drift/", "drift/unanswered/", "endpoints/nova-geneva/plan/", "events/",
        "problems/forbidden/nova-geneva/targets/",
    ):  # fmt: skip
        is_filtered = path not in ("drift/unanswered/", "problems/forbidden/nova-geneva/targets/")
        for query in ({}, {"project": SECRET}) if is_filtered else ({},):
            answer = person.get(path, **query)
            assert answer.status_code == 200, (path, answer.content)
            assert SECRET not in answer.content.decode(), path
    (cause,) = person.get("problems/").json()["results"]
    assert (cause["count"], cause["example"]) == (1, "own words")
    assert results(person.get("drift/", project=SECRET)) == []


@pytest.mark.parametrize("number", [0, -1, 2**63, 10**40])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("problems/forbidden/nova-geneva/retry/", "targets"),
        ("drift/restore/", "drift"),
        ("drift/ignore/", "drift"),
        ("endpoints/nova-geneva/refresh/", "targets"),
    ],
)
def test_a_number_that_is_no_row_is_refused_and_breaks_nothing(
    site_today: Site, path: str, name: str, number: int
) -> None:
    body: dict[str, Any] = {name: [number]}
    if "ignore" in path:
        body |= {"until_on": "2099-01-01", "reason": "x"}
    answer = caller(site_today, "otto").post(path, body)
    assert answer.status_code in (409, 422), answer.content
    assert not Job.objects.exists()


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 19, "-1", "x", "٣"])
def test_forms_take_any_text_as_a_number_without_breaking(site_today: Site, text: str) -> None:
    client = Client()
    client.force_login(site_today.otto)
    for name, args, field in (
        ("drift_chosen", [], "drift"),
        ("problem_retry", ["forbidden", "nova-geneva"], "target"),
        ("endpoint_refresh", ["nova-geneva"], "target"),
    ):
        answer = client.post(reverse(name, args=args), {field: text, "confirmed": "yes"})
        assert answer.status_code in (302, 409, 422), name
    assert not Job.objects.exists()
