"""Adopting the project that has the name, and having a deleted one made anew: the two verbs."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Delegation, Event
from projects.states import Power
from quotas.actions import drift as drift_verbs
from quotas.actions.problems import apply_remedy
from quotas.models import DelegationBound, Drift, ProjectHandle, Target, Zone
from quotas.states import DriftKind, ErrorKind, TargetState
from quotas.tests.api import caller
from quotas.tests.pages.deciding import page, text
from quotas.tests.site import Site, make_project

STRANGER: dict[str, Any] = {
    "id": "5f1c2ab04d3e4c1f9f1f6f1f4ad6e8aa", "name": "atlas-reco",
    "description": "by <b>hand</b>", "is_enabled": True, "tags": ["by-hand"],
}  # fmt: skip


def at(site: Site, endpoint: str = "keystone") -> Target:
    rows = Target.objects.select_related("endpoint", "project")
    return rows.get(project=site.project, endpoint__slug=endpoint)


def name_taken(site: Site, **theirs: Any) -> Target:
    """The identity endpoint's target, refused as somebody else's project has the name."""
    Target.objects.filter(pk=at(site).pk).update(
        state=TargetState.REFUSED, next_try_at=timezone.now() + timedelta(minutes=10),
        error_kind=ErrorKind.REFUSED, error_code="name_taken", error_id="Q4R7WX",
        error_words="Keystone has it.", error_at=timezone.now(),
        name_taken_by=STRANGER | theirs,
    )  # fmt: skip
    return at(site)


def project_gone(site: Site, endpoint: str = "cinder-geneva") -> Target:
    """A service's target, refused as the project is gone from Keystone; its handle is known."""
    ProjectHandle.objects.get_or_create(
        project=site.project, identity=site.endpoints["keystone"],
        defaults={"external_id": "gone-1", "created_at": timezone.now()},
    )  # fmt: skip
    Target.objects.filter(pk=at(site, endpoint).pk).update(
        state=TargetState.REFUSED, next_try_at=timezone.now() + timedelta(minutes=10),
        error_kind=ErrorKind.REFUSED, error_code="project_gone", error_id="R4R7WX",
        error_words="It no longer exists.", error_at=timezone.now(),
    )  # fmt: skip
    return at(site, endpoint)


def repairs(site: Site, name: str, *zones: str) -> None:
    """Let somebody of the cast repair these zones; without any: all of them."""
    now = timezone.now()
    held = Delegation.objects.create(
        user=site.people[name], powers=[Power.RETRY_DELIVERIES], unit=site.units["org"],
        starts_at=now - timedelta(hours=1), created_at=now,
    )  # fmt: skip
    if not zones:
        DelegationBound.objects.create(delegation=held)
    for zone in Zone.objects.filter(slug__in=zones):
        DelegationBound.objects.create(delegation=held, zone=zone)


# --- the two doors ----------------------------------------------------------------------

Door = Callable[[Site, str, str, Target, dict[str, str]], int]


def by_page(site: Site, name: str, verb: str, target: Target, sent: dict[str, str]) -> int:
    client = Client()
    client.force_login(site.people[name])
    url = reverse(f"target_{verb}", args=[target.endpoint.slug, target.pk])
    status = client.post(url, sent).status_code
    return 200 if status == 302 else status


def by_api(site: Site, name: str, verb: str, target: Target, sent: dict[str, str]) -> int:
    return caller(site, name).post(f"targets/{target.pk}/{verb}/", sent).status_code


both = pytest.mark.parametrize("door", [by_page, by_api])
YES = {"external_id": STRANGER["id"]}


@both
def test_an_operator_adopts_the_project_that_has_the_name(site_today: Site, door: Door) -> None:
    target = name_taken(site_today)
    assert door(site_today, "otto", "adopt", target, YES) == 200
    found = at(site_today)
    assert (found.state, found.adopt_external_id) == (TargetState.DUE, STRANGER["id"])
    event = Event.objects.get(verb="project_adopt")
    assert (event.actor, event.data["external_id"]) == (site_today.otto, STRANGER["id"])


@both
@pytest.mark.parametrize(
    ("name", "status"), [("dana", 403), ("alice", 403), ("mallory", 403), ("audrey", 403)]
)
def test_nobody_else_adopts(site_today: Site, door: Door, name: str, status: int) -> None:
    assert door(site_today, name, "adopt", name_taken(site_today), YES) == status
    assert at(site_today).adopt_external_id == ""


@both
def test_a_repairer_does_not_adopt(site_today: Site, door: Door) -> None:
    repairs(site_today, "mallory")
    assert door(site_today, "mallory", "adopt", name_taken(site_today), YES) == 403


@both
def test_another_project_than_the_one_seen_is_stale(site_today: Site, door: Door) -> None:
    target = name_taken(site_today, id="another")
    assert door(site_today, "otto", "adopt", target, YES) == 412
    assert at(site_today).adopt_external_id == ""


@both
def test_where_no_name_is_taken_nothing_is_adopted(site_today: Site, door: Door) -> None:
    assert door(site_today, "otto", "adopt", at(site_today), YES) == 409


