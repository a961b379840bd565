"""Marks and their working off: in batches, after kills, by several, and at their time."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from projects.models import Delegation, Project, in_force
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.actions import decide, delegations
from quotas.actions.rerouting import BATCH, work_off
from quotas.actions.routing import mark_delegation, mark_project, mark_unit
from quotas.models import Assignment, DelegationBound, QuotaRequest, RequestLine, RouteMark
from quotas.queries.requests import queue
from quotas.tasks import sweep_all_routes, sweep_marks
from quotas.tests.site import NOW, Site, make_site
from quotas.tests.test_consumption import ask_for
from quotas.tests.test_decide import ask
from quotas.tests.threads import BUSY_SECONDS, at_once, until_it_waits


def many_open(site: Site, count: int) -> None:
    """So many projects of ATLAS with an open request of three lines each, waiting for nobody."""
    projects = Project.objects.bulk_create(
        Project(slug=f"p{n}", name=f"p{n}", unit=site.units["atlas"], created_at=NOW)
        for n in range(count)
    )
    asked = QuotaRequest.objects.bulk_create(
        QuotaRequest(
            project=each, requester=site.alice, created_at=NOW, submitted_at=NOW, updated_at=NOW
        )
        for each in projects
    )
    RequestLine.objects.bulk_create(
        RequestLine(
            request=each, project=each.project, offering=offering, wanted=offering.resource.step,
            balance_seen=0, state="open", waits_since=NOW,
        )
        for each in asked
        for offering in site.offerings.values()
    )  # fmt: skip


def waiting_count(site: Site, name: str) -> int:
    return queue(Viewer.of(site.people[name], NOW)).count()


def cost_of(most: int) -> int:
    with CaptureQueriesContext(connection) as caught:
        work_off(NOW, most)
    return len(caught)


def test_a_batch_costs_the_same_for_three_requests_and_for_a_hundred(site: Site) -> None:
    many_open(site, 334)
    mark_unit(site.units["ep"], NOW)
    costs = [cost_of(3), cost_of(BATCH), cost_of(BATCH)]
    # The first one locks the mark's place as well.
    assert costs[0] - 3 <= costs[1] == costs[2] <= 25
    assert RouteMark.objects.get().after_id > 0
    while work_off(NOW, BATCH):
        pass
    assert RouteMark.objects.count() == 0
    assert Assignment.objects.values("line").distinct().count() == 1002
    assert waiting_count(site, "dana") == 334


def test_routing_again_what_is_right_writes_nothing(site: Site) -> None:
    ask(site)
    mark_unit(site.units["atlas"], NOW)
    with CaptureQueriesContext(connection) as caught:
        work_off(NOW)
    written = [each["sql"] for each in caught if "quotas_assignment" in each["sql"]]
    assert [sql.split()[0] for sql in written] == ["SELECT"]


class Killed(Exception):
    """Stands for the end of a worker within a batch: its transaction is taken back."""


def test_who_is_killed_within_a_batch_leaves_the_mark_where_it_was(site: Site) -> None:
    many_open(site, 20)
    mark_unit(site.units["atlas"], NOW)
    work_off(NOW, 5)
    with pytest.raises(Killed), transaction.atomic():
        work_off(NOW, 5)
        raise Killed
    assert waiting_count(site, "dana") == 5
    work_off(NOW)
    assert (waiting_count(site, "dana"), RouteMark.objects.count()) == (20, 0)


def test_a_mark_made_during_the_work_is_worked_off_too(site: Site) -> None:
    many_open(site, 10)
    mark_unit(site.units["atlas"], NOW)
    work_off(NOW, 5)
    delegations.revoke(delegation=site.delegations["dana"], actor=site.erin, now=NOW)
    work_off(NOW)
    assert (waiting_count(site, "dana"), waiting_count(site, "erin")) == (0, 10)


def test_marks_of_one_place_are_worked_off_as_one(site: Site) -> None:
    many_open(site, 10)
    for _each in range(3):
        mark_project(site.project, NOW)
        mark_unit(site.units["atlas"], NOW)
    work_off(NOW, 4)
    left = RouteMark.objects.filter(unit=site.units["atlas"])
    assert left.count() == 1
    work_off(NOW)
    assert RouteMark.objects.count() == 0


def test_several_workers_at_once_share_the_work(committed_site: Site) -> None:
    site = committed_site
    many_open(site, 60)
    # Not by mark_unit, which would begin at once.
    RouteMark.objects.bulk_create(
        RouteMark(unit=site.units[slug], due_at=NOW) for slug in ("atlas", "ep", "org", "atlas")
    )
    at_once([lambda: work_off(NOW)] * 3)
    work_off(NOW)
    assert (waiting_count(site, "dana"), RouteMark.objects.count()) == (60, 0)


def test_a_small_site_sees_the_change_at_once(committed_site: Site) -> None:
    site = committed_site
    ask(site)
    delegations.revoke(delegation=site.delegations["dana"], actor=site.erin, now=NOW)
    assert (waiting_count(site, "dana"), waiting_count(site, "erin")) == (0, 1)
    assert RouteMark.objects.count() == 0


def in_a_thread(act: Callable[[], object]) -> threading.Thread:
    """The act under way on a connection of its own."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_wish_that_was_being_sent_is_not_missed(committed_site: Site) -> None:
    """It reads the old authority and commits after the mark was made: the worker waits for it."""
    site = committed_site
    sent, may_commit = threading.Event(), threading.Event()

    def send() -> None:
        with transaction.atomic():
            ask(site)
            sent.set()
            may_commit.wait(BUSY_SECONDS)

    sender = in_a_thread(send)
    assert sent.wait(BUSY_SECONDS)
    Delegation.objects.filter(pk=site.delegations["dana"].pk).update(revoked_at=NOW)
    RouteMark.objects.create(unit=site.units["atlas"], due_at=NOW)
    worker = in_a_thread(lambda: work_off(NOW))
    until_it_waits(worker)
    may_commit.set()
    for thread in (sender, worker):
        thread.join(BUSY_SECONDS)
    assert waiting_count(site, "erin") == 1


