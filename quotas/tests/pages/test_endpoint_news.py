"""What the pages of endpoints tell beside their targets: drift, and a service's wish for peace."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from quotas.delivery.permits import PATIENCE_SECONDS, hold_back
from quotas.models import Drift, Target
from quotas.queries.operations import TURN
from quotas.states import TargetState
from quotas.tests.drifting import make_drift
from quotas.tests.pages.deciding import page, text
from quotas.tests.site import Site

NOVA = "nova-geneva"
PAGES = (reverse("endpoint_list"), reverse("endpoint_detail", args=[NOVA]))


@pytest.mark.parametrize("address", PAGES)
def test_a_service_that_asked_for_patience_is_shown_to(site_today: Site, address: str) -> None:
    assert "asks for patience" not in text(page(site_today, "otto", address))
    hold_back(site_today.endpoints[NOVA], 40)
    assert "asks for patience" in text(page(site_today, "otto", address))


@pytest.mark.parametrize("address", PAGES)
def test_our_own_pace_is_no_wish_of_the_services(site_today: Site, address: str) -> None:
    hold_back(site_today.endpoints[NOVA], PATIENCE_SECONDS - 1)
    assert timedelta(seconds=PATIENCE_SECONDS) == TURN
    assert "asks for patience" not in text(page(site_today, "otto", address))


@pytest.mark.parametrize("address", PAGES)
def test_open_drift_is_counted_and_leads_to_its_list(site_today: Site, address: str) -> None:
    listed = f'href="{reverse("drift_list")}?endpoint={NOVA}"'
    assert listed not in page(site_today, "otto", address).content.decode()
    make_drift(site_today, "cores", wanted=100, seen=120)
    answer = page(site_today, "otto", address)
    assert "1 differs" in text(answer)
    assert listed in answer.content.decode()
    Drift.objects.update(ignored_until=timezone.now() + timedelta(days=1))
    assert "differs" not in text(page(site_today, "otto", address))


def test_who_operates_finds_a_projects_plan_on_its_page(site_today: Site) -> None:
    address = reverse("project_detail", args=[site_today.project.slug])
    plan = f'href="{reverse("project_plan", args=[site_today.project.slug])}"'
    assert plan in page(site_today, "otto", address).content.decode()
    assert plan not in page(site_today, "alice", address).content.decode()


def test_a_state_that_no_target_is_in_does_not_hide_the_others(site_today: Site) -> None:
    targets = Target.objects.filter(endpoint=site_today.endpoints[NOVA])
    targets.update(state=TargetState.APPLIED)
    assert "Nothing waits here" in text(page(site_today, "otto", PAGES[1]))
    targets.update(state=TargetState.DUE)
    words = text(page(site_today, "otto", PAGES[1] + "?state=refused"))
    assert "None to show" in words
    assert "Nothing waits here" not in words
