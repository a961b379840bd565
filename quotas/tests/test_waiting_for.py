"""Why it is still waiting, the polite nudge, and how long a unit lets its requests wait."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.lib.errors import Conflict, Forbidden, Invalid
from projects.models import Delegation, Notice, User
from projects.queries.viewers import Viewer
from projects.states import Role
from quotas.actions import decide, requests
from quotas.actions.endorse import endorse
from quotas.actions.escalation import escalate_due
from quotas.actions.nudge import TooSoon, nudge
from quotas.actions.policies import Terms
from quotas.actions.unit_settings import set_waiting
from quotas.models import DelegationBound, QuotaRequest
from quotas.queries.waiting_for import LineWait, Nobody, waiting_of
from quotas.states import Direction
from quotas.tests.api import caller
from quotas.tests.pages.acting import client_of, text_of
from quotas.tests.site import NOW, Site, join
from quotas.tests.test_automatic import few, rule
from quotas.tests.test_consumption import ask_for
from quotas.tests.test_decide import ask

# NOW is a Friday, 12:00.
MONDAY = NOW + timedelta(days=3)


def viewer(site: Site, name: str = "alice") -> Viewer:
    return Viewer.of(site.people[name], NOW)


def why(asked: QuotaRequest) -> LineWait:
    (wait,) = waiting_of(asked, Viewer.of(asked.requester, NOW)).lines
    return wait


def names(wait: LineWait) -> list[list[str]]:
    return [[str(each) for each in step.names] for step in wait.decides]


def test_it_tells_whom_it_waits_for_and_who_comes_next(site: Site) -> None:
    asked = ask(site, {site.vcpu.slug: 200})
    endorse(
        quota_request=asked, endorsed={asked.lines.get().pk: 150}, version=1, reason="Fine.",
        actor=site.dana, now=NOW,
    )  # fmt: skip
    wait = why(asked)
    assert names(wait) == [["Erin"]]
    assert wait.goes_up_to is not None
    assert [str(each) for each in wait.goes_up_to.names] == ["Otto"]
    assert (wait.endorses, [each.amount for each in wait.endorsements]) == (None, [150])


def test_each_rule_says_why_it_does_not_grant_it(site: Site) -> None:
    made = rule(site, few(site, 32, envelope_left_percent=95))
    rule(site, Terms(direction=Direction.DECREASE))
    asked = ask(site, {site.vcpu.slug: 64, site.space.slug: 2**30})
    by_offering = {each.line.offering: each for each in waiting_of(asked, viewer(site)).lines}
    assert by_offering[site.space].rules == ()
    (says,) = by_offering[site.vcpu].rules
    assert (str(says.version), says.grants) == (f"R{made.pk}.1", False)
    assert says.findings == (
        (False, "It adds 64; 32 at most."),
        (False, "Too little of the envelope would be left: 95\u00a0% or less."),
    )
    (seen_by_dana,) = waiting_of(asked, viewer(site, "dana")).lines[0].rules
    assert seen_by_dana.findings[1] == (
        False, "Of the envelope 93.6\u00a0% would be left; it must be more than 95\u00a0%.",
    )  # fmt: skip


def test_page_and_api_tell_what_a_rule_says(site_today: Site) -> None:
    site, now = site_today, timezone.now() - timedelta(hours=1)
    made = rule(site, few(site), now=now)
    asked = ask_for(site, {site.vcpu.slug: 64}, now=now)
    text = text_of(client_of(site, "alice").get(f"/requests/{asked.pk}/"))
    assert f"Why R{made.pk}.1 does not grant vCPU in compute-a" in text
    assert "It adds 64; 32 at most." in text
    (line,) = caller(site, "alice").get(f"requests/{asked.pk}/waiting/").json()["lines"]
    assert line["is_for_people"] is False
    assert line["rules"] == [
        {
            "rule": f"R{made.pk}.1",
            "grants": False,
            "findings": [{"holds": False, "words": "It adds 64; 32 at most."}],
        }
    ]


def test_a_rule_that_came_later_is_told_as_such(site: Site) -> None:
    asked = ask(site, {site.vcpu.slug: 32})
    rule(site, few(site))
    wait = why(asked)
    assert [each.grants for each in wait.rules] == [True]
    assert not wait.is_for_people
    decide.return_(
        quota_request=asked, line_ids=[wait.line.pk], question="Why?", version=1, actor=site.dana,
        now=NOW,
    )  # fmt: skip
    requests.answer(
        quota_request=asked, text="Runs.", wanted={}, version=2, actor=site.alice, now=NOW
    )
    assert why(asked).is_for_people


def test_who_a_rule_stands_on_may_have_nothing_left(site: Site) -> None:
    asked = ask(site, {site.vcpu.slug: 32})
    made = rule(site, few(site))
    join(site.project, site.dana, Role.MEMBER, NOW)
    (says,) = why(asked).rules
    assert (says.version.policy, says.grants) == (made, False)
    assert says.findings[-1] == (False, "Whoever it stands on may not grant this now.")


def test_time_counts_in_working_days(site: Site) -> None:
    asked = ask(site)
    (wait,) = waiting_of(asked, Viewer.of(site.alice, MONDAY + timedelta(days=1))).lines
    assert (wait.worked, wait.worked_words) == (timedelta(days=2), "2 working days")


def test_levels_that_were_added_are_told(site: Site) -> None:
    asked = ask(site)
    escalate_due(NOW + timedelta(days=7))
    assert names(why(asked)) == [["Dana"], ["Erin"]]


def test_nobody_because_all_have_ended(site: Site) -> None:
    asked = ask(site)
    Delegation.objects.update(revoked_at=NOW)
    wait = why(asked)
    assert (wait.reason, wait.decides) == (Nobody.ENDED, ())
    assert "every delegation has ended" in wait.nobody


def test_nobody_because_all_have_a_part_in_it(site: Site) -> None:
    asked = ask(site)
    for name in ("dana", "erin"):
        join(site.project, site.people[name], Role.MEMBER, NOW)
    User.objects.filter(pk=site.otto.pk).update(is_active=False)
    assert why(asked).reason == Nobody.INTERESTED


def test_nobody_because_no_remit_speaks_of_it(site: Site) -> None:
    asked = ask(site)
    DelegationBound.objects.filter(delegation=site.delegations["otto"]).update(
        resource=site.space.resource
    )
    assert why(asked).reason == Nobody.NOT_COVERED


def test_a_nudge_reaches_whom_it_waits_for_once_a_working_day(site: Site) -> None:
    asked = ask(site)
    with pytest.raises(TooSoon) as refusal:
        nudge(quota_request=asked, actor=site.alice, now=NOW + timedelta(hours=11))
    # Half a working day after Friday noon ends as Monday begins.
    assert refusal.value.facts == {"at": "2026-11-23T00:00:00+00:00"}
    assert nudge(quota_request=asked, actor=site.alice, now=MONDAY) == 1
    assert [each.person for each in Notice.objects.filter(kind="nudged")] == [site.dana]
    with pytest.raises(TooSoon):
        nudge(quota_request=asked, actor=site.alice, now=MONDAY + timedelta(hours=23))
    assert nudge(quota_request=asked, actor=site.alice, now=MONDAY + timedelta(days=1)) == 1


def test_who_may_not_ask_may_not_nudge(site: Site) -> None:
    with pytest.raises(Forbidden):
        nudge(quota_request=ask(site), actor=site.bob, now=MONDAY)


def test_nothing_open_is_nothing_to_nudge_about(site: Site) -> None:
    asked = ask(site)
    asked.lines.update(state="declined")
    with pytest.raises(Conflict, match="Nothing in this request"):
        nudge(quota_request=asked, actor=site.alice, now=MONDAY)


def test_who_decides_for_a_unit_sets_how_long_one_waits_there(site: Site) -> None:
    before = ask(site)
    unit = set_waiting(
        unit=site.units["atlas"], remind_after_days=None, escalate_after_days=1, actor=site.dana,
        now=NOW,
    )  # fmt: skip
    assert (unit.remind_after_days, unit.escalate_after_days) == (None, 1)
    assert before.lines.get().escalate_at == NOW + timedelta(days=7)
    assert ask(site, {site.space.slug: 2**30}).lines.get().escalate_at == MONDAY


@pytest.mark.parametrize("days", [(3, 3), (-1, 5), (0, 0), (1, 251)])
def test_days_that_make_no_sense_are_refused(site: Site, days: tuple[int, int]) -> None:
    with pytest.raises(Invalid):
        set_waiting(
            unit=site.units["atlas"], remind_after_days=days[0], escalate_after_days=days[1],
            actor=site.dana, now=NOW,
        )  # fmt: skip


def test_who_decides_below_sets_nothing_above(site: Site) -> None:
    with pytest.raises(Forbidden):
        set_waiting(
            unit=site.units["ep"], remind_after_days=1, escalate_after_days=2, actor=site.dana,
            now=NOW,
        )  # fmt: skip
