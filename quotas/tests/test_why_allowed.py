"""Why was this allowed: the stored proof with the names of now, as far as the reader may see."""

from datetime import timedelta

import pytest
from django.utils import timezone

from projects.models import Delegation, Unit
from projects.queries.viewers import Viewer
from quotas.actions.endorse import endorse
from quotas.models import Decision, DelegationBound, QuotaRequest
from quotas.queries.proofs import WhyAllowed, visible_decisions, why_allowed
from quotas.tests.api import caller
from quotas.tests.counting import assert_flat
from quotas.tests.pages import acting
from quotas.tests.pages.acting import client_of, text_of
from quotas.tests.site import NOW, Site, make_group
from quotas.tests.test_automatic import ask as ask_later
from quotas.tests.test_automatic import few, rule
from quotas.tests.test_decide import ask, grant

LATER = NOW + timedelta(hours=2)


def why(site: Site, decision: Decision, reader: str = "dana") -> WhyAllowed:
    viewer = Viewer.of(site.people[reader], LATER)
    return why_allowed(viewer, visible_decisions(viewer).get(pk=decision.pk))


def test_it_tells_the_chain_the_terms_and_what_was_consumed(site: Site) -> None:
    DelegationBound.objects.filter(
        delegation=site.delegations["dana"], resource=site.vcpu.resource
    ).update(total=500)
    told = why(site, grant(site, ask(site), {site.vcpu.slug: 60}))
    assert told.names == [["Otto", "Erin", "Dana"]]
    assert [str(each) for each in told.effective] == ["Dana"]
    (line,) = told.lines
    assert (line.wanted, line.balance, line.row.granted) == (100, 0, 60)
    assert (line.source_name, line.source_left) == ("ORG/EP/ATLAS", 1000)
    assert [(each.dimension, each.written, each.before, each.after) for each in line.consumed] == [
        ("per_decision", 128, 0, 60), ("total", 500, 0, 60),
    ]  # fmt: skip
    assert told.unit == "ORG/EP/ATLAS"
    assert told.still_holds


def test_the_group_that_carried_it_is_named(site: Site) -> None:
    group = make_group("coordinators", site.dana, since=NOW - timedelta(days=1))
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(user=None, group=group)
    told = why(site, grant(site, ask(site)))
    assert [str(each) for each in told.groups] == ["coordinators"]
    assert told.names == [["Otto", "Erin", "coordinators"]]


def test_what_was_revoked_since_is_said_and_stays_allowed(site: Site) -> None:
    decision = grant(site, ask(site))
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(revoked_at=LATER)
    told = why(site, decision, "erin")
    assert [link.revoked_at for link in told.chains[0]] == [None, None, LATER]
    assert told.still_holds


def test_names_are_of_now_places_of_then(site: Site) -> None:
    decision = grant(site, ask(site))
    site.people["dana"].name = "Dana Lindqvist"
    site.people["dana"].save(update_fields=["name"])
    Unit.objects.filter(slug="atlas").update(name="ATLAS experiment")
    told = why(site, decision)
    assert told.names == [["Otto", "Erin", "Dana Lindqvist"]]
    assert told.chains[0][-1].unit == "ORG/EP/ATLAS"


def test_terms_that_were_tampered_with_are_told(site: Site) -> None:
    decision = grant(site, ask(site))
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(depth=9)
    told = why(site, decision)
    assert not told.still_holds
    assert [(each.expected, each.found) for each in told.findings] == [(9, 3)]


def test_a_requester_reads_names_but_no_terms(site: Site) -> None:
    told = why(site, grant(site, ask(site)), "alice")
    assert told.names == [["Otto", "Erin", "Dana"]]
    (line,) = told.lines
    assert (told.has_terms, line.consumed, line.source_left) == (False, (), None)


def test_an_endorsement_is_told_with_what_was_recommended(site: Site) -> None:
    asked = ask(site, {site.vcpu.slug: 200})
    decision = endorse(
        quota_request=asked, endorsed={asked.lines.get().pk: 150}, version=1, reason="",
        actor=site.dana, now=NOW,
    )  # fmt: skip
    told = why(site, decision)
    assert [(each.row.endorsed, each.row.granted) for each in told.lines] == [(150, None)]
    assert told.still_holds


def test_what_a_rule_granted_cites_it_with_what_it_found(site: Site) -> None:
    made = rule(site, few(site))
    decision = Decision.objects.get(request=ask_later(site, {site.vcpu.slug: 32}))
    told = why(site, decision)
    assert str(told.decision.policy_version) == f"R{made.pk}.1"
    assert (told.decision.actor, [str(each) for each in told.effective]) == (None, ["Dana"])
    (line,) = told.lines
    assert line.verdicts == ("It adds 32; 32 at most.",)
    assert told.still_holds


def test_the_page_of_a_rule_s_decision_leads_to_the_rule(site_today: Site) -> None:
    site = site_today
    made = rule(site, few(site), now=timezone.now())
    decision = Decision.objects.get(request=acting.ask(site, {site.vcpu.slug: 32}))
    answer = client_of(site, "dana").get(f"/decisions/{decision.pk}/")
    assert f"Rule R{made.pk}.1 (Small steps) approved it" in text_of(answer)
    assert f'href="/rules/R{made.pk}/"' in answer.content.decode()


@pytest.fixture
def decided(site_today: Site) -> tuple[Site, Decision]:
    asked = acting.ask(site_today)
    acting.grant(site_today, asked, 60)
    return site_today, Decision.objects.get(request=asked)


def test_the_page_says_it_in_words(decided: tuple[Site, Decision]) -> None:
    site, decision = decided
    text = text_of(client_of(site, "dana").get(f"/decisions/{decision.pk}/"))
    for words in ("still holds", "which had 1000 left before", "68 left after", "decide quota"):
        assert words in text, (words, text)
    theirs = text_of(client_of(site, "alice").get(f"/decisions/{decision.pk}/"))
    assert "Otto" in theirs
    assert "left after" not in theirs


def test_the_api_says_the_same(decided: tuple[Site, Decision]) -> None:
    site, decision = decided
    told = caller(site, "dana").get(f"decisions/{decision.pk}/why/").json()
    assert told["still_holds"] is True
    assert [each["holder"]["name"] for each in told["chains"][0]] == ["Otto", "Erin", "Dana"]
    assert told["lines"][0]["consumed"] == [
        {"delegation": site.delegations["dana"].pk, "bound": "per_decision", "written": 128,
         "before": 0, "after": 60}
    ]  # fmt: skip
    theirs = caller(site, "alice").get(f"decisions/{decision.pk}/why/").json()
    assert theirs["chains"][0][0]["terms"] is None
    assert (theirs["lines"][0]["consumed"], theirs["findings"]) == ([], None)


def test_it_costs_the_same_for_one_line_and_for_three(site_today: Site) -> None:
    site, latest = site_today, {"pk": 0}
    client = client_of(site, "dana")

    def decide(amounts: dict[str, int]) -> None:
        asked: QuotaRequest = acting.ask(site, amounts)
        acting.grant(site, asked)
        latest["pk"] = Decision.objects.get(request=asked).pk

    decide({site.vcpu.slug: 10})
    assert_flat(
        "why a decision was allowed",
        lambda: client.get(f"/decisions/{latest['pk']}/").content,
        lambda: decide({each.slug: 20 * each.resource.step for each in site.offerings.values()}),
    )
