"""Drift at its pages: who sees it, what it says, what each verb asks before it is done."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from quotas.models import Drift, Endpoint, Job, Limit, Target
from quotas.states import DriftEnd, DriftKind, EndpointState, TargetState
from quotas.tests.counting import assert_flat
from quotas.tests.drifting import make_drift
from quotas.tests.endpoints.steps import share_nova
from quotas.tests.pages.acting import ask, client_of, grant, text_of
from quotas.tests.site import GIB, Site, make_project

CORES = "Nova geneva says 200 for cores instead of 128."


@pytest.fixture
def drift(site: Site) -> Drift:
    """128 cores were granted, and somebody set 200 in Nova."""
    grant(site, ask(site, {site.vcpu.slug: 128}))
    Target.objects.update(
        state=TargetState.APPLIED, next_try_at=None, observed_at=timezone.now(),
        looked_at=timezone.now(),
    )  # fmt: skip
    return make_drift(site, "cores", wanted=128, seen=200)


@pytest.fixture
def otto(site: Site) -> Client:
    return client_of(site, "otto")


def page(client: Client, name: str = "drift_list", *args: Any, query: str = "") -> str:
    answer = client.get(reverse(name, args=args) + query)
    assert answer.status_code == 200
    return text_of(answer)


def adopt_url(drift: Drift) -> str:
    return reverse("drift_adopt", args=["atlas-reco", drift.pk])


def test_the_list_shows_what_differs_and_what_can_be_done_by_whom(
    site: Site, drift: Drift, otto: Client
) -> None:
    shown = page(otto)
    assert CORES in shown
    assert "Restore…" in shown
    assert "Or adopted, by who decides quota for ORG/EP/ATLAS" in shown
    read_only = page(client_of(site, "audrey"))
    assert CORES in read_only
    assert "Restore…" not in read_only


def test_the_list_is_narrowed_by_kind_endpoint_project_and_state(
    site: Site, drift: Drift, otto: Client
) -> None:
    renamed = make_drift(site, kind=DriftKind.PROJECT_RENAMED, seen_name="mine")

    def found(query: str) -> list[int]:
        answer = otto.get(reverse("drift_list") + query)
        return [row.drift.pk for row in answer.context["rows"]]

    assert found("") == [drift.pk, renamed.pk]
    assert found("?kind=project+renamed") == [renamed.pk]
    assert found("?endpoint=nova-geneva") == [drift.pk]
    assert found("?project=nobody") == []
    assert found("?show=ignored") == []
    Drift.objects.filter(pk=drift.pk).update(ignored_until=timezone.now() + timedelta(days=1))
    assert found("?show=ignored") == [drift.pk]
    Drift.objects.filter(pk=drift.pk).update(ended_at=timezone.now(), end=DriftEnd.GONE)
    assert found("?show=ended") == [drift.pk]


def test_coverage_never_counts_as_fine_what_was_not_read(
    site: Site, drift: Drift, otto: Client
) -> None:
    assert "0 of 1 1 not known, 1 never read" not in page(otto)
    Target.objects.filter(endpoint__slug="cinder-geneva").update(
        observed_at=None, look_error_code="timeout", look_error_words="<b>No answer</b> in 20 s"
    )
    Endpoint.objects.filter(slug="nova-geneva").update(state=EndpointState.PAUSED)
    answer = otto.get(reverse("drift_list"))
    shown = text_of(answer)
    assert "0 of 1 1 not known, 1 never read" in shown
    assert "not looked at until it is resumed" in shown
    assert "atlas-reco at Cinder geneva: <b>No answer</b> in 20 s never read" in shown
    assert "&lt;b&gt;No answer" in answer.content.decode()


def test_a_restore_says_what_it_writes_and_then_asks_for_it(
    site: Site, drift: Drift, otto: Client
) -> None:
    make_drift(site, "ram", wanted=0, seen=5 * GIB)
    shown = page(otto, "drift_restore", drift.pk)
    assert "cores at Nova geneva is set to 128 again." in shown
    assert "Whatever else differs there is written too: ram." in shown
    assert otto.post(reverse("drift_restore", args=[drift.pk])).status_code == 302
    drift.refresh_from_db()
    assert drift.restore_asked_by == site.otto
    assert Target.objects.get(pk=drift.target_id).state == TargetState.DUE
    assert "Otto has it restored" in page(otto)


def test_what_cannot_be_restored_says_what_helps(site: Site, otto: Client) -> None:
    missing = make_drift(site, "cores", kind=DriftKind.KEY_MISSING, wanted=128)
    assert "leave the limit out" in page(otto, "drift_restore", missing.pk)
    refused = otto.post(reverse("drift_restore", args=[missing.pk]))
    assert refused.status_code == 409
    assert "leave the limit out" in text_of(refused)


def test_ignoring_takes_a_day_and_a_reason_and_keeps_what_was_typed(
    drift: Drift, otto: Client
) -> None:
    url = reverse("drift_ignore", args=[drift.pk])
    day = (timezone.localdate() + timedelta(days=3)).isoformat()
    for form in ({"until_on": day, "reason": ""}, {"until_on": "soon", "reason": "Later."}):
        refused = otto.post(url, form)
        assert refused.status_code == 422
        assert next(filter(None, form.values())) in refused.content.decode()
    assert otto.post(url, {"until_on": day, "reason": "A test runs."}).status_code == 302
    assert CORES not in page(otto)
    assert "A test runs." in page(otto, query="?show=ignored")


@pytest.mark.parametrize("do", ["restore", "ignore"])
def test_many_are_confirmed_first_and_then_a_job(drift: Drift, otto: Client, do: str) -> None:
    url, form = reverse("drift_chosen"), {"drift": [drift.pk], "do": do}
    first = otto.post(url, form)
    assert first.status_code == 200
    assert CORES in text_of(first)
    assert not Job.objects.exists()
    day = (timezone.localdate() + timedelta(days=3)).isoformat()
    sent = otto.post(url, form | {"confirmed": "yes", "until_on": day, "reason": "A test."})
    job = Job.objects.get()
    assert (sent.status_code, job.kind) == (302, f"drift_{do}")
    assert sent["Location"] == reverse("job_detail", args=[job.pk])
    assert "Nova geneva" in page(otto, "job_detail", job.pk)


def test_the_project_page_tells_members_a_sentence_and_offers_deciders_to_adopt(
    site: Site, drift: Drift
) -> None:
    member = page(client_of(site, "bob"), "project_detail", "atlas-reco")
    assert f"{CORES} limit changed outside" in member
    assert "on the cloud operators' list" in member
    assert "Adopt as quota…" not in member
    decider = page(client_of(site, "dana"), "project_detail", "atlas-reco")
    assert "Adopt as quota…" in decider


def test_adopting_shows_the_quota_before_and_after_and_does_it(site: Site, drift: Drift) -> None:
    # Dana gave them all that she may within a month.
    erin = client_of(site, "erin")
    shown = text_of(erin.get(adopt_url(drift)))
    assert "128 → 200 ( +72 ), from ORG/EP/ATLAS, which has 872" in shown
    sent = erin.post(adopt_url(drift), {"seen": "200", "reason": "They need it."})
    assert sent.status_code == 302
    assert site.quota(site.vcpu) == 200
    after = page(erin, "project_detail", "atlas-reco")
    assert "Erin adopted what Nova geneva says, by" in after
    assert CORES not in after


def test_of_several_zones_the_only_one_with_quota_is_proposed(site: Site, drift: Drift) -> None:
    share_nova(site)
    html = " ".join(client_of(site, "dana").get(adopt_url(drift)).content.decode().split())
    assert f'value="{site.vcpu.slug}" checked' in html
    assert html.count(" checked") == 1


def test_adopting_is_refused_with_figures_and_keeps_what_was_typed(
    site: Site, drift: Drift
) -> None:
    dana = client_of(site, "dana")
    stale = dana.post(adopt_url(drift), {"seen": "150", "reason": "They need it."})
    assert stale.status_code == 412
    assert "They need it." in stale.content.decode()
    Drift.objects.update(seen=5000)
    assert "which lacks 4000" in text_of(client_of(site, "erin").get(adopt_url(drift)))
    no_room = client_of(site, "erin").post(adopt_url(drift), {"seen": "5000"})
    assert no_room.status_code == 409
    assert "872 left" in text_of(no_room)
    Drift.objects.update(kind=DriftKind.UNLIMITED, seen=-1)
    assert "Unlimited is no amount" in text_of(dana.get(adopt_url(drift)))


def test_the_list_costs_the_same_for_few_and_many(site: Site, drift: Drift, otto: Client) -> None:
    def grow() -> None:
        limit = Limit.objects.get(key="cores")
        for number in range(20):
            project = make_project(site, f"p{number}", "atlas", timezone.now())
            make_drift(site, limit.key, project=project, wanted=1, seen=2)

    assert_flat("drift_list", lambda: page(otto), grow)


def test_the_project_page_costs_the_same_for_little_and_much_drift(
    site: Site, drift: Drift
) -> None:
    dana = client_of(site, "dana")

    def grow() -> None:
        for key in ("ram", "gigabytes", "gigabytes_storage-a"):
            make_drift(site, key, wanted=0, seen=GIB)

    assert_flat("project_detail_drift", lambda: page(dana, "project_detail", "atlas-reco"), grow)
