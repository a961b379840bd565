"""Several requests approved by one transaction are decided as each of them would be alone."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.lib.errors import Conflict
from projects.models import Event, Notice, User
from quotas.actions import decide, storing
from quotas.actions.bulk import decide_many
from quotas.actions.decide_each import approve_each
from quotas.actions.jobs import KINDS
from quotas.actions.shown import Shown
from quotas.delivery import jobs
from quotas.models import (
    Account,
    BoundUse,
    Decision,
    DecisionKind,
    Delivery,
    Job,
    Loan,
    QuotaRequest,
    Transfer,
)
from quotas.queries.accounts import audit
from quotas.queries.verifying import verify
from quotas.states import ItemState, JobState, LineState
from quotas.tests.pages.deciding import ask_for_many
from quotas.tests.site import GIB, NOW, Site
from quotas.tests.test_bulk import of_atlas, outcomes, seen_of, states
from quotas.tests.test_consumption import LATER, another_project, ask_for, bound_of
from quotas.tests.test_proposing import opens_projects, proposed
from quotas.tests.threads import at_once

EACH = 10


def asked_of(site: Site, count: int) -> list[QuotaRequest]:
    """One request each of so many projects: vCPUs, and space that a loan may be of."""
    return [
        ask_for(
            site, {site.vcpu.slug: EACH, site.space.slug: GIB}, another_project(site, f"p{each}")
        )
        for each in range(count)
    ]


def started(shown: list[Shown], actor: User) -> Job:
    return decide_many(kind=DecisionKind.APPROVE, shown=shown, reason="", actor=actor, now=LATER)


def run(job: Job) -> None:
    while jobs.run(job.pk):
        pass


def without_ids(value: Any, asked: QuotaRequest) -> Any:
    """A proof without what tells its project and lines from others'."""
    kept = {key: each for key, each in value.items() if key not in ("project", "lines")}
    lines = [{k: v for k, v in each.items() if k != "line"} for each in value["lines"]]
    return kept | {"lines": lines}


def test_what_is_written_is_what_each_alone_would_write(site: Site) -> None:
    bound_of(site, "dana", per_decision=128, total=1000)
    first, *others = asked_of(site, 4)
    line = {each.pk: each.wanted for each in first.lines.all()}
    decide.approve(
        quota_request=first, granted=line, seen=dict.fromkeys(line, 0), version=first.version,
        actor=site.dana, now=LATER,
    )  # fmt: skip

    done = approve_each(shown=list(map(seen_of, others)), reason="", actor=site.dana, now=LATER)

    assert done == {each.pk for each in others}
    assert [each.sentence for each in verify()] == []
    assert audit() == []
    rows = [_written(each) for each in (first, *others)]
    assert rows[1:] == [rows[0]] * 3
    used = [each.snapshot["lines"][0]["bounds"][-1]["total_used"] for each in decisions()]
    assert used == [0, EACH, 2 * EACH, 3 * EACH]
    assert BoundUse.objects.get().used == 4 * EACH


def decisions() -> list[Decision]:
    return list(Decision.objects.order_by("pk"))


def _written(asked: QuotaRequest) -> dict[str, Any]:
    """All that an approval leaves of a request, without ids."""
    asked.refresh_from_db()
    decision = asked.decisions.get()
    own = Transfer.objects.filter(decision_line__decision=decision).order_by("offering_id")
    event = Event.objects.get(verb="approved", subject_id=asked.pk)
    return {
        "version": asked.version,
        "lines": states(asked),
        "decision": (decision.kind, decision.actor_id, decision.at, decision.reason),
        "said": list(
            decision.lines.order_by("line__offering").values_list(
                "line__offering", "delegation", "source", "before", "granted"
            )
        ),
        "moved": list(own.values_list("offering", "debit", "amount", "kind", "actor")),
        "held": list(
            Account.objects.filter(project=asked.project_id).order_by("offering_id")
            .values_list("offering", "balance")
        ),
        "event": (event.data["decision"] == decision.pk, len(event.data["lines"]), event.actor_id),
        "told": list(
            Notice.objects.filter(event=event).order_by("person").values_list("person", "kind")
        ),
        "deliveries": list(
            Delivery.objects.filter(decision_line__decision=decision)
            .order_by("target__endpoint").values_list("target__endpoint", "generation")
        ),
        "clocks": set(asked.lines.values_list("waits_since", "escalate_at")),
    }  # fmt: skip


