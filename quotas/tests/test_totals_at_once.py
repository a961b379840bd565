"""Many decisions at the same moment under one total, on real PostgreSQL."""

from functools import partial
from typing import Any

from django.db import connection, transaction

from portal.lib.locks import Busy
from portal.testing.servers import DatabaseCopy
from projects.models import Delegation
from projects.queries.viewers import Viewer
from projects.states import Power
from quotas.actions import decide
from quotas.actions.authority import UsedUp
from quotas.actions.consuming import hold_totals
from quotas.models import BoundUse, Decision, DelegationBound, QuotaRequest
from quotas.queries.accounts import audit
from quotas.queries.authority import mandate_of
from quotas.queries.requests import queue
from quotas.tests.site import NOW, Site, make_site
from quotas.tests.test_consumption import another_project, ask_for, bound_of
from quotas.tests.threads import at_once

MANY = 50
EACH = 10
TOTAL = 200


def approve_until_not_busy(site: Site, asked: QuotaRequest) -> Decision:
    """As a person does: who only had to wait too long tries again."""
    line = asked.lines.get()
    while True:
        try:
            return decide.approve(
                quota_request=asked, granted={line.pk: EACH}, seen={line.pk: 0},
                version=asked.version, actor=site.dana, now=NOW,
            )  # fmt: skip
        except Busy:
            continue


def test_fifty_decisions_at_once_never_pass_a_total_and_the_refused_go_up(
    committed_site: Site,
) -> None:
    site = committed_site
    bound = bound_of(site, "dana", per_decision=128, total=TOTAL)
    asked = [
        ask_for(site, {site.vcpu.slug: EACH}, another_project(site, f"p{number}"))
        for number in range(MANY)
    ]
    results: list[Any] = at_once([partial(approve_until_not_busy, site, each) for each in asked])
    refused = [each for each in results if isinstance(each, UsedUp)]
    assert len(refused) == MANY - TOTAL // EACH
    assert len(results) == MANY
    assert BoundUse.objects.get(bound=bound).used == TOTAL
    assert {(each.status, each.facts["left"], each.facts["bound"]) for each in refused} == {
        (409, 0, "total")
    }
    assert {tuple(each.facts["waits_for"]) for each in refused} == {("Erin",)}
    waiting = queue(Viewer.of(site.erin, NOW)).values_list("pk", flat=True)
    assert set(waiting) == {
        each.pk for each, result in zip(asked, results, strict=True) if result in refused
    }
    assert site.envelope(site.vcpu) == 1000 - TOTAL
    assert audit() == []


def test_totals_of_other_delegations_are_waited_for_by_nobody(database_copy: DatabaseCopy) -> None:
    site = make_site(NOW)
    bound_of(site, "dana", per_decision=128, total=TOTAL)
    asked = ask_for(site, {site.vcpu.slug: EACH}, another_project(site, "p1"))
    line = asked.lines.get()

    def approve_as_erin() -> Decision:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
        return decide.approve(
            quota_request=asked, granted={line.pk: EACH}, seen={line.pk: 0},
            version=asked.version, actor=site.erin, now=NOW,
        )  # fmt: skip

    with transaction.atomic():
        hold_totals([mandate_of(site.delegations["dana"])], [site.vcpu], NOW, Power.DECIDE_QUOTA)
        assert isinstance(at_once([approve_as_erin])[0], Decision)


def test_totals_of_one_chain_are_made_and_held_in_one_order(committed_site: Site) -> None:
    site = committed_site
    bounds = [bound_of(site, name, per_decision=1000, total=TOTAL) for name in ("erin", "dana")]
    DelegationBound.objects.filter(delegation__user=site.otto).update(per_decision=1000)
    mandates = [mandate_of(each) for each in Delegation.objects.filter(user=site.dana)]

    def hold(order: int) -> dict[int, int]:
        with transaction.atomic():
            return hold_totals(mandates[::order], [site.vcpu], NOW, Power.DECIDE_QUOTA).used

    results = at_once([partial(hold, each) for each in (1, -1) * 5])
    assert results == [{each.pk: 0 for each in bounds}] * 10
    assert BoundUse.objects.count() == 2