@both
def test_a_project_of_another_remit_is_not_adopted(site_today: Site, door: Door) -> None:
    target = name_taken(site_today, tags=["by-hand", "remit:of-another"])
    assert door(site_today, "otto", "adopt", target, YES) == 409


@both
def test_a_project_of_another_of_ours_is_not_adopted(site_today: Site, door: Door) -> None:
    other = make_project(site_today, "other", "atlas", timezone.now())
    ProjectHandle.objects.create(
        project=other, identity=site_today.endpoints["keystone"], external_id=STRANGER["id"],
        created_at=timezone.now(),
    )  # fmt: skip
    assert door(site_today, "otto", "adopt", name_taken(site_today), YES) == 409


@both
@pytest.mark.parametrize("endpoint", ["keystone", "cinder-geneva"])
def test_a_deleted_project_is_wished_anew_from_any_service(
    site_today: Site, door: Door, endpoint: str
) -> None:
    target = project_gone(site_today, endpoint)
    assert door(site_today, "otto", "recreate", target, {}) == 200
    found = at(site_today)
    assert (found.state, found.recreate_external_id) == (TargetState.DUE, "gone-1")
    assert Event.objects.get(verb="project_recreate").data["external_id"] == "gone-1"


@both
def test_the_wish_said_twice_is_one(site_today: Site, door: Door) -> None:
    target = project_gone(site_today)
    for _ in range(2):
        assert door(site_today, "otto", "recreate", target, {}) == 200
    assert Event.objects.filter(verb="project_recreate").count() == 1


@both
def test_nothing_is_made_anew_where_nothing_is_gone(site_today: Site, door: Door) -> None:
    assert door(site_today, "otto", "recreate", at(site_today), {}) == 409
    assert at(site_today).recreate_external_id == ""


@both
def test_a_repairer_of_all_zones_behind_it_may_and_one_of_some_may_not(
    site_today: Site, door: Door
) -> None:
    target = project_gone(site_today)
    repairs(site_today, "mallory", "storage-a")
    assert door(site_today, "mallory", "recreate", target, {}) == 403
    repairs(site_today, "audrey", "storage-a", "compute-a")
    assert door(site_today, "audrey", "recreate", target, {}) == 200


# --- other ways to the same wish --------------------------------------------------------


def missing(site: Site) -> Drift:
    now = timezone.now()
    return Drift.objects.create(
        target=at(site), kind=DriftKind.PROJECT_MISSING, found_at=now, confirmed_at=now
    )


def test_the_restore_of_a_missing_project_is_the_same_wish(site_today: Site) -> None:
    project_gone(site_today)
    drift_verbs.restore(drift=missing(site_today), actor=site_today.otto, now=timezone.now())
    assert at(site_today).recreate_external_id == "gone-1"


def test_the_wish_is_the_restore_of_its_drift(site_today: Site) -> None:
    project_gone(site_today)
    drift = missing(site_today)
    by_page(site_today, "otto", "recreate", at(site_today), {})
    drift.refresh_from_db()
    assert drift.restore_asked_by == site_today.otto


def test_the_remedy_of_the_known_problem_is_the_same_wish(site_today: Site) -> None:
    target = project_gone(site_today)
    apply_remedy(
        target_id=target.pk, cause="project-gone", actor=site_today.otto, now=timezone.now()
    )
    assert at(site_today).recreate_external_id == "gone-1"


# --- what people read -------------------------------------------------------------------


def test_the_page_shows_whose_name_it_is_and_escapes_it(site_today: Site) -> None:
    target = name_taken(site_today)
    html = text(page(site_today, "otto", reverse("target_adopt", args=["keystone", target.pk])))
    assert STRANGER["id"] in html
    assert "by &lt;b&gt;hand&lt;/b&gt;" in html
    assert "by-hand" in html


def test_the_page_says_why_nothing_can_be_adopted(site_today: Site) -> None:
    target = name_taken(site_today, tags=["remit:of-another"])
    html = text(page(site_today, "otto", reverse("target_adopt", args=["keystone", target.pk])))
    assert "belongs to another Remit" in html
    assert "Adopt it" not in html


def test_the_endpoint_offers_what_can_be_done(site_today: Site) -> None:
    taken = name_taken(site_today)
    gone = project_gone(site_today)
    html = text(page(site_today, "otto", reverse("endpoint_detail", args=["keystone"])))
    assert reverse("target_adopt", args=["keystone", taken.pk]) in html
    html = text(page(site_today, "otto", reverse("endpoint_detail", args=["cinder-geneva"])))
    assert reverse("target_recreate", args=["cinder-geneva", gone.pk]) in html


def test_the_api_says_who_has_the_name_while_it_is_taken(site_today: Site) -> None:
    target = name_taken(site_today)
    assert (
        caller(site_today, "otto").get(f"targets/{target.pk}/").json()["name_taken_by"] == STRANGER
    )
    Target.objects.filter(pk=target.pk).update(error_code="")
    assert caller(site_today, "otto").get(f"targets/{target.pk}/").json()["name_taken_by"] is None
