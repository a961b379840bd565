"""From a limit that a service lacks, by its remedy, to *not enforced*; and back once it has it."""

from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from contrib.sandbox.control import RunningSandbox
from projects.models import Event
from quotas.actions import decide, keys
from quotas.delivery import jobs
from quotas.delivery.converge import converge
from quotas.models import Job, Limit, ProjectHandle, QuotaRequest, Target
from quotas.queries.requests import states_of
from quotas.states import RequestState, TargetState
from quotas.tests.api import Caller, caller
from quotas.tests.pages.deciding import ask, page, text
from quotas.tests.site import Site
from quotas.tests.test_problems import target_of

KEY = "wishes"
REMEDY = "problems/key-missing/nova-geneva/remedy/"


@pytest.fixture
def asked(site_today: Site, sandbox: RunningSandbox, settings: Settings) -> Iterator[QuotaRequest]:
    """100 vCPU are granted; what they feed is a key that Nova lacks, as Nova has said."""
    settings.CLOUDS_YAML = str(sandbox.clouds_yaml)
    settings.CALL_TIMEOUT_SECONDS = 2
    Limit.objects.filter(endpoint__slug="nova-geneva", key="cores").update(key=KEY)
    asked = ask(site_today)
    lines = {line.pk: line.wanted for line in asked.lines.all()}
    decide.approve(
        quota_request=asked, granted=lines, seen=dict.fromkeys(lines, 0), version=1,
        actor=site_today.dana, now=timezone.now(),
    )  # fmt: skip
    run(site_today, "keystone")
    assert run(site_today, "nova-geneva").error_code == "key_missing"
    assert states_of([asked]) == {asked.pk: RequestState.REFUSED}
    yield asked
    sandbox.delete_project(ProjectHandle.objects.get().external_id)


def run(site: Site, endpoint: str) -> Target:
    converge(target_of(site.project, endpoint).pk)
    return target_of(site.project, endpoint)


def limits(sandbox: RunningSandbox) -> dict[str, int]:
    return sandbox.limits(ProjectHandle.objects.get().external_id, "geneva", "compute")


def test_what_an_operator_leaves_out_is_not_enforced_until_the_service_has_it(
    site_today: Site, asked: QuotaRequest, sandbox: RunningSandbox
) -> None:
    before = limits(sandbox)
    otto = caller(site_today, "otto")
    (cause,) = otto.get("problems/").json()["results"]
    assert (cause["cause"], cause["remedy"], cause["count"]) == ("key-missing", "skip_key", 1)

    job = job_of(otto)
    jobs.run(job.pk)
    assert list(job.items.values_list("state", "words")) == [("done", "")]
    target = run(site_today, "nova-geneva")

    assert (target.state, target.error_code) == (TargetState.APPLIED, "")
    assert states_of([asked]) == {asked.pk: RequestState.NOT_ENFORCED}
    assert limits(sandbox) == before | {"ram": 0}
    shown = text(page(site_today, "alice", reverse("request_detail", args=[asked.pk])))
    assert "Not enforced at Nova geneva" in shown
    assert otto.get("problems/").json()["results"] == []

    # A newer release of the service has it.
    Limit.objects.filter(key=KEY).update(key="cores")
    keys.take_in(limit=Limit.objects.get(key="cores"), actor=site_today.otto, now=timezone.now())
    assert states_of([asked]) == {asked.pk: RequestState.APPLYING}
    assert run(site_today, "nova-geneva").state == TargetState.APPLIED
    assert states_of([asked]) == {asked.pk: RequestState.APPLIED}
    assert limits(sandbox)["cores"] == 100


def job_of(operator: Caller) -> Job:
    answer = operator.post(REMEDY)
    assert answer.status_code == 202, answer.content
    return Job.objects.get(pk=answer.json()["id"])


def test_requesters_read_that_it_is_not_enforced_and_not_what_the_service_said(
    site_today: Site, asked: QuotaRequest
) -> None:
    words = target_of(site_today.project).error_words
    assert words
    for name in ("alice", "bob", "rita", "dana"):
        for address in (
            reverse("request_detail", args=[asked.pk]),
            reverse("project_detail", args=["atlas-reco"]),
            reverse("api_request", args=[asked.pk]),
        ):
            client = Client()
            client.force_login(site_today.people[name])
            assert words not in client.get(address).content.decode(), (name, address)
    said = Event.objects.filter(project=site_today.project).values_list("data", flat=True)
    assert words not in str(list(said))
