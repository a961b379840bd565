"""The plan as operators read it, on a page and through the API."""

from collections.abc import Callable

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.testing.html import text_of
from quotas.models import Endpoint
from quotas.states import EndpointState
from quotas.tests.counting import assert_flat
from quotas.tests.pages.deciding import page, text
from quotas.tests.plan.readings import PLAN, seen
from quotas.tests.site import Site, make_project


def test_the_page_shows_figures_and_says_when_all_is_as_granted(site: Site) -> None:
    seen(site, cores=(20, 5), ram=(0, 0))
    html = text(page(site, "audrey", PLAN))
    assert "1 limit will change" in html
    assert "+80" in html
    assert "ram" not in text_of(html)
    assert "ram" in text_of(text(page(site, "otto", f"{PLAN}?show=all")))
    seen(site, cores=(100, 5), ram=(0, 0))
    assert "Nothing to do" in text(page(site, "otto", PLAN))


def test_the_page_names_what_holds_everything_up(site: Site) -> None:
    Endpoint.objects.filter(slug="keystone").update(state=EndpointState.UNREACHABLE)
    assert "Keystone does not answer" in text(page(site, "otto", PLAN))


def test_a_plan_of_a_project_goes_over_its_services(site: Site) -> None:
    html = text(page(site, "otto", reverse("project_plan", args=["atlas-reco"])))
    assert "Nova geneva" in html
    assert "Cinder geneva" in html
    assert page(site, "alice", reverse("project_plan", args=["atlas-reco"])).status_code == 403


def test_a_plan_costs_the_same_for_many(site: Site) -> None:
    def grow() -> None:
        for number in range(40):
            make_project(site, f"p{number:02}", "atlas", timezone.now())

    for where, url in (("page", PLAN), ("api", "/api/v1/endpoints/nova-geneva/plan/")):
        grow_once: Callable[[], object] = grow if where == "page" else lambda: None
        assert_flat(f"plan {where}", lambda url=url: _ok(site, url), grow_once)  # type: ignore[misc]


def _ok(site: Site, url: str) -> None:
    assert page(site, "otto", url).status_code == 200


def test_the_api_tells_the_plan(standing: Site) -> None:
    seen(standing, cores=(150, 101), ram=(0, 0))
    answer = Client()
    answer.force_login(standing.people["otto"])
    (row,) = answer.get("/api/v1/endpoints/nova-geneva/plan/").json()["results"]
    (limit,) = row["limits"]
    assert limit | {"warnings": [], "read_at": None} == {
        "key": "cores", "name": "cores", "unit": "", "granted": 100, "seen": 150, "used": 101,
        "reserved": 0, "verdict": "below", "becomes": 150, "warnings": [], "read_at": None,
    }  # fmt: skip
    assert [each["code"] for each in limit["warnings"]] == ["below"]
    asked = answer.get("/api/v1/endpoints/nova-geneva/plan/?show=changes").json()
    assert asked["results"] == []
