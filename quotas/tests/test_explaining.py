"""What is the most that one may hand on, or fund, and who has more: beside what is previewed."""

import pytest

from portal.lib.amounts import format_amount
from projects.models import Delegation
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.actions.bounds import Bound
from quotas.actions.explaining import handing_reasons
from quotas.actions.foresight import effects_of
from quotas.actions.funding import look
from quotas.models import DelegationBound
from quotas.queries.explain import Reason
from quotas.tests.site import NOW, Site

pytestmark = pytest.mark.django_db


def bound(site: Site, name: str, **terms: int) -> None:
    """Somebody's delegation says this of vCPUs."""
    rows = DelegationBound.objects.filter(delegation=site.delegations[name])
    rows.exclude(resource=site.vcpu.resource).delete()
    DelegationBound.objects.update_or_create(
        delegation=site.delegations[name], resource=site.vcpu.resource, zone=None, defaults=terms
    )


def said(reasons: list[Reason] | tuple[Reason, ...]) -> list[tuple[int | None, str, str]]:
    return [(each.room, each.sentence, each.help) for each in reasons]


def test_the_most_to_hand_on_and_who_has_more(site: Site) -> None:
    bound(site, "erin", per_decision=128, total=500)
    bound(site, "dana", per_decision=128, total=200)
    danas = site.delegations["dana"]
    row = Bound(resource=site.vcpu.resource, zone=site.vcpu.zone, per_decision=300)

    assert said(handing_reasons(danas, [row])) == [
        (
            128,
            f"vCPU in compute-a: 128 a decision is the most here: your {danas} allows no more.",
            "Otto has any amount to hand on: ask there.",
        ),
        (
            200, f"vCPU in compute-a: 200 in all is the most here: your {danas} allows no more.",
            "Erin has 500 to hand on: ask there.",
        ),
    ]  # fmt: skip


def test_what_nothing_bounds_needs_no_words(site: Site) -> None:
    row = Bound(resource=site.vcpu.resource, per_decision=10**6)
    assert handing_reasons(site.delegations["otto"], [row]) == []


def test_where_nobody_above_has_more_that_is_said(site: Site) -> None:
    bound(site, "otto", per_decision=100)
    [reason] = handing_reasons(
        site.delegations["otto"], [Bound(resource=site.vcpu.resource, per_decision=1)]
    )
    assert reason.help == "Nobody above has more."


def reasons_to_fund(site: Site, name: str, change: int) -> list[tuple[int | None, str, str]]:
    viewer = Viewer.of(site.people[name], NOW)
    purse = look(viewer, site.units["atlas"], [site.vcpu])
    [effect] = effects_of(purse, {site.vcpu.slug: change})
    return said(effect.reasons)


def test_what_bounds_an_envelope_is_told_before_it_is_funded(site: Site) -> None:
    """EP, which pays ATLAS, has some left; Erin may give 40 in 30 days, Otto any amount."""
    bound(site, "erin", per_decision=40)
    pays = look(Viewer.of(site.erin, NOW), site.units["atlas"], [site.vcpu]).standings
    left = pays[site.vcpu.pk].source_left

    assert reasons_to_fund(site, "erin", 5) == [
        (
            40, "Your remit: 40 a decision for one envelope in 30 days, 0 used, so 40 left.",
            "Otto may give more.",
        ),
        (
            left, f"At most {format_amount(left, '')} more: ORG/EP has that left to give.",
            "Otto can fund ORG/EP from above.",
        ),
    ]  # fmt: skip


def test_what_is_taken_back_has_no_bounds(site: Site) -> None:
    Delegation.objects.filter(pk=site.delegations["otto"].pk).update(
        powers=[Power.MANAGE_ENVELOPES]
    )
    assert reasons_to_fund(site, "otto", -5) == []
