"""Envelopes and units changed at the same moment as others act, on real PostgreSQL."""

from functools import partial
from typing import Any

from portal.lib.errors import DomainError
from projects.models import Unit
from quotas.actions import decide
from quotas.actions.unit_changes import move_unit, retire_unit
from quotas.models import Account, BoundUse, DelegationBound, Transfer
from quotas.queries.accounts import audit
from quotas.tests.site import NOW, Site
from quotas.tests.test_decide import ask
from quotas.tests.test_envelopes import VCPU, do, seen_now
from quotas.tests.threads import at_once


def refusals(results: list[Any]) -> list[DomainError]:
    return [each for each in results if isinstance(each, DomainError)]


def reread(slug: str) -> Unit:
    return Unit.objects.select_related("parent").get(slug=slug)


def test_two_fundings_of_one_source_never_overdraw_it(committed_site: Site) -> None:
    site = committed_site
    twin(site)

    results = at_once(
        [
            partial(do, site, "otto", unit, {VCPU: 700}, seen=seen_now(site, unit, VCPU))
            for unit in ("atlas", "twin")
        ]
    )

    # The second one saw figures that are not so any more.
    assert [each.status for each in refusals(results)] == [412]
    assert site.envelope(site.vcpu, "ep") == 300
    assert audit() == []


def twin(site: Site) -> Unit:
    """Another unit below EP."""
    site.units["twin"] = Unit.objects.create(
        slug="twin", name="Twin", parent=site.units["ep"], path="org/ep/twin/"
    )
    return site.units["twin"]


def test_fundings_of_two_envelopes_never_pass_one_total(committed_site: Site) -> None:
    site = committed_site
    twin(site)
    bound = DelegationBound.objects.create(
        delegation=site.delegations["otto"], resource=site.vcpu.resource, total=100
    )
    one = seen_now(site, "it", VCPU)
    other = seen_now(site, "ep", VCPU)

    results = at_once(
        [
            partial(do, site, "otto", "it", {VCPU: 60}, seen=one),
            partial(do, site, "otto", "ep", {VCPU: 60}, seen=other),
        ]
    )

    assert len(refusals(results)) == 1
    assert BoundUse.objects.get(bound=bound).used == 60
    assert audit() == []


def test_a_decision_and_a_take_back_share_what_is_left(committed_site: Site) -> None:
    site = committed_site
    asked = ask(site)
    line = asked.lines.get()
    approve = partial(
        decide.approve, quota_request=asked, granted={line.pk: 100}, seen={line.pk: 0},
        version=asked.version, actor=site.dana, now=NOW,
    )  # fmt: skip
    take = partial(do, site, "erin", "atlas", {VCPU: -950}, seen=seen_now(site, "atlas", VCPU))

    results = at_once([approve, take])

    (refusal,) = refusals(results)
    assert refusal.status in (409, 412)
    left = site.envelope(site.vcpu)
    assert (left, site.quota(site.vcpu)) in ((900, 100), (50, 0))
    assert audit() == []


def test_a_move_and_a_decision_below_come_one_after_the_other(committed_site: Site) -> None:
    site = committed_site
    asked = ask(site)
    line = asked.lines.get()
    approve = partial(
        decide.approve, quota_request=asked, granted={line.pk: 100}, seen={line.pk: 0},
        version=asked.version, actor=site.dana, now=NOW,
    )  # fmt: skip
    move = partial(move_unit, unit=reread("atlas"), parent=reread("it"), actor=site.otto, now=NOW)

    results = at_once([approve, move])

    assert reread("atlas").path == "org/it/atlas/"
    # After the move Dana, whose authority came from EP, decides nothing there any more.
    assert [each.status for each in refusals(results)] in ([], [403], [404])
    assert site.quota(site.vcpu) in (0, 100)
    assert audit() == []


def test_a_retirement_and_a_funding_leave_nothing_behind(committed_site: Site) -> None:
    site = committed_site
    fund = partial(do, site, "erin", "atlas", {VCPU: 100}, seen=seen_now(site, "atlas", VCPU))
    retire = partial(retire_unit, unit=reread("atlas"), actor=site.otto, now=NOW)

    results = at_once([fund, retire])

    assert all(each.status in (403, 409, 412) for each in refusals(results))
    assert reread("atlas").retired_at == NOW
    assert not Account.objects.filter(unit__slug="atlas").exclude(balance=0).exists()
    assert Transfer.objects.filter(kind="sweep").count() == 3
    assert audit() == []