def test_loans_are_opened_each_by_its_own_transfer(site: Site) -> None:
    asked = asked_of(site, 3)
    QuotaRequest.objects.filter(pk=asked[1].pk).update(until_on="2100-01-01")
    approve_each(shown=list(map(seen_of, asked)), reason="", actor=site.dana, now=LATER)
    loans = Loan.objects.order_by("pk").values_list(
        "account", "transfer__credit", "account__project"
    )
    assert [each[2] for each in loans] == [asked[1].project_id] * 2
    assert all(account == credit for account, credit, _project in loans)
    assert audit() == []


def test_what_the_first_took_is_not_there_for_the_next(site: Site) -> None:
    asked = asked_of(site, 3)
    envelope = Account.objects.get(unit__slug="atlas", offering=site.vcpu)
    pool = Account.objects.get(holder="pool", offering=site.vcpu)
    left = 2 * EACH + 1
    Account.objects.filter(pk=pool.pk).update(balance=pool.balance + envelope.balance - left)
    Account.objects.filter(pk=envelope.pk).update(balance=left)

    done = approve_each(shown=list(map(seen_of, asked)), reason="", actor=site.dana, now=LATER)

    assert done == {asked[0].pk, asked[1].pk}
    envelope.refresh_from_db()
    assert envelope.balance == 1
    assert states(asked[2]) == {LineState.OPEN}


def test_nobody_is_served_before_a_project_that_was_chosen_first(site: Site) -> None:
    """Which is opened by a transaction of its own."""
    opens_projects(site, "otto", "erin")
    asked = [proposed(site), *asked_of(site, 3)]
    envelope = Account.objects.get(unit__slug="atlas", offering=site.vcpu)
    pool = Account.objects.get(holder="pool", offering=site.vcpu)
    left = 8 + EACH - 1
    Account.objects.filter(pk=pool.pk).update(balance=pool.balance + envelope.balance - left)
    Account.objects.filter(pk=envelope.pk).update(balance=left)
    job = started(list(map(seen_of, asked)), site.erin)
    run(job)
    assert [state for _number, state in outcomes(job)] == ["done", "refused", "refused", "refused"]


def test_who_had_a_part_in_one_decides_the_others(site: Site) -> None:
    asked = asked_of(site, 3)
    QuotaRequest.objects.filter(pk=asked[1].pk).update(requester=site.dana)
    done = approve_each(shown=list(map(seen_of, asked)), reason="", actor=site.dana, now=LATER)
    assert done == {asked[0].pk, asked[2].pk}


def test_two_requests_of_one_project_are_decided_together(site: Site) -> None:
    project = another_project(site, "both")
    asked = [ask_for(site, {each: amount}, project)
             for each, amount in ((site.vcpu.slug, EACH), (site.space.slug, GIB))]  # fmt: skip
    done = approve_each(shown=list(map(seen_of, asked)), reason="", actor=site.dana, now=LATER)
    assert done == {each.pk for each in asked}
    assert [each.sentence for each in verify()] == []
    assert audit() == []


def test_many_cost_little_more_than_one(site: Site) -> None:
    few, *many = [[each] for each in asked_of(site, 1 + jobs.AT_ONCE)]
    counts = [
        count(partial(approve_each, shown=list(map(seen_of, each)), reason="", actor=site.dana,
                      now=LATER))
        for each in (few, [one for each in many for one in each])
    ]  # fmt: skip
    assert counts[0] == counts[1] <= 15


