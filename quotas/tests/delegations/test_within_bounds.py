"""What is handed on lies within one's own: each term, each total, window and zone."""

from typing import Any

import pytest

from portal.lib.errors import Invalid
from projects.models import Delegation
from projects.states import Power
from quotas.actions.delegations import Bound
from quotas.models import DelegationBound
from quotas.tests.site import GIB, Site

from .handing import hand_on, parent_with


@pytest.mark.parametrize(
    ("held", "given", "dimension", "most"),
    [
        ({"per_decision": 64}, {"per_decision": 65}, "per_decision", 64),
        ({"per_decision": 64}, {}, "per_decision", 64),
        (
            {"per_decision": 64, "window_days": 60}, {"per_decision": 64, "window_days": 59},
            "window_days", 60,
        ),
        ({"total": 200}, {"total": 201}, "total", 200),
        ({"total": 200}, {"per_decision": 1}, "total", 200),
        (
            {"total": 200, "period_days": 365}, {"total": 200, "period_days": 364},
            "period_days", 365,
        ),
        ({"total": 200}, {"total": 200, "period_days": 3000}, "period_days", None),
    ],
)  # fmt: skip
def test_delegate_beyond_a_bound_names_its_dimension_and_row(
    site: Site, held: dict[str, Any], given: dict[str, Any], dimension: str, most: int | None
) -> None:
    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound(resource=site.vcpu.resource, **given), parent=parent_with(site, **held))

    assert list(refused.value.errors) == ["bounds.0"]
    assert refused.value.facts == {"dimension": dimension, "bound": most}


@pytest.mark.parametrize(
    ("held", "given"),
    [
        ({"per_decision": 64, "window_days": 60}, {"per_decision": 64, "window_days": 60}),
        ({"total": 200, "period_days": 365}, {"total": 200, "period_days": 366}),
        ({"total": 200, "period_days": 365}, {"total": 200}),
        ({"total": 200}, {"total": 0}),
        ({}, {}),
    ],
)
def test_delegate_within_every_bound(
    site: Site, held: dict[str, Any], given: dict[str, Any]
) -> None:
    made = hand_on(
        site, Bound(resource=site.vcpu.resource, **given), parent=parent_with(site, **held)
    )

    assert made.bounds.count() == 1


def test_delegate_every_zone_where_one_holds_one_names_it(site: Site) -> None:
    with pytest.raises(Invalid) as refused:
        hand_on(
            site, Bound(resource=site.vcpu.resource),
            parent=parent_with(site, zone=site.vcpu.zone),
        )  # fmt: skip

    assert refused.value.sentence == "vCPU is yours to give in compute-a alone: name a zone."
    assert refused.value.facts == {"dimension": "zone", "bound": ["compute-a"]}


def test_delegate_every_resource_is_bounded_where_one_of_them_is(site: Site) -> None:
    """Of anything else any amount may be given, of vCPU 64: that needs a row of its own."""
    held = parent_with(site, per_decision=64)
    DelegationBound.objects.create(delegation=held)

    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound(), parent=held)

    assert refused.value.sentence == (
        "Of vCPU you may give 64 per decision. Give it a row of its own."
    )
    own = Bound(resource=site.vcpu.resource, per_decision=64)
    assert hand_on(site, Bound(), own, parent=held).bounds.count() == 2


def test_delegate_names_every_field_that_goes_beyond(site: Site) -> None:
    with pytest.raises(Invalid) as refused:
        hand_on(
            site, Bound(resource=site.vcpu.resource, per_decision=1),
            Bound(resource=site.space.resource, per_decision=GIB * 1000),
            powers=[Power.AUDIT, Power.DECIDE_QUOTA], unit=site.units["it"], depth=9,
        )  # fmt: skip

    assert set(refused.value.errors) == {"powers", "unit", "depth", "bounds.1"}
    assert refused.value.facts["dimension"] == "powers"


@pytest.mark.parametrize("power", list(Power))
def test_delegate_a_power_only_if_it_is_held(site: Site, power: Power) -> None:
    powers = [each for each in Power if each != power]
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(powers=powers)

    with pytest.raises(Invalid) as refused:
        hand_on(site, Bound(resource=site.vcpu.resource, per_decision=1), powers=[power])

    assert list(refused.value.errors) == ["powers"]
