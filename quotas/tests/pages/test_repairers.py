"""What people who repair read at the pages of endpoints, within their zones and outside."""

from django.urls import reverse

from projects.models import Delegation
from quotas.models import Endpoint
from quotas.states import EndpointState
from quotas.tests.api import caller
from quotas.tests.endpoints.steps import share_nova
from quotas.tests.pages.closing import NOVA, repairs, url
from quotas.tests.pages.deciding import act, ask, form, page, refuse, text
from quotas.tests.site import Site

WORDS = "policy does not allow"


def test_repairers_read_own_words_within_their_zones_and_the_sentence_outside(
    site_today: Site,
) -> None:
    asked = ask(site_today)
    act(site_today, "dana", "approve", asked, form(site_today, asked, do="asked"))
    refuse(site_today, WORDS)
    project = reverse("project_detail", args=["atlas-reco"])
    repairs(site_today, "mallory", "compute-a")
    assert WORDS in text(page(site_today, "mallory", url("detail")))
    assert WORDS in text(page(site_today, "mallory", project))
    listed = caller(site_today, "mallory").get("targets/").json()["results"]
    assert [each["error_words"] for each in listed] == [WORDS]
    share_nova(site_today)
    html = " ".join(text(page(site_today, "mallory", url("detail"))).split())
    assert WORDS not in html
    assert "It also serves compute-b (geneva)." in html
    html = text(page(site_today, "mallory", project))
    assert WORDS not in html
    assert "Nova geneva did not take the change" in html
    assert caller(site_today, "mallory").get("targets/").json()["results"] == []


def test_repairers_see_the_endpoints_of_their_zones_alone(site_today: Site) -> None:
    repairs(site_today, "mallory", "storage-a")
    html = text(page(site_today, "mallory", reverse("endpoint_list")))
    assert "Cinder geneva" in html
    assert "Nova geneva" not in html
    assert "Keystone" in html
    refused = page(site_today, "mallory", url("detail"))
    assert "Nova geneva serves compute-a in geneva, which you do not repair" in text(refused, 403)
    slugs = [
        each["slug"] for each in caller(site_today, "mallory").get("endpoints/").json()["results"]
    ]
    assert slugs == ["cinder-geneva", "keystone"]


def test_a_pause_beyond_ones_zones_is_refused_naming_them_and_who_can(site_today: Site) -> None:
    share_nova(site_today)
    repairs(site_today, "mallory", "compute-a")
    sentence = (
        "Nova geneva also serves compute-b in geneva, which you do not repair: operators can do "
        "this."
    )
    assert sentence in text(page(site_today, "mallory", url("pause")), 403)
    answer = caller(site_today, "mallory").post(f"endpoints/{NOVA}/pause/", {"reason": "x"})
    assert (answer.status_code, answer.json()["detail"]) == (403, sentence)


def test_what_a_silent_service_says_is_not_for_those_outside_its_zones(site_today: Site) -> None:
    Endpoint.objects.filter(slug=NOVA).update(
        state=EndpointState.UNREACHABLE, state_reason="10.1.2.3 refused"
    )
    share_nova(site_today)
    repairs(site_today, "mallory", "compute-a")
    assert "10.1.2.3" not in text(page(site_today, "mallory", url("detail")))
    assert "10.1.2.3" not in text(page(site_today, "mallory", reverse("endpoint_list")))
    shown = caller(site_today, "mallory").get(f"endpoints/{NOVA}/").json()
    assert shown["state_reason"] is None


def test_repairers_see_their_own_delegation_and_nobody_elses(site_today: Site) -> None:
    repairs(site_today, "mallory", "compute-a")
    own = Delegation.objects.get(user=site_today.mallory)
    address = reverse("delegation_detail", args=[own.pk])
    assert "compute-a" in text(page(site_today, "mallory", address))
    danas = reverse("delegation_detail", args=[site_today.delegations["dana"].pk])
    assert page(site_today, "mallory", danas).status_code == 404
