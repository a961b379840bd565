"""What is left out at a service is neither waited for nor ever called applied."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from projects.queries.viewers import Viewer
from quotas.actions import decide, keys
from quotas.models import Delivery, Endpoint, Limit, QuotaRequest, Reading
from quotas.queries.delivery import Done, progress_of
from quotas.queries.request_lists import Scope, Stage, find_requests, rows_of
from quotas.queries.requests import states_of
from quotas.states import RequestState, request_state
from quotas.tests.api import caller
from quotas.tests.pages.deciding import ask, page, text
from quotas.tests.site import GIB, Site


@pytest.fixture
def asked(site_today: Site) -> QuotaRequest:
    """100 vCPU and 5 GiB of space, granted; Cinder lacks what space needs."""
    site = site_today
    asked = ask(site, {site.vcpu.slug: 100, site.space.slug: 5 * GIB})
    lines = {line.pk: line.wanted for line in asked.lines.all()}
    decide.approve(
        quota_request=asked, granted=lines, seen=dict.fromkeys(lines, 0), version=1,
        actor=site.dana, now=timezone.now(),
    )  # fmt: skip
    for key in ("gigabytes", "gigabytes_storage-a"):
        limit = Limit.objects.get(key=key)
        keys.leave_out(limit=limit, reason=f"No {key} here.", actor=site.otto, now=timezone.now())
    set_deliveries("cinder-geneva", left_out_at=timezone.now())
    return asked


def set_deliveries(endpoint: str, **values: Any) -> None:
    rows = Delivery.objects.filter(target__endpoint=Endpoint.objects.get(slug=endpoint))
    assert rows.update(**values)


def test_a_request_whose_other_deliveries_are_applied_is_applied_with_a_notice(
    site_today: Site, asked: QuotaRequest
) -> None:
    assert states_of([asked]) == {asked.pk: RequestState.APPLYING}
    set_deliveries("nova-geneva", applied_at=timezone.now())
    assert states_of([asked]) == {asked.pk: RequestState.APPLIED}
    progress = progress_of(asked)
    assert (progress.done, progress.total, progress.is_done) == (1, 1, True)
    assert progress.troubles == []
    assert {limit.key for limit in progress.left_out} == {"gigabytes", "gigabytes_storage-a"}
    html = text(page(site_today, "alice", reverse("request_detail", args=[asked.pk])))
    assert "1 of 1 granted lines applied" in html
    assert "Not enforced at Cinder geneva" in html
    assert "No gigabytes here." in html
    assert "data-poll" not in html


def test_a_line_that_is_left_out_everywhere_has_no_check(
    site_today: Site, asked: QuotaRequest
) -> None:
    set_deliveries("nova-geneva", applied_at=timezone.now())
    by_offering = {each.line.offering: each for each in progress_of(asked).lines}
    space = by_offering[site_today.space]
    assert (space.applied_at, space.waiting, space.slowest) == (None, [], None)
    assert [target.endpoint.slug for target in space.left_out] == ["cinder-geneva"]
    assert by_offering[site_today.vcpu].applied_at


def test_a_request_of_which_nothing_is_enforced_is_not_applied(
    site_today: Site, asked: QuotaRequest
) -> None:
    set_deliveries("nova-geneva", left_out_at=timezone.now())
    assert states_of([asked]) == {asked.pk: RequestState.NOT_ENFORCED}
    assert progress_of(asked).is_done
    answer = caller(site_today, "alice").get(f"requests/{asked.pk}/").json()
    assert answer["state"] == "not enforced"


def test_lists_neither_count_nor_wait_for_what_is_left_out(
    site_today: Site, asked: QuotaRequest
) -> None:
    viewer = Viewer.of(site_today.alice, timezone.now())
    (row,) = rows_of([asked], viewer)
    assert row.done == Done(done=0, total=1)
    set_deliveries("nova-geneva", applied_at=timezone.now())
    assert list(find_requests(viewer, Scope.ALL, Stage.APPLYING)) == []
    assert list(find_requests(viewer, Scope.ALL, Stage.DONE)) == [asked]


def test_the_api_tells_what_is_left_out(site_today: Site, asked: QuotaRequest) -> None:
    answer = caller(site_today, "alice").get(f"requests/{asked.pk}/").json()
    (delivery,) = next(
        each["deliveries"] for each in answer["lines"] if "space" in each["offering"]
    )
    assert delivery["applied_at"] is None
    assert delivery["left_out_at"]
    assert "not enforced" in delivery["sentence"]


def test_taking_the_limit_in_again_makes_its_lines_wait(
    site_today: Site, asked: QuotaRequest
) -> None:
    set_deliveries("nova-geneva", applied_at=timezone.now() - timedelta(minutes=1))
    limit = Limit.objects.get(key="gigabytes")
    keys.take_in(limit=limit, actor=site_today.otto, now=timezone.now())
    assert states_of([asked]) == {asked.pk: RequestState.APPLYING}
    assert not Reading.objects.exists()


@pytest.mark.parametrize(
    ("undelivered", "refused", "left_out", "state"),
    [
        (0, 0, False, RequestState.APPLIED),
        (0, 0, True, RequestState.NOT_ENFORCED),
        (1, 0, True, RequestState.APPLYING),
        (1, 1, True, RequestState.REFUSED),
    ],
)
def test_state_of_a_granted_request(
    undelivered: int, refused: int, left_out: bool, state: RequestState
) -> None:
    found = request_state(
        ["granted"], undelivered_count=undelivered, refused_count=refused, is_left_out=left_out
    )
    assert found == state
