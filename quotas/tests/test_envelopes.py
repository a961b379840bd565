"""Declaring, funding and taking back envelopes: who may, how much, and what is refused."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from portal.lib.errors import Conflict, Forbidden, Invalid, NoRoom, Stale
from projects.models import Delegation, Event, Unit
from projects.states import Power, Role
from quotas.actions import envelopes, ledger
from quotas.actions.envelopes import change
from quotas.actions.funding import Seen
from quotas.actions.ledger import Cause
from quotas.models import (
    Account,
    BoundUse,
    DelegationBound,
    EnvelopeAct,
    Loan,
    Transfer,
    TransferKind,
)
from quotas.queries.accounts import audit
from quotas.queries.envelopes import standings
from quotas.tests.site import NOW, Site, join, make_project

pytestmark = pytest.mark.django_db
VCPU = "geneva.compute-a.vcpu"


@pytest.fixture
def trigger(site: Site) -> Unit:
    """A unit below ATLAS, without an envelope."""
    atlas = site.units["atlas"]
    site.units["trigger"] = Unit.objects.create(
        slug="trigger", name="Trigger", parent=atlas, path=f"{atlas.path}trigger/"
    )
    return site.units["trigger"]


def seen_now(site: Site, unit: str, *slugs: str) -> dict[str, Seen]:
    offerings = [site.offerings[slug] for slug in slugs]
    rows = standings(site.units[unit], offerings)
    return {each.offering.slug: Seen.of(each) for each in rows.values()}


def do(site: Site, person: str, unit: str, changes: dict[str, int], **more: Any) -> Any:
    seen = seen_now(site, unit, *(slug for slug in changes if slug in site.offerings))
    return change(
        **{
            "unit": site.units[unit], "changes": changes, "seen": seen,
            "actor": site.people[person], "now": NOW, **more,
        }
    )  # fmt: skip


def give(site: Site, amount: int, ends_at: datetime | None = None) -> None:
    """Give the project quota from the envelope of ATLAS; with an end, as a loan."""
    ledger.open_quota(site.project, [site.vcpu.pk])
    account = Account.objects.get(project=site.project, offering=site.vcpu)
    source = Account.objects.get(unit=site.units["atlas"], offering=site.vcpu)
    transfer = ledger.post(
        debit=source, credit=account, amount=amount,
        kind=TransferKind.LOAN if ends_at else TransferKind.GRANT, cause=Cause(None, NOW),
    )  # fmt: skip
    if ends_at is not None:
        Loan.objects.create(
            account=account, source=source, transfer=transfer, amount=amount, outstanding=amount,
            ends_at=ends_at,
        )  # fmt: skip


def test_funding_moves_from_the_nearest_envelope_above_with_its_proof(site: Site) -> None:
    acts = do(site, "erin", "atlas", {VCPU: 100}, reason="Run 4")

    assert site.envelope(site.vcpu) == 1100
    assert site.envelope(site.vcpu, "ep") == 900
    assert [(each.kind, each.amount, each.reason) for each in acts] == [("fund", 100, "Run 4")]
    assert acts[0].delegation == site.delegations["erin"]
    assert acts[0].snapshot["person"] == site.erin.pk
    assert [each["delegation"] for each in acts[0].snapshot["chain"]] == [
        site.delegations["otto"].pk, site.delegations["erin"].pk,
    ]  # fmt: skip
    assert acts[0].transfers.get().kind == "fund"
    assert Event.objects.latest("pk").verb == "funded"
    assert audit() == []


def test_funding_an_undeclared_envelope_declares_it_first(site: Site, trigger: Unit) -> None:
    acts = do(site, "dana", "trigger", {VCPU: 50})

    assert [each.kind for each in acts] == ["declare", "fund"]
    assert site.envelope(site.vcpu, "trigger") == 50
    assert site.envelope(site.vcpu) == 950


def test_declaring_alone_makes_projects_below_draw_from_it(site: Site, trigger: Unit) -> None:
    make_project(site, "below", "trigger", NOW)

    do(site, "dana", "trigger", {VCPU: 0})

    assert site.envelope(site.vcpu, "trigger") == 0
    row = standings(trigger, [site.vcpu])[site.vcpu.pk]
    assert (row.left, row.source_slug) == (0, "atlas")
    with pytest.raises(Invalid):
        do(site, "dana", "trigger", {VCPU: 0})


def test_taking_back_returns_to_the_one_above(site: Site) -> None:
    acts = do(site, "erin", "atlas", {VCPU: -300})

    assert site.envelope(site.vcpu) == 700
    assert site.envelope(site.vcpu, "ep") == 1300
    assert acts[0].kind == "take back"
    assert audit() == []


def test_taking_back_more_than_is_left_says_where_the_rest_is(site: Site, trigger: Unit) -> None:
    give(site, 300)
    do(site, "dana", "trigger", {VCPU: 100})

    with pytest.raises(NoRoom) as refused:
        do(site, "erin", "atlas", {VCPU: -900})

    assert refused.value.facts["free"] == 600
    assert refused.value.facts["short"] == 300
    assert refused.value.facts["held"] == [
        {"kind": "project", "slug": "atlas-reco", "amount": 300},
        {"kind": "unit", "slug": "trigger", "amount": 100},
    ]
    assert refused.value.facts["held_by_others"] == 0


def test_who_holds_the_unit_alone_cannot_take_from_the_one_above(site: Site) -> None:
    with pytest.raises(Forbidden) as refused:
        do(site, "dana", "atlas", {VCPU: 1})

    assert refused.value.facts["source"] == "ep"
    assert refused.value.facts["who"] == "Erin"


@pytest.mark.parametrize("person", ["mallory", "bob", "alice", "audrey"])
def test_without_the_power_nothing_is_funded(site: Site, person: str) -> None:
    with pytest.raises(Forbidden):
        do(site, person, "atlas", {VCPU: 1})


def test_the_pool_is_given_from_by_who_holds_the_top_unit(site: Site) -> None:
    with pytest.raises(Forbidden):
        do(site, "erin", "ep", {VCPU: 10})

    do(site, "otto", "ep", {VCPU: 10})

    assert site.pool(site.vcpu) == 10_000 - 2000 - 10


def test_the_pool_is_of_all_top_units_together(site: Site) -> None:
    Unit.objects.create(slug="other", name="Other", path="other/")

    with pytest.raises(Forbidden) as refused:
        do(site, "otto", "ep", {VCPU: 10})

    assert refused.value.facts["source"] is None


def test_an_operator_without_a_delegation_funds_nothing(site: Site) -> None:
    Delegation.objects.filter(user=site.otto).update(revoked_at=NOW - timedelta(days=1))

    with pytest.raises(Forbidden):
        do(site, "otto", "ep", {VCPU: 10})


def test_what_was_seen_must_still_be_so(site: Site) -> None:
    seen = seen_now(site, "atlas", VCPU)
    envelopes.fund(
        offering=site.vcpu, unit=site.units["it"], amount=5, actor=None, now=NOW
    )  # another payer: no matter
    do(site, "otto", "ep", {VCPU: 10})

    with pytest.raises(Stale) as refused:
        do(site, "erin", "atlas", {VCPU: 1}, seen=seen)

    assert refused.value.facts["figures"][VCPU] == {
        "left": 1000, "promised": 0, "source": "ep", "source_left": 1010,
    }  # fmt: skip


def test_more_than_the_source_has_is_refused_with_the_shortfall(site: Site) -> None:
    with pytest.raises(NoRoom) as refused:
        do(site, "erin", "atlas", {VCPU: 1500})

    assert (refused.value.facts["holder"], refused.value.facts["short"]) == ("ORG/EP", 500)


def test_beyond_the_bound_of_a_decision_within_its_window(site: Site, trigger: Unit) -> None:
    do(site, "dana", "trigger", {VCPU: 100})

    with pytest.raises(Forbidden) as refused:
        do(site, "dana", "trigger", {VCPU: 29})

    assert refused.value.facts["bound"] == "per_decision"
    assert refused.value.facts["left"] == 28
    do(site, "dana", "trigger", {VCPU: -50})
    do(site, "dana", "trigger", {VCPU: 29})


def test_a_total_is_consumed_by_funding_apart_from_deciding(site: Site) -> None:
    bound = _total(site, 150)

    do(site, "erin", "atlas", {VCPU: 100})
    do(site, "erin", "atlas", {VCPU: -100})

    assert [(each.power, each.used) for each in BoundUse.objects.filter(bound=bound)] == [
        (Power.MANAGE_ENVELOPES, 100)
    ]
    with pytest.raises(Conflict) as refused:
        do(site, "erin", "atlas", {VCPU: 51})
    assert refused.value.facts["bound"] == "total"
    assert refused.value.facts["left"] == 50


def _total(site: Site, total: int) -> DelegationBound:
    return DelegationBound.objects.create(
        delegation=site.delegations["erin"], resource=site.vcpu.resource, total=total
    )


def test_two_changes_at_once_share_one_total(site: Site) -> None:
    DelegationBound.objects.filter(delegation=site.delegations["erin"]).delete()
    ram = site.offerings["geneva.compute-a.ram"]
    _total(site, 10)
    DelegationBound.objects.create(delegation=site.delegations["erin"], resource=ram.resource)

    with pytest.raises(Conflict):
        do(site, "erin", "atlas", {VCPU: 11, ram.slug: ram.resource.step})

    assert EnvelopeAct.objects.filter(actor=site.erin).count() == 0
    do(site, "erin", "atlas", {VCPU: 10, ram.slug: ram.resource.step})


def test_nobody_funds_an_envelope_that_a_project_of_theirs_draws_from(site: Site) -> None:
    join(site.project, site.erin, Role.MEMBER, NOW - timedelta(days=1))

    with pytest.raises(Forbidden) as refused:
        do(site, "erin", "atlas", {VCPU: 1})
    assert refused.value.facts["project"] == "atlas-reco"

    do(site, "erin", "atlas", {VCPU: -1})


def test_a_project_behind_an_envelope_of_its_own_is_no_interest(site: Site, trigger: Unit) -> None:
    join(make_project(site, "below", "trigger", NOW), site.erin, Role.OWNER, NOW)
    do(site, "dana", "trigger", {VCPU: 0})

    do(site, "erin", "atlas", {VCPU: 1})

    assert site.envelope(site.vcpu) == 1001


def test_the_deputys_grantor_bars_as_the_deputy_does(site: Site) -> None:
    held = site.delegations["erin"]
    deputy = Delegation.objects.create(
        parent=held, ancestors=held.chain_ids, grantor=site.erin, user=site.rita, is_deputy=True,
        powers=held.powers, unit=held.unit, depth=2, starts_at=held.starts_at,
        ends_at=NOW + timedelta(days=5), created_at=held.starts_at,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=deputy)
    do(site, "rita", "atlas", {VCPU: 1})
    join(site.project, site.erin, Role.OWNER, NOW - timedelta(days=1))

    with pytest.raises(Forbidden):
        do(site, "rita", "atlas", {VCPU: 1})


@pytest.mark.parametrize(
    "changes",
    [{}, {"nowhere.vcpu": 1}, {"geneva.compute-a.ram": 1}, {VCPU: 2**70}],
    ids=["nothing", "no offering", "off the step", "too much"],
)
def test_what_is_no_change_is_invalid(site: Site, changes: dict[str, int]) -> None:
    with pytest.raises(Invalid):
        do(site, "erin", "atlas", changes)


def test_a_retired_unit_is_not_funded(site: Site) -> None:
    Unit.objects.filter(slug="atlas").update(retired_at=NOW)

    with pytest.raises(Conflict):
        do(site, "erin", "atlas", {VCPU: 1})


def test_what_is_no_longer_offered_can_only_be_taken_back(site: Site) -> None:
    type(site.vcpu).objects.filter(pk=site.vcpu.pk).update(retired_at=NOW)

    with pytest.raises(Conflict):
        do(site, "erin", "atlas", {VCPU: 1})
    do(site, "erin", "atlas", {VCPU: -1})


def test_one_refusal_leaves_nothing_of_the_rest(site: Site) -> None:
    before = Transfer.objects.count()

    with pytest.raises(NoRoom):
        do(site, "erin", "atlas", {"geneva.storage-a.space": 2**30, VCPU: 5000})

    assert Transfer.objects.count() == before


def test_the_command_declares_and_funds_without_authority(site: Site, trigger: Unit) -> None:
    transfer = envelopes.fund(offering=site.vcpu, unit=trigger, amount=7, actor=None, now=NOW)

    assert transfer.envelope_act is not None
    assert transfer.envelope_act.delegation is None
    assert [each.kind for each in EnvelopeAct.objects.filter(unit=trigger)] == ["declare", "fund"]


def test_nobody_takes_back_into_an_envelope_that_a_project_of_theirs_draws_from(
    site: Site, trigger: Unit
) -> None:
    do(site, "dana", "trigger", {VCPU: 50})
    join(site.project, site.dana, Role.MEMBER, NOW - timedelta(days=1))

    with pytest.raises(Forbidden) as refusal:
        do(site, "dana", "trigger", {VCPU: -50})

    assert refusal.value.facts["project"] == "atlas-reco"
    assert do(site, "erin", "trigger", {VCPU: -50})
