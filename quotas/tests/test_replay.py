"""What a rule would have done with what people decided before."""

from datetime import timedelta
from typing import Any

import pytest

from quotas.actions import decide, policies, requests
from quotas.actions.policies import Terms
from quotas.actions.wishes import Wish
from quotas.models import Policy, PolicyVersion, Target, UsagePeak
from quotas.queries.policies import newest_versions
from quotas.queries.replay import Outcome, Replay, replay
from quotas.tests.counting import count_queries
from quotas.tests.site import NOW, Site

LATER = NOW + timedelta(days=10)


def decided(site: Site, wanted: int, granted: int | None, day: int) -> None:
    """Alice asked for so much in all, and Dana gave so much; None: declined."""
    now = NOW + timedelta(days=day)
    asked = requests.submit(
        project=site.project, wish=Wish({site.vcpu.slug: wanted}, "runs"), actor=site.alice, now=now
    )
    line = asked.lines.get()
    common: dict[str, Any] = {
        "quota_request": asked, "version": 1, "actor": site.dana, "now": now
    }  # fmt: skip
    if granted is None:
        decide.decline(line_ids=[line.pk], reason="No", **common)
    else:
        decide.approve(granted={line.pk: granted}, seen={line.pk: line.balance_seen}, **common)


def tried(site: Site, **terms: Any) -> Replay:
    made: Policy = policies.make(
        unit=site.units["atlas"], name="Steps", actor=site.dana, now=NOW,
        terms=Terms(resource=site.vcpu.resource, **terms),
    )  # fmt: skip
    version = newest_versions([made])[made.pk]
    return replay(version, made.unit, made.delegation, LATER)


@pytest.fixture
def history(site: Site) -> Site:
    """Granted 100, trimmed from 140 to 120, declined 130, granted 128 and, back, 60."""
    for day, (wanted, granted) in enumerate(
        [(100, 100), (140, 120), (130, None), (128, 128), (60, 60)]
    ):
        decided(site, wanted, granted, day)
    return site


def test_a_replay_shows_whom_it_agrees_with_and_where_it_differs(history: Site) -> None:
    found = tried(history, most_amount=20)
    assert found.counts == {
        Outcome.OTHER: 1, Outcome.LEFT: 2, Outcome.AGREED: 1, Outcome.REFUSED: 0
    }  # fmt: skip
    assert (found.line_count, found.granted_count) == (4, 2)
    assert [(each.decided.line.wanted, each.outcome) for each in found.rows] == [
        (130, Outcome.OTHER), (140, Outcome.LEFT), (100, Outcome.LEFT), (128, Outcome.AGREED),
    ]  # fmt: skip


def test_what_came_back_is_no_matter_of_a_rule_for_increases(history: Site) -> None:
    found = tried(history, direction="decrease")
    assert [(each.decided.line.wanted, each.outcome) for each in found.rows] == [
        (60, Outcome.AGREED)
    ]


def test_what_the_delegation_does_not_allow_is_left_to_people(history: Site) -> None:
    history.delegations["dana"].bounds.update(per_decision=30)
    found = tried(history, most_percent=1000)
    assert found.counts[Outcome.OTHER] == 1
    assert [each.is_beyond for each in found.rows if each.decided.line.wanted == 140] == [True]


def test_its_own_days_between_count_in_a_replay_too(history: Site) -> None:
    found = tried(history, most_amount=40, every_days=5)
    outcomes = {each.decided.line.wanted: each.outcome for each in found.rows}
    assert outcomes == {
        140: Outcome.OTHER,
        100: Outcome.LEFT,
        128: Outcome.LEFT,
        130: Outcome.REFUSED,
    }


def test_use_is_that_of_the_day_and_what_was_not_kept_is_called_unknown(history: Site) -> None:
    target = Target.objects.get(project=history.project, endpoint__slug="nova-geneva")
    limit = target.endpoint.limits.get(key="cores")
    UsagePeak.objects.create(
        target=target, limit=limit, day=(NOW + timedelta(days=1)).date(), used=90, limit_seen=100
    )
    UsagePeak.objects.create(
        target=target, limit=limit, day=(NOW + timedelta(days=3)).date(), used=20, limit_seen=100
    )
    found = tried(history, most_amount=40, usage_above_percent=50)
    outcomes = {each.decided.line.wanted: (each.outcome, each.is_sure) for each in found.rows}
    assert outcomes == {
        140: (Outcome.OTHER, True),
        128: (Outcome.LEFT, True),
        130: (Outcome.OTHER, False),
        100: (Outcome.LEFT, False),
    }
    assert found.unsure_count == 1


def test_of_more_lines_than_somebody_waits_for_the_newest_are_looked_at(history: Site) -> None:
    common: dict[str, Any] = {
        "unit": history.units["atlas"], "delegation": history.delegations["dana"], "now": LATER
    }  # fmt: skip
    version = PolicyVersion(resource=history.vcpu.resource, most_amount=40)
    found = replay(version, most=3, **common)
    # The newest three: declined 130, granted 128, and back to 60, which no such rule is about.
    assert (found.is_cut, found.most, found.line_count) == (True, 3, 2)
    assert not replay(version, most=5, **common).is_cut


def test_a_replay_takes_the_same_few_queries_for_any_history(history: Site) -> None:
    terms: dict[str, Any] = {"most_amount": 40, "usage_above_percent": 50}
    made = policies.make(
        unit=history.units["atlas"], name="Steps", actor=history.dana, now=NOW,
        terms=Terms(resource=history.vcpu.resource, **terms),
    )  # fmt: skip
    version = newest_versions([made])[made.pk]

    def look() -> Replay:
        return replay(version, made.unit, made.delegation, LATER)

    few, _said = count_queries(look)
    for day in range(5, 9):
        decided(history, 60 + day, 60 + day, day)
    many, said = count_queries(look)
    assert (few, many) == (4, 4), said
