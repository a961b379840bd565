"""Who decides, and who does not: roles, bounds, revocations and units that move meanwhile."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from portal.lib.errors import Conflict, DomainError, Forbidden
from projects.actions.units import move_unit
from projects.models import Delegation, User
from projects.queries.viewers import Viewer, visible_projects
from projects.states import Power, Role
from quotas.actions import decide, delegations
from quotas.actions.members import set_member
from quotas.actions.rerouting import route_again, unrouted
from quotas.actions.routing import mark_unit
from quotas.models import Assignment, DelegationBound, QuotaRequest, Transfer
from quotas.queries.requests import queue
from quotas.tests.site import NOW, Site, join, make_group
from quotas.tests.test_decide import ask, grant
from quotas.tests.threads import BUSY_SECONDS, until_it_waits


def waits_for(site: Site) -> list[str]:
    """Whose queue holds something."""
    return [
        name for name, user in site.people.items() if queue(Viewer.of(user, NOW)).exists()
    ]  # fmt: skip


def approve(site: Site, asked: QuotaRequest, actor: str) -> object:
    line = asked.lines.get()
    return decide.approve(
        quota_request=asked, granted={line.pk: 100}, seen={line.pk: 0}, version=asked.version,
        actor=site.people[actor], now=NOW,
    )  # fmt: skip


def test_a_group_whose_members_all_hold_a_role_is_passed_over(site: Site) -> None:
    coordinators = make_group("coordinators", site.alice)
    Delegation.objects.filter(user=site.dana).update(user=None, group=coordinators)
    ask(site)
    assert waits_for(site) == ["erin"]


def test_of_a_group_only_those_without_a_role_see_the_line(site: Site) -> None:
    coordinators = make_group("coordinators", site.alice, site.mallory)
    Delegation.objects.filter(user=site.dana).update(user=None, group=coordinators)
    ask(site)
    assert waits_for(site) == ["mallory"]


def test_a_line_does_not_wait_for_an_account_that_is_closed(site: Site) -> None:
    User.objects.filter(pk=site.dana.pk).update(is_active=False)
    ask(site)
    assert waits_for(site) == ["erin"]


def test_who_gets_a_role_later_hands_the_line_on(site: Site) -> None:
    asked = ask(site)
    assert unrouted(NOW) == []
    join(site.project, site.dana, Role.OWNER, NOW)
    assert unrouted(NOW) == [asked.pk]
    route_again([asked.pk], NOW)
    assert waits_for(site) == ["erin"]


def test_a_remit_over_storage_decides_nothing_of_compute(site: Site) -> None:
    grant(site, ask(site))
    DelegationBound.objects.filter(delegation__user=site.dana).exclude(
        resource__slug="space"
    ).delete()
    lower = ask(site, {site.vcpu.slug: 10})
    with pytest.raises(Forbidden, match="says nothing about vCPU"):
        grant(site, lower)
    for refuse in (
        lambda: decide.decline(
            quota_request=lower, line_ids=[lower.lines.get().pk], reason="No.", version=1,
            actor=site.dana, now=NOW,
        ),
        lambda: decide.return_(
            quota_request=lower, line_ids=[lower.lines.get().pk], question="Why?", version=1,
            actor=site.dana, now=NOW,
        ),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            refuse()


def test_a_revocation_that_came_first_counts_whatever_the_clocks_say(site: Site) -> None:
    asked = ask(site)
    later = NOW + timedelta(seconds=3)
    delegations.revoke(delegation=site.delegations["erin"], actor=None, now=later)
    with pytest.raises(Forbidden):
        approve(site, asked, "dana")
    with pytest.raises(Forbidden):
        decide.decline(
            quota_request=asked, line_ids=[asked.lines.get().pk], reason="No.", version=1,
            actor=site.dana, now=NOW,
        )  # fmt: skip


def test_a_unit_that_leaves_the_grantors_subtree_leaves_the_delegate_nothing(site: Site) -> None:
    move_unit(unit=site.units["atlas"], parent=site.units["it"], now=NOW)
    dana = Viewer.of(site.dana, NOW)
    assert dana.delegations == ()
    assert not visible_projects(dana).exists()


def during_a_move(site: Site, act: Callable[[], Any]) -> Any:
    """What `act` returned or raised that began while ATLAS was being moved to IT."""
    atlas = site.units["atlas"]

    def move() -> None:
        move_unit(unit=atlas, parent=site.units["it"], now=NOW)
        mark_unit(atlas, NOW)

    return during(move, act)


def during(change: Callable[[], None], act: Callable[[], Any]) -> Any:
    """What `act` returned or raised that began before `change` was committed."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(act())
        except DomainError as refusal:
            results.append(refusal)
        finally:
            connection.close()

    other = threading.Thread(target=run)
    with transaction.atomic():
        change()
        other.start()
        until_it_waits(other)
    other.join(timeout=BUSY_SECONDS)
    return results[0]


def test_nobody_decides_by_where_a_unit_stood_before(committed_site: Site) -> None:
    site = committed_site
    asked = ask(site)
    # She sees the project all the same, so nothing but the authority itself refuses her.
    join(site.project, site.erin, Role.READER, NOW)
    refusal = during_a_move(site, lambda: approve(site, asked, "erin"))
    assert isinstance(refusal, Forbidden)
    assert not Transfer.objects.filter(decision_line__isnull=False).exists()


def test_a_power_that_is_revoked_meanwhile_names_nobody(committed_site: Site) -> None:
    site, held = committed_site, committed_site.delegations["erin"]
    held.powers = [*held.powers, Power.MANAGE_MEMBERS]
    held.save(update_fields=["powers"])
    refusal = during(
        lambda: delegations.revoke(delegation=held, actor=None, now=NOW),
        lambda: set_member(
            project=site.project, user=site.mallory, role=Role.MEMBER, actor=site.erin, now=NOW
        ),
    )
    assert isinstance(refusal, Conflict)
    assert not site.mallory.memberships.exists()


def test_a_wish_sent_while_its_unit_moves_waits_for_the_new_deciders(committed_site: Site) -> None:
    site = committed_site
    asked = during_a_move(site, lambda: ask(site))
    assert isinstance(asked, QuotaRequest)
    assert [each.delegation.user for each in Assignment.objects.all()] == [site.otto]