def count(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return sum("SAVEPOINT" not in each["sql"] for each in captured.captured_queries)


def test_a_worker_that_is_killed_leaves_all_that_it_did_together(
    site_today: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for_many(site_today, 6)
    asked = of_atlas()
    job = decide_many(
        kind=DecisionKind.APPROVE, shown=list(map(seen_of, asked)), reason="",
        actor=site_today.dana, now=timezone.now(),
    )  # fmt: skip

    class Killed(BaseException):
        pass

    def die(*_said: Any) -> None:
        raise Killed

    with monkeypatch.context() as broken:
        broken.setattr("quotas.actions.decide_each.deliver", die)
        with pytest.raises(Killed):
            jobs.run(job.pk)
    assert {state for _number, state in outcomes(job)} == {ItemState.WAITING}
    assert not Decision.objects.exists()
    Job.objects.filter(pk=job.pk).update(held_until=Now())
    run(job)
    assert {state for _number, state in outcomes(job)} == {ItemState.DONE}
    assert Decision.objects.count() == len(asked)


@pytest.mark.parametrize("error", [ValueError("a mistake"), Conflict("somebody was first")])
def test_what_goes_wrong_together_is_done_one_by_one(
    site_today: Site, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    ask_for_many(site_today, 6)
    asked = of_atlas()
    moved = storing._move

    def fail(said: Any, *more: Any) -> Any:
        found = moved(said, *more)
        if len(said) > 1:
            raise error
        return found

    monkeypatch.setattr(storing, "_move", fail)
    job = decide_many(
        kind=DecisionKind.APPROVE, shown=list(map(seen_of, asked)), reason="",
        actor=site_today.dana, now=timezone.now(),
    )  # fmt: skip
    run(job)
    assert {state for _number, state in outcomes(job)} == {ItemState.DONE}
    assert Decision.objects.count() == len(asked)
    assert audit() == []


def test_who_lost_the_job_meanwhile_decides_nothing(
    site_today: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask_for_many(site_today, 6)
    asked = of_atlas()
    job = decide_many(
        kind=DecisionKind.APPROVE, shown=list(map(seen_of, asked)), reason="",
        actor=site_today.dana, now=timezone.now(),
    )  # fmt: skip
    read = jobs._next

    def steal(own: Job) -> Any:
        Job.objects.filter(pk=own.pk).update(holder="00000000-0000-0000-0000-000000000001")
        return read(own)

    monkeypatch.setattr(jobs, "_next", steal)
    assert not jobs.run(job.pk)
    assert {state for _number, state in outcomes(job)} == {ItemState.WAITING}
    assert KINDS["approve many"].act_on_many is not None


def test_jobs_and_single_decisions_that_meet_decide_each_request_once(committed_site: Site) -> None:
    """By several people at once, in opposite orders, through one envelope and one total."""
    site = committed_site
    bound_of(site, "dana", per_decision=128, total=1000)
    asked = asked_of(site, 12)
    shown = list(map(seen_of, asked))
    found = [
        started(shown, site.dana), started(shown[::-1], site.dana), started(shown[3:], site.erin)
    ]  # fmt: skip

    def alone(own: QuotaRequest, seen: Shown) -> Decision:
        wanted = {each.pk: each.wanted for each in own.lines.all()}
        return decide.approve(
            quota_request=own, granted=wanted, seen=seen.seen, version=seen.version,
            actor=site.dana, now=NOW,
        )  # fmt: skip

    singles = [partial(alone, *each) for each in zip(asked[::4], shown[::4], strict=True)]
    at_once([*(partial(run, each) for each in found), *singles])

    assert sorted(Decision.objects.values_list("request", flat=True)) == [e.pk for e in asked]
    assert {state for each in asked for state in states(each)} == {LineState.GRANTED}
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.ENDED}
    assert BoundUse.objects.filter(bound__delegation=site.delegations["dana"]).get().used <= 120
    assert [each.sentence for each in verify()] == []
    assert audit() == []
