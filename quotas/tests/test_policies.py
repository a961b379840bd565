"""The verbs of those who make rules: within what they hold, in versions, on and off."""

from typing import Any

import pytest

from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from projects.models import Event
from quotas.actions import policies
from quotas.actions.policies import Terms
from quotas.models import Decision
from quotas.states import Direction
from quotas.tests.site import NOW, Site
from quotas.tests.test_automatic import ask, few, rule, states


def test_only_who_holds_the_delegation_makes_a_rule_and_never_beyond_it(site: Site) -> None:
    common: dict[str, Any] = {"unit": site.units["atlas"], "name": "Steps", "now": NOW}
    with pytest.raises(Forbidden):
        policies.make(terms=few(site), actor=site.alice, **common)
    with pytest.raises(Invalid) as refused:
        policies.make(terms=few(site, 129), actor=site.dana, **common)
    assert list(refused.value.errors) == ["most_amount"]
    assert refused.value.facts == {
        "dimension": "per_decision",
        "most": 128,
        "offering": site.vcpu.slug,
    }
    site.delegations["dana"].bounds.filter(resource=site.space.resource).delete()
    terms = Terms(resource=site.space.resource, most_percent=10)
    with pytest.raises(Invalid) as refused:
        policies.make(terms=terms, actor=site.dana, **common)
    assert refused.value.facts["dimension"] == "bounds"


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (Terms(), "most_percent"),
        (Terms(most_amount=5), "most_amount"),
        (Terms(most_percent=0), "most_percent"),
        (Terms(most_percent=10, every_days=0), "every_days"),
        (Terms(most_percent=10, zone_left_percent=100), "zone_left_percent"),
        (Terms(most_percent=10, project_kind="odd"), "project_kind"),
        (Terms(direction="up"), "direction"),
        (Terms(direction=Direction.DECREASE, usage_above_percent=5), "usage_above_percent"),
    ],
)
def test_a_rule_that_says_nonsense_is_refused_by_field(
    site: Site, terms: Terms, field: str
) -> None:
    with pytest.raises(Invalid) as refused:
        policies.make(unit=site.units["atlas"], name="Odd", terms=terms, actor=site.dana, now=NOW)
    assert list(refused.value.errors) == [field]


def test_a_revision_is_a_version_of_its_own(site: Site) -> None:
    made = rule(site, few(site))
    ask(site, {site.vcpu.slug: 32})
    changed: dict[str, Any] = {"name": "Steps", "terms": few(site, 8), "now": NOW}
    with pytest.raises(Stale):
        policies.revise(policy=made, version=7, actor=site.dana, **changed)
    with pytest.raises(Forbidden):
        policies.revise(policy=made, version=1, actor=site.erin, **changed)
    revised = policies.revise(policy=made, version=1, actor=site.dana, **changed)
    assert (revised.version, revised.state) == (2, "on")
    assert list(revised.versions.values_list("number", "most_amount")) == [(1, 32), (2, 8)]
    assert states(ask(site, {site.vcpu.slug: 64})) == {"vcpu": "open"}
    decision = Decision.objects.get()
    assert str(decision.policy_version) == f"R{made.pk}.1"


@pytest.mark.parametrize("above", ["erin", "otto"])
def test_who_is_above_switches_off_and_nobody_else(site: Site, above: str) -> None:
    made = rule(site, few(site))
    for name in ("audrey", "alice"):
        with pytest.raises(Forbidden):
            policies.switch_off(policy=made, actor=site.people[name], now=NOW)
    off = policies.switch_off(policy=made, actor=site.people[above], now=NOW)
    assert off.state == "off"
    with pytest.raises(Conflict):
        policies.switch_off(policy=made, actor=site.dana, now=NOW)
    assert states(ask(site, {site.vcpu.slug: 32})) == {"vcpu": "open"}
    with pytest.raises(Stale):
        policies.switch_on(policy=made, version=2, actor=site.dana, now=NOW)
    verbs = Event.objects.filter(subject_kind="policy").order_by("pk")
    assert list(verbs.values_list("verb", flat=True)) == [
        "policy made",
        "policy switched on",
        "policy switched off",
    ]
