"""Endorsing: who is asked to, what it leaves behind, and who is refused."""

from datetime import timedelta

import pytest

from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from projects.models import Delegation, Notice
from projects.queries.viewers import Viewer
from quotas.actions import requests
from quotas.actions.delegations import name_deputy
from quotas.actions.endorse import endorse
from quotas.models import Assignment, Decision, DecisionLine, QuotaRequest
from quotas.queries.endorsements import endorsements_of
from quotas.queries.requests import queue
from quotas.queries.waiting_for import waiting_of
from quotas.tests.site import NOW, Site, make_group
from quotas.tests.test_decide import ask


def beyond_dana(site: Site) -> QuotaRequest:
    """She may add 128 in one decision; this adds 200."""
    return ask(site, {site.vcpu.slug: 200})


def say(site: Site, asked: QuotaRequest, amount: int = 100, actor: str = "dana") -> Decision:
    return endorse(
        quota_request=asked, endorsed={asked.lines.get().pk: amount}, version=asked.version,
        reason="They need it.", actor=site.people[actor], now=NOW,
    )  # fmt: skip


def queues(site: Site) -> set[str]:
    return {
        name for name, user in site.people.items() if queue(Viewer.of(user, NOW)).exists()
    }  # fmt: skip


def test_a_line_waits_for_who_decides_and_for_the_nearer_who_endorses(site: Site) -> None:
    asked = beyond_dana(site)
    rows = Assignment.objects.filter(line__request=asked).order_by("kind")
    assert list(rows.values_list("delegation__user__subject", "kind")) == [
        ("erin", "decide"), ("dana", "endorse"),
    ]  # fmt: skip


def test_endorse_leaves_the_line_open_and_the_endorsers_queue(site: Site) -> None:
    asked = beyond_dana(site)
    decision = say(site, asked)
    line = asked.lines.get()
    assert (line.state, DecisionLine.objects.get().endorsed) == ("open", 100)
    assert queues(site) == {"erin"}
    assert [each.amount for each in endorsements_of([line])[line.pk]] == [100]
    told = Notice.objects.filter(event__data__decision=decision.pk)
    assert set(told.values_list("person__subject", flat=True)) == {"erin", "alice"}


def test_an_amended_line_comes_back_to_the_endorser_without_the_old_word(site: Site) -> None:
    asked = beyond_dana(site)
    say(site, asked)
    line = asked.lines.get()
    requests.amend(
        quota_request=asked, wanted={line.pk: 180}, reason="Fewer will do.", version=asked.version,
        actor=site.alice, now=NOW,
    )  # fmt: skip
    assert queues(site) == {"dana", "erin"}
    assert endorsements_of([asked.lines.get()]) == {}


@pytest.mark.parametrize("speaker", ["dana", "rita"])
def test_who_stands_in_for_somebody_and_they_are_asked_once(site: Site, speaker: str) -> None:
    name_deputy(
        holder=site.dana, user=site.rita, starts_at=NOW, ends_at=NOW + timedelta(days=7), now=NOW
    )
    asked = beyond_dana(site)
    assert queues(site) == {"dana", "erin", "rita"}
    say(site, asked, actor=speaker)
    assert queues(site) == {"erin"}
    (wait,) = waiting_of(asked, Viewer.of(site.alice, NOW)).lines
    assert wait.endorses is None


def test_one_word_of_a_group_is_enough(site: Site) -> None:
    group = make_group("coordinators", site.dana, site.rita)
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(user=None, group=group)
    asked = beyond_dana(site)
    assert queues(site) == {"dana", "erin", "rita"}
    say(site, asked, actor="rita")
    assert queues(site) == {"erin"}


def test_nobody_endorses_twice(site: Site) -> None:
    asked = beyond_dana(site)
    say(site, asked)
    with pytest.raises(Conflict, match="endorsed vCPU in compute-a already"):
        say(site, asked, 150)


def test_who_may_decide_is_told_to(site: Site) -> None:
    with pytest.raises(Conflict, match="decide it yourself"):
        say(site, beyond_dana(site), actor="erin")


def test_who_holds_a_role_endorses_nothing(site: Site) -> None:
    with pytest.raises(Forbidden):
        say(site, beyond_dana(site), actor="alice")


@pytest.mark.parametrize("amount", [0, 201])
def test_endorse_lies_between_the_quota_and_what_was_asked_for(site: Site, amount: int) -> None:
    with pytest.raises(Invalid):
        say(site, beyond_dana(site), amount)


def test_endorse_of_what_has_changed_is_stale(site: Site) -> None:
    asked = beyond_dana(site)
    asked.version += 1
    with pytest.raises(Stale):
        say(site, asked)
