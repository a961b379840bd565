"""What funding and handing on would do is told before, and nothing is done."""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from quotas.models import EnvelopeAct
from quotas.queries.hanging import seen_of
from quotas.tests.api import Caller, caller, submit
from quotas.tests.site import Site
from quotas.tests.test_doors_delegations import hand

if TYPE_CHECKING:
    pass

from quotas.tests.rehearsing import VCPU, done, plan


def test_envelopes_tell_what_would_be_done_and_how_they_would_stand(site_today: Site) -> None:
    erin, path = caller(site_today, "erin"), "units/atlas/envelopes/change/"
    seen = _standing(erin)["seen"]
    body = {"changes": {VCPU: 64}, "seen": {VCPU: seen}, "reason": "Run 4"}
    found = plan(erin, path, body)
    acts = done(erin, path, body)["acts"]
    assert [{**each, "at": None} for each in found["acts"]] == [
        {name: None if name == "at" else value for name, value in each.items() if name != "id"}
        for each in acts
    ]
    change, stands = found["changes"][0], _standing(erin)
    assert change["left_after"] == stands["left"] == 1064
    assert (change["size_after"], change["refusal"]) == (stands["size"], None)
    assert EnvelopeAct.objects.filter(actor=site_today.erin).count() == 1


def _standing(who: Caller) -> Any:
    return who.get(f"units/atlas/envelopes/{VCPU}/").json()


def test_handing_on_tells_what_would_be_made_and_what_to_know(site_today: Site) -> None:
    site, dana = site_today, caller(site_today, "dana")
    submit(site)
    body = {
        "parent": site.delegations["dana"].pk, "unit": "atlas", "powers": ["decide quota"],
        "delegate": {"kind": "person", "id": str(site.mallory.public_id)}, "depth": 1,
        "bounds": [{"resource": "vcpu", "per_decision": 64}],
    }  # fmt: skip
    found = plan(dana, "delegations/", body)
    previewed = done(dana, "delegations/preview/", body)
    made = done(dana, "delegations/", body)
    assert {name: found[name] for name in previewed} == previewed
    assert [_terms(each) for each in found["made"]] == [_terms(made)]
    assert found["open_count"] == 1


def _terms(delegation: Mapping[str, Any]) -> dict[str, Any]:
    without = {"id", "created_at", "starts_at", "parent"}
    return {name: each for name, each in delegation.items() if name not in without}


def test_deputies_and_who_goes_on_under_another_are_planned(site_today: Site) -> None:
    site, dana = site_today, caller(site_today, "dana")
    body = {
        "person": str(site.bob.public_id),
        "ends_at": (timezone.now() + timedelta(days=9)).isoformat(),
    }
    found = plan(dana, "delegations/deputies/", body)
    made = done(dana, "delegations/deputies/", body)
    assert [_terms(each) for each in found["made"]] == [_terms(each) for each in made["made"]]
    assert found["left_out"] == made["left_out"]

    handed = hand(site)
    erin, path = caller(site, "erin"), f"delegations/{site.delegations['dana'].pk}/reissue/"
    again = {
        "parent": site.delegations["erin"].pk, "reason": "tests",
        "seen": seen_of(site.delegations["dana"], timezone.now()),
    }  # fmt: skip
    found = plan(erin, path, again)
    done(erin, path, again)
    assert [each["replaces"] for each in found["made"]] == [handed.pk]
    assert [_terms(each) for each in found["made"]] == [
        _terms(each)
        for each in erin.get("delegations/").json()["results"]
        if each["replaces"] == handed.pk
    ]
