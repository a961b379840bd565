"""A cell of Nova that is down: use is told as a least, and nothing follows from what is missing."""

from collections.abc import Iterator

import pytest
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from contrib.scale.cloud import ScaleCloud
from contrib.scale.numbers import project_name, used
from projects.models import Event, Project
from projects.states import Role
from quotas.delivery.clouds import registry
from quotas.delivery.surveys import plan_surveys, survey
from quotas.models import Account, Crossing, Drift, Endpoint, Reading, SurveyRun, UsagePeak
from quotas.queries.leftovers import leftovers_of
from quotas.tests.api import caller
from quotas.tests.pages.acting import client_of
from quotas.tests.site import Site, join

from .test_surveys import survey_all

# Close to its limits, and with instances in both cells.
NUMBER = 50


def cores() -> int:
    rows = Reading.objects.filter(
        target__project__slug=project_name(NUMBER), target__endpoint__slug="nova-geneva"
    )
    found = rows.get(limit__key="cores").used
    assert found is not None
    return found


def test_use_is_incomplete_while_a_cell_is_down_and_nothing_goes_back(
    crowd: ScaleCloud, site: Site
) -> None:
    project = Project.objects.get(slug=project_name(NUMBER))
    join(project, site.alice, Role.OWNER, timezone.now())
    survey_all("nova-geneva")
    before = cores()
    assert before == used(NUMBER, "compute")["cores"]
    crossed = Crossing.objects.filter(ended_at__isnull=True, target__project=project)
    assert crossed.exists()
    accounts = list(
        Account.objects.filter(project=project, offering__slug__contains="cores").order_by("pk")
    )
    geneva = [each for each in accounts if each.offering.zone.region.slug == "geneva"]
    assert leftovers_of(project.pk, geneva).take(geneva[0], 10**9) > 0

    crowd.set_cell_down("geneva")
    survey_all("nova-geneva", "nova-prevessin")
    nova = Endpoint.objects.get(slug="nova-geneva")
    assert "2 of its 4 hosts" in nova.gaps[0]
    assert Endpoint.objects.get(slug="nova-prevessin").gaps == []
    assert cores() < before
    assert UsagePeak.objects.get(
        target__project=project, limit__key="cores", target__endpoint=nova
    ).used == before  # fmt: skip
    assert crossed.exists()
    assert not Drift.objects.filter(ended_at__isnull=False).exists()
    assert leftovers_of(project.pk, geneva).take(geneva[0], 10**9) == 0
    page = client_of(site, "alice").get(reverse("project_detail", args=[project.slug]))
    text = page.content.decode()
    assert "nova geneva: use is incomplete" in text
    assert "at least" in text
    page = client_of(site, "otto").get(reverse("endpoint_detail", args=["nova-geneva"]))
    assert "2 of its 4 hosts" in page.content.decode()
    shown = caller(site, "otto").get("endpoints/nova-geneva/").json()
    assert shown["gaps"] == nova.gaps

    crowd.set_cell_down("geneva", is_down=False)
    survey_all("nova-geneva")
    assert cores() == before
    assert Endpoint.objects.get(slug="nova-geneva").gaps_since is None
    verbs = Event.objects.filter(verb__startswith="usage ").exclude(verb="usage crossed")
    assert list(verbs.order_by("pk").values_list("verb", flat=True)) == [
        "usage incomplete", "usage complete",
    ]  # fmt: skip


def test_use_above_a_limit_stays_told_while_it_cannot_be_seen(
    crowd: ScaleCloud, site: Site
) -> None:
    lowered = Reading.objects.filter(
        target__project__slug=project_name(NUMBER), limit__key="cores",
        target__endpoint__slug="nova-geneva",
    )  # fmt: skip
    low = used(NUMBER, "compute")["cores"] - 1
    lowered.update(limit_seen=low)
    Account.objects.filter(
        project__slug=project_name(NUMBER), offering__contributions__limit__key="cores"
    ).update(balance=low)
    survey_all("nova-geneva")
    above = Drift.objects.filter(kind="usage above", ended_at__isnull=True)
    assert above.count() == 1
    crowd.set_cell_down("geneva")
    survey_all("nova-geneva")
    assert above.count() == 1
    crowd.set_cell_down("geneva", is_down=False)
    crowd.set_usage(project_name(NUMBER), "geneva", "compute", {"cores": 2})
    survey_all("nova-geneva")
    assert above.count() == 0
    crowd.set_usage(project_name(NUMBER), "geneva", "compute", used(NUMBER, "compute"))


@pytest.fixture
def no_nova(settings: Settings) -> Iterator[None]:
    """A worker whose driver for Nova cannot be loaded, as while its package is put in anew."""
    settings.QUOTA_DRIVERS = settings.QUOTA_DRIVERS | {"nova": "quotas.nowhere:Driver"}
    registry.cache_clear()
    yield
    registry.cache_clear()


@pytest.mark.usefixtures("no_nova")
def test_a_driver_that_cannot_be_loaded_once_ends_no_gap(site: Site) -> None:
    nova = site.endpoints["nova-geneva"]
    Endpoint.objects.filter(pk=nova.pk).update(gaps=["half of it"], gaps_since=Now())
    SurveyRun.objects.create(endpoint=nova, next_at=Now())
    plan_surveys()
    survey(nova.pk)
    assert SurveyRun.objects.get(endpoint=nova).error_code == "configuration"
    assert Endpoint.objects.get(pk=nova.pk).gaps == ["half of it"]
