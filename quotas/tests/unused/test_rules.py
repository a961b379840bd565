"""What is suggested to be returned, as a literal table, and what is left alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models import F
from pytest_django import DjangoAssertNumQueries

from projects.models import Project
from projects.states import ProjectState
from quotas.actions import requests
from quotas.actions.return_undos import undo_return
from quotas.actions.returns import return_quota
from quotas.actions.unused import find_unused
from quotas.actions.wishes import Wish
from quotas.models import (
    Account,
    Contribution,
    Endpoint,
    Limit,
    Reading,
    Transfer,
    TransferKind,
    UnusedQuota,
    UsagePeak,
)
from quotas.queries.unused import Held, Unused, to_return, unused_of
from quotas.tests.site import GIB, NOW, Site, make_project
from quotas.tests.test_lives import give
from quotas.tests.using import read, use_for

DAY = timedelta(days=1)
# What was granted at NOW is left alone no more.
THEN = NOW + 100 * DAY

ONE, TWO = [(1, 1)], [(1, 1), (2, 1)]
TABLE: list[tuple[str, dict[str, Held], dict[int, int | None], dict[str, int]]] = [
    ("what use leaves over", {"a": Held(100, 1, ONE)}, {1: 40}, {"a": 40}),
    ("all of it", {"a": Held(100, 1, ONE)}, {1: 100}, {"a": 100}),
    ("whole steps only", {"a": Held(100, 8, ONE)}, {1: 31}, {"a": 24}),
    ("less than a step", {"a": Held(100, 32, ONE)}, {1: 31}, {}),
    ("less than is worth it", {"a": Held(100, 1, ONE)}, {1: 9}, {}),
    ("just worth it", {"a": Held(100, 1, ONE)}, {1: 10}, {"a": 10}),
    ("more used than there is", {"a": Held(100, 1, ONE)}, {1: -5}, {}),
    ("nobody knows", {"a": Held(100, 1, ONE)}, {1: None}, {}),
    ("one of two not known", {"a": Held(100, 1, TWO)}, {1: 50, 2: None}, {}),
    ("the narrower of two", {"a": Held(100, 1, TWO)}, {1: 50, 2: 30}, {"a": 30}),
    ("what is enforced nowhere", {"a": Held(100, 1, [])}, {}, {}),
    ("by its factor", {"a": Held(100, 1, [(1, 4)])}, {1: 90}, {"a": 22}),
    (
        "a shared limit leaves over once, to each its share",
        {"a": Held(100, 1, ONE), "b": Held(300, 1, ONE)}, {1: 200}, {"a": 66, "b": 133},
    ),
    (
        "where one part is in use the other gives it all",
        {"a": Held(100, 1, [(1, 1), (3, 1)]), "b": Held(100, 1, TWO)},
        {1: 80, 2: 0, 3: 100}, {"a": 80},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("held", "free", "found"), [row[1:] for row in TABLE], ids=lambda _: "")
def test_what_could_be_returned(
    held: dict[Any, Held], free: dict[int, int | None], found: dict[str, int]
) -> None:
    assert to_return(held, free) == found


@pytest.fixture
def using(site: Site) -> Site:
    """100 vCPU for long, of which 20 are used, once 40."""
    give(site, site.vcpu, 100)
    use_for(site.project, "cores", 20, THEN, peak=40)
    return site


def found(site: Site) -> list[Unused]:
    return unused_of([site.project], THEN).get(site.project.pk, [])


def test_it_keeps_the_peak_of_90_days_with_headroom(using: Site) -> None:
    (unused,) = found(using)
    # 40 × 1.2 stay.
    assert (unused.offering, unused.amount, unused.left) == (using.vcpu, 52, 48)
    seen = unused.evidence
    assert (seen.peak, seen.peak_on, seen.day_count, seen.taken) == (
        40, THEN.date() - 45 * DAY, 90, 20,
    )  # fmt: skip


def test_what_is_in_use_or_reserved_now_counts_as_a_peak(using: Site) -> None:
    read(using.project, "cores", 50, THEN, reserved=10)
    assert [each.left for each in found(using)] == [72]


def _too_few_days(site: Site) -> None:
    days = settings.RECLAIM_EVIDENCE_DAYS
    UsagePeak.objects.filter(day__lte=THEN.date() - (days - 1) * DAY).delete()


def _given_to_lately(site: Site) -> None:
    account = Account.objects.get(project=site.project, offering=site.vcpu)
    Transfer.objects.create(
        offering=site.vcpu, debit=Account.objects.get(offering=site.vcpu, unit__slug="atlas"),
        credit=account, amount=1, kind=TransferKind.GRANT, at=THEN - 29 * DAY,
    )  # fmt: skip


def _asked_for(site: Site) -> None:
    requests.submit(
        project=site.project, wish=Wish({site.vcpu.slug: 120}, "why"), actor=site.alice, now=THEN
    )


def test_what_was_returned_and_had_again_is_suggested_as_before(using: Site) -> None:
    before = found(using)
    made = return_quota(
        project=using.project, offering=using.vcpu, amount=20, seen=100, actor=using.alice, now=THEN
    )
    undo_return(quota_return=made, actor=using.alice, now=THEN)
    assert found(using) == before != []


LEFT_ALONE = {
    "seen on too few days": _too_few_days,
    "given to lately": _given_to_lately,
    "more is asked for": _asked_for,
    "not read for days": lambda site: Reading.objects.update(read_at=THEN - 3 * DAY),
    "its use is not told": lambda site: Reading.objects.update(used=None),
    "a part of the service is down": lambda site: Endpoint.objects.update(gaps_since=THEN),
    "enforced nowhere": lambda site: Limit.objects.update(left_out_at=THEN, left_out_reason="x"),
    "closing": lambda site: Project.objects.update(state=ProjectState.CLOSING),
}


@pytest.mark.parametrize("why", LEFT_ALONE)
def test_it_is_left_alone_where(using: Site, why: str) -> None:
    assert found(using)
    LEFT_ALONE[why](using)
    assert found(using) == []


def test_zones_that_share_a_limit_give_their_share_and_together_leave_the_headroom(
    using: Site,
) -> None:
    ram = using.offerings["geneva.compute-a.ram"]
    Contribution.objects.filter(offering=ram).update(limit=Limit.objects.get(key="cores"), factor=1)
    Account.objects.create(offering=ram, project=using.project, holder="project", balance=300 * GIB)
    use_for_more = 40 * GIB
    UsagePeak.objects.update(used=use_for_more)
    amounts = [each.amount for each in found(using)]
    assert sum(amounts) <= 100 + 300 * GIB - 48 * GIB
    assert sum(amounts) > 100 + 300 * GIB - 50 * GIB


def test_many_projects_cost_as_many_questions_as_one(
    using: Site, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    projects = [using.project, *(make_project(using, f"p{n}", "atlas", NOW) for n in range(20))]
    for each in projects[1:]:
        Account.objects.create(offering=using.vcpu, project=each, holder="project", balance=50)
        use_for(each, "cores", 10, THEN, days=70)
    with django_assert_num_queries(4):
        assert len(unused_of(projects[:1], THEN)) == 1
    with django_assert_num_queries(4):
        assert len(unused_of(projects, THEN)) == 21


def test_lists_forget_what_is_found_no_more_or_moved_since(using: Site) -> None:
    assert find_unused(THEN, most=1) == using.project.pk
    assert find_unused(THEN, using.project.pk, most=1) == 0
    row = UnusedQuota.objects.get()
    assert (row.amount, row.balance, row.peak, row.day_count) == (52, 100, 40, 90)
    find_unused(THEN + DAY)
    assert UnusedQuota.objects.get().pk == row.pk
    Reading.objects.update(used=F("used") + 70)
    find_unused(THEN + DAY)
    assert not UnusedQuota.objects.exists()
