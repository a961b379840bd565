"""Each condition of a rule below, at and above its bound, and where its figure is not known."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quotas.models import Offering as OfferingRow
from quotas.models import PolicyVersion, Resource, Zone
from quotas.queries.accounts import Fill
from quotas.queries.conditions import Facts, Finding, is_about, judge
from quotas.queries.policy_words import condition_words, finding_words, scope_words
from quotas.tests.site import NOW

VCPU = OfferingRow(
    pk=1, slug="geneva.compute-a.vcpu",
    resource=Resource(pk=1, name="vCPU", unit="", step=1), zone=Zone(pk=1, name="compute-a"),
)  # fmt: skip
FACTS = Facts(
    offering=VCPU, project_kind="shared", balance=100, wanted=120, now=NOW,
    envelope=Fill(promised=700, size=1000), zone=Fill(promised=480, size=1000),
    used=80, used_of=100, last_at=NOW - timedelta(days=30),
)  # fmt: skip

# (condition, facts that differ, whether it holds)
TABLE: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"most_percent": 21}, {}, True),
    ({"most_percent": 20}, {}, True),
    ({"most_percent": 19}, {}, False),
    ({"most_percent": 20}, {"balance": 3, "wanted": 4}, False),
    ({"most_percent": 1000}, {"balance": 0, "wanted": 1}, False),
    ({"most_amount": 21}, {}, True),
    ({"most_amount": 20}, {}, True),
    ({"most_amount": 19}, {}, False),
    ({"every_days": 29}, {}, True),
    ({"every_days": 30}, {}, True),
    ({"every_days": 30}, {"last_at": NOW - timedelta(days=30) + timedelta(seconds=1)}, False),
    ({"every_days": 31}, {}, False),
    ({"every_days": 31}, {"last_at": None}, True),
    ({"envelope_left_percent": 27}, {}, True),
    ({"envelope_left_percent": 28}, {}, False),
    ({"envelope_left_percent": 29}, {}, False),
    ({"envelope_left_percent": 0}, {"envelope": None}, False),
    ({"envelope_left_percent": 0}, {"envelope": Fill(0, 0)}, False),
    ({"envelope_left_percent": 0}, {"envelope": Fill(980, 1000)}, False),
    ({"zone_left_percent": 49}, {}, True),
    ({"zone_left_percent": 50}, {}, False),
    ({"zone_left_percent": 51}, {}, False),
    ({"zone_left_percent": 0}, {"zone": None}, False),
    ({"zone_left_percent": 0}, {"zone": Fill(1100, 1000)}, False),
    ({"usage_above_percent": 79}, {}, True),
    ({"usage_above_percent": 80}, {}, False),
    ({"usage_above_percent": 81}, {}, False),
    ({"usage_above_percent": 0}, {"used": None}, False),
    ({"usage_above_percent": 0}, {"used_of": 0}, False),
    ({"project_kind": "shared"}, {}, True),
    ({"project_kind": "personal"}, {}, False),
]


@pytest.mark.parametrize(("condition", "different", "holds"), TABLE)
def test_a_condition_holds_up_to_its_bound(
    condition: dict[str, Any], different: dict[str, Any], holds: bool
) -> None:
    (finding,) = judge(PolicyVersion(**condition), replace(FACTS, **different)).findings
    assert finding.condition in condition
    assert finding.holds is holds
    assert finding_words(finding, VCPU)
    assert Finding.from_json(finding.json) == finding


def test_all_conditions_must_hold_and_each_is_told() -> None:
    version = PolicyVersion(most_percent=20, most_amount=19, usage_above_percent=60)
    verdict = judge(version, FACTS)
    assert [each.holds for each in verdict.findings] == [True, False, True]
    assert not verdict.holds
    assert judge(PolicyVersion(direction="decrease"), FACTS).holds


def test_what_is_not_known_never_counts_as_fulfilled_and_is_said() -> None:
    verdict = judge(PolicyVersion(usage_above_percent=0), replace(FACTS, used=None))
    assert not verdict.holds
    assert verdict.holds_as_far_as_known
    assert finding_words(verdict.findings[0], VCPU) == (
        "How much of the quota is in use is not known."
    )


def test_figures_of_envelopes_and_zones_are_words_for_those_who_may_not_see_them() -> None:
    verdict = judge(PolicyVersion(envelope_left_percent=30, most_amount=20), FACTS)
    amount, envelope = verdict.findings
    assert finding_words(envelope, VCPU) == (
        "Of the envelope 28\u00a0% would be left; it must be more than 30\u00a0%."
    )
    assert finding_words(envelope, VCPU, with_figures=False) == (
        "Too little of the envelope would be left: 30\u00a0% or less."
    )
    assert finding_words(amount, VCPU, with_figures=False) == "It adds 20; 20 at most."


@pytest.mark.parametrize(
    ("version", "change", "is_for_it"),
    [
        ({}, 1, True), ({}, -1, False), ({}, 0, False),
        ({"direction": "decrease"}, -1, True), ({"direction": "decrease"}, 1, False),
        ({"resource_id": 1}, 1, True), ({"resource_id": 2}, 1, False),
        ({"zone_id": 1}, 1, True), ({"zone_id": 2}, 1, False),
    ],
)  # fmt: skip
def test_a_rule_is_about_one_direction_resource_and_zone(
    version: dict[str, Any], change: int, is_for_it: bool
) -> None:
    assert is_about(PolicyVersion(**version), VCPU, change) is is_for_it


def test_a_rule_is_told_in_words() -> None:
    version = PolicyVersion(
        resource=VCPU.resource, zone=VCPU.zone, most_percent=25, most_amount=32, every_days=1,
        project_kind="personal",
    )  # fmt: skip
    assert scope_words(version) == "Increases of vCPU in compute-a"
    assert condition_words(version) == [
        "for a project that is personal", "by at most 25\u00a0% of the quota then",
        "by at most 32", "at most once in 1 day",
    ]  # fmt: skip
    assert condition_words(PolicyVersion(direction="decrease")) == []