def test_a_delegation_takes_over_when_it_begins_and_hands_back_when_it_ends(site: Site) -> None:
    ask(site)
    begins, ends = NOW + timedelta(days=3), NOW + timedelta(days=5)
    parent = site.delegations["dana"]
    made = Delegation.objects.create(
        parent=parent, ancestors=parent.chain_ids, grantor=site.dana, user=site.mallory,
        powers=[Power.DECIDE_QUOTA], unit=parent.unit, starts_at=begins, ends_at=ends,
        created_at=NOW,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=made)
    mark_delegation(made, NOW)

    def nearest(now: datetime) -> list[str]:
        rows = Assignment.objects.filter(ends_at__gt=now) | Assignment.objects.filter(ends_at=None)
        return sorted(each.delegation.user.subject for each in rows if each.delegation.user)

    assert work_off(NOW) is False
    assert nearest(NOW) == ["dana"]
    work_off(begins)
    assert nearest(begins) == ["mallory"]
    work_off(ends)
    assert nearest(ends) == ["dana"]


def test_a_window_that_has_passed_brings_a_line_back_with_the_daily_sweep(db: None) -> None:
    began = timezone.now() - timedelta(days=40)
    site = make_site(began)
    first = ask_for(site, {site.vcpu.slug: 100}, now=began)
    line = first.lines.get()
    decide.approve(
        quota_request=first, granted={line.pk: 100}, seen={line.pk: 0}, version=1,
        actor=site.dana, now=began,
    )  # fmt: skip
    asked = ask_for(site, {site.vcpu.slug: 164}, now=began + timedelta(days=1))

    def turns() -> set[tuple[str, str]]:
        live = Assignment.objects.filter(in_force(timezone.now()), line__request=asked)
        return set(live.values_list("user__subject", "kind"))

    # 128 in 30 days: of these 28 were left, and 64 were asked for.
    assert turns() == {("erin", "decide"), ("dana", "endorse")}
    sweep_all_routes()
    sweep_marks()
    assert turns() == {("dana", "decide")}
    assert RouteMark.objects.count() == 0
    # Whom it leaves has lost nothing but a row of the queue.
    again = asked.lines.get()
    decide.approve(
        quota_request=asked, granted={again.pk: 164}, seen={again.pk: 100}, version=1,
        actor=site.erin, now=timezone.now(),
    )  # fmt: skip
