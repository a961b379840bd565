"""What is the most here, and why: the tightest first, with whom to ask, as far as one may see."""

from datetime import timedelta

import pytest
from django.utils import timezone

from projects.queries.viewers import Viewer
from projects.states import ProjectState, Role
from quotas.actions.envelopes import fund
from quotas.models import Account, Capacity, DelegationBound, Limit
from quotas.queries.explain import Cause, Explanation, explain
from quotas.tests.api import caller
from quotas.tests.counting import assert_flat
from quotas.tests.pages.acting import client_of, text_of
from quotas.tests.site import NOW, Site, join, make_project
from quotas.tests.test_decide import ask, grant

LATER = NOW + timedelta(hours=2)


def told(site: Site, reader: str = "dana") -> Explanation:
    return explain(Viewer.of(site.people[reader], LATER), site.project, site.vcpu)


def causes(explanation: Explanation) -> list[tuple[str, int | None]]:
    return [(each.cause, each.room) for each in explanation.reasons]


def test_the_tightest_comes_first_with_what_is_used(site: Site) -> None:
    grant(site, ask(site), {site.vcpu.slug: 24})
    found = told(site)
    assert causes(found) == [(Cause.PER_DECISION, 104), (Cause.ENVELOPE, 976)]
    assert (found.balance, found.room, found.most) == (24, 104, 128)
    assert found.reasons[0].sentence == (
        "Your remit: 128 a decision for one project in 30 days, 24 used, so 104 left."
    )
    assert found.reasons[0].help == "Erin for ORG/EP may give more."
    assert found.reasons[1].sentence == (
        "At most 976 more: envelope of ORG/EP/ATLAS 1000 − granted 24."
    )


def test_an_envelope_that_is_nearly_empty_names_who_can_fund_it(site: Site) -> None:
    Account.objects.filter(offering=site.vcpu, unit=site.units["atlas"]).update(balance=40)
    found = told(site)
    assert causes(found)[0] == (Cause.ENVELOPE, 40)
    assert found.reasons[0].help == "ORG/EP has 1000 more: ask Erin or Otto to fund it."


def test_a_total_tells_until_when_it_is_for(site: Site) -> None:
    DelegationBound.objects.filter(
        delegation=site.delegations["dana"], resource=site.vcpu.resource
    ).update(total=100, period_days=365)
    grant(site, ask(site), {site.vcpu.slug: 60})
    found = told(site)
    assert causes(found)[0] == (Cause.TOTAL, 40)
    assert "40 of 100 left until" in found.reasons[0].sentence


def test_the_bound_of_a_link_above_is_named_by_its_holder(site: Site) -> None:
    DelegationBound.objects.filter(delegation=site.delegations["erin"]).update(per_decision=50)
    found = told(site)
    assert causes(found)[0] == (Cause.PER_DECISION, 50)
    assert found.reasons[0].sentence.startswith("The remit of Erin: 50 a decision")
    assert found.reasons[0].help == "Otto for ORG may give more."


def test_a_remit_that_says_nothing_of_it_leaves_nothing(site: Site) -> None:
    rows = DelegationBound.objects.filter(delegation=site.delegations["dana"])
    rows.filter(resource=site.vcpu.resource).delete()
    assert causes(told(site))[0] == (Cause.BOUNDS, 0)


def test_what_the_service_takes_at_most_counts_what_others_feed(site: Site) -> None:
    Limit.objects.filter(key="cores").update(maximum=70)
    grant(site, ask(site), {site.vcpu.slug: 60})
    found = told(site)
    assert causes(found)[0] == (Cause.SERVICE, 10)
    assert "takes no more than 70" in found.reasons[0].sentence


def test_an_oversold_zone_warns_and_refuses_nothing(site: Site) -> None:
    grant(site, ask(site), {site.vcpu.slug: 60})
    Capacity.objects.create(offering=site.vcpu, amount=50, as_of=(NOW - timedelta(days=1)).date())
    found = told(site)
    assert (found.reasons[-1].cause, found.reasons[-1].refuses) == (Cause.ZONE, False)
    assert found.reasons[-1].sentence == "compute-a is oversold: 10 more is promised than its 50."
    assert found.room == 68


def test_a_project_that_is_not_active_gets_nothing(site: Site) -> None:
    project = site.project
    project.state = ProjectState.SUSPENDED
    project.save(update_fields=["state"])
    assert causes(told(site))[0] == (Cause.STATE, 0)


@pytest.mark.parametrize("reader", ["alice", "rita"])
def test_requesters_get_words_and_the_next_who_decides(site: Site, reader: str) -> None:
    found = told(site, reader)
    assert [each.room for each in found.reasons] == [None, None]
    assert [each.sentence for each in found.reasons] == [
        "There is ample room in the envelope of ORG/EP/ATLAS.",
        "Dana decides for ORG/EP/ATLAS, within bounds.",
    ]
    assert found.reasons[1].help == "What is beyond these goes up to Erin for ORG/EP."
    assert (found.grants, found.room) == (False, None)


def test_who_holds_a_role_in_the_project_grants_nothing_there(site: Site) -> None:
    join(site.project, site.dana, Role.MEMBER, NOW)
    found = told(site)
    assert not found.grants
    assert found.reasons[-1].sentence == "Erin decides for ORG/EP, within bounds."


def test_both_doors_say_the_same(site_today: Site) -> None:
    site = site_today
    text = text_of(client_of(site, "dana").get(f"/projects/atlas-reco/most/{site.vcpu.slug}/"))
    answer = caller(site, "dana").get("projects/atlas-reco/explain/", offering=site.vcpu.slug)
    found = answer.json()
    assert (found["verb"], found["room"], found["most"]) == ("grant", 128, 128)
    for each in found["reasons"]:
        assert each["sentence"] in text
        assert each["who_helps"] in text


def test_the_api_names_a_missing_or_unknown_offering(site_today: Site) -> None:
    dana = caller(site_today, "dana")
    assert dana.get("projects/atlas-reco/explain/").status_code == 422
    assert dana.get("projects/atlas-reco/explain/", offering="none").status_code == 404


def test_it_costs_the_same_however_many_there_are(site_today: Site) -> None:
    site = site_today
    client = client_of(site, "dana")

    def grow() -> None:
        for number in range(3):
            make_project(site, f"more-{number}", "atlas", timezone.now())
        ep = site.units["ep"]
        fund(offering=site.vcpu, unit=ep, amount=5, actor=None, now=timezone.now())

    assert_flat(
        "explain an offering",
        lambda: client.get(f"/projects/atlas-reco/most/{site.vcpu.slug}/").content,
        grow,
    )
