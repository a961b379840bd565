"""Readings are asked for with measure, and awaited."""

from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from projects.models import Event
from quotas.models import Endpoint, Target
from quotas.queries.plan_words import is_asked
from quotas.states import EndpointState, TargetState
from quotas.tests.pages.deciding import page, signed_in, text
from quotas.tests.plan.readings import PLAN, put, target_of
from quotas.tests.site import Site, make_project


def refresh(site: Site, name: str = "otto", **headers: str) -> Any:
    target = target_of(site)
    url = reverse("target_refresh", args=["nova-geneva", target.pk])
    return signed_in(site, name).post(url, headers=headers)


def test_a_reading_is_asked_for_and_awaited(standing: Site) -> None:
    assert refresh(standing).status_code == 302
    target = target_of(standing)
    assert target.looked_at is None
    assert is_asked(target, timezone.now())
    put(standing, looked_at=timezone.now(), observed_at=timezone.now())
    assert not is_asked(target_of(standing), timezone.now())


def test_a_row_polls_until_its_reading_has_come(standing: Site) -> None:
    part = text(refresh(standing, **{"HX-Request": "true"}))
    assert "a reading is asked for" in part
    assert "data-poll" in part
    url = reverse("target_plan", args=["nova-geneva", target_of(standing).pk])
    client = signed_in(standing, "otto")
    assert "data-poll" in text(client.get(url, headers={"HX-Request": "true"}))
    assert "data-poll" not in text(client.get(f"{url}?looks=30", headers={"HX-Request": "true"}))
    put(standing, looked_at=timezone.now(), observed_at=timezone.now())
    done = text(client.get(url, headers={"HX-Request": "true"}))
    # The figures in the head are those of now, too.
    assert 'id="plan-totals" hx-swap-oob="true"' in done
    assert "data-poll" not in done
    assert "atlas-reco was read again." in done
    assert client.get(url).status_code == 302


def test_a_look_that_failed_ends_the_waiting_with_its_words(standing: Site) -> None:
    refresh(standing)
    put(
        standing,
        looked_at=timezone.now(),
        look_error_code="unavailable",
        look_error_words="Try later.",
    )
    assert not is_asked(target_of(standing), timezone.now())
    assert "Try later." in text(page(standing, "otto", f"{PLAN}?show=all"))


def test_what_was_just_read_is_not_read_again(standing: Site) -> None:
    put(standing, looked_at=timezone.now(), observed_at=timezone.now())
    assert refresh(standing).status_code == 409
    assert "read a moment ago" in text(refresh(standing, **{"HX-Request": "true"}))


@pytest.mark.parametrize(
    "state", [TargetState.DUE, TargetState.WAITING, TargetState.RETRYING, TargetState.DIRTY]
)
def test_a_target_that_is_in_work_anyway_says_why_no_reading_comes(
    standing: Site, state: TargetState
) -> None:
    put(standing, state=state, next_try_at=timezone.now())
    assert refresh(standing).status_code == 409
    html = text(page(standing, "otto", f"{PLAN}?show=all"))
    assert "Read again" not in html


@pytest.mark.parametrize("state", [EndpointState.PAUSED, EndpointState.UNREACHABLE])
def test_no_reading_is_asked_for_where_nothing_is_called(
    standing: Site, state: EndpointState
) -> None:
    Endpoint.objects.filter(slug="nova-geneva").update(state=state)
    assert refresh(standing).status_code == 409
    assert target_of(standing).looked_at is not None


def test_a_page_of_targets_is_asked_for_at_once(standing: Site) -> None:
    other = make_project(standing, "other", "atlas", timezone.now())
    ids = list(
        Target.objects.filter(endpoint__slug="nova-geneva")
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    url = reverse("endpoint_refresh", args=["nova-geneva"])
    answer = signed_in(standing, "otto").post(url, {"target": ids, "show": "all", "page": "2"})
    assert answer.headers["Location"] == f"{PLAN}?show=all&page=2"
    assert target_of(standing).looked_at is None
    assert Target.objects.get(project=other, endpoint__slug="nova-geneva").state == TargetState.DUE
    assert Event.objects.filter(verb="refreshed").count() == 0


def test_both_doors_refuse_alike(standing: Site) -> None:
    put(standing, looked_at=timezone.now())
    pk = target_of(standing).pk
    client = signed_in(standing, "otto")
    calls = [
        (f"/api/v1/targets/{pk}/refresh/", {}),
        ("/api/v1/endpoints/nova-geneva/refresh/", {"targets": [pk]}),
        ("/api/v1/endpoints/nova-geneva/refresh/", {"targets": [pk] * 51}),
    ]
    answers = [client.post(url, body, "application/json") for url, body in calls]
    assert [each.status_code for each in answers] == [409, 409, 409]
    url = reverse("endpoint_refresh", args=["nova-geneva"])
    assert client.post(url, {"target": [pk]}).status_code == 409
    assert client.post(url, {"target": [pk] * 51}).status_code == 409
