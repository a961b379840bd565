"""Moving and retiring units: what follows for envelopes, projects and authority."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command

from portal.lib.errors import Conflict, Forbidden, Stale
from projects.models import Delegation, Notice, ProjectPlacement, Unit, UnitPlacement
from projects.queries.viewers import live_delegations
from projects.states import Power, Role
from quotas.actions import envelopes
from quotas.actions.unit_changes import move_unit, retire_unit
from quotas.models import Account, DelegationBound, EnvelopeAct, Loan, Policy, RouteMark
from quotas.queries.accounts import audit
from quotas.queries.unit_changes import move_of, retirement_of
from quotas.tests.site import NOW, Site, join, make_project
from quotas.tests.test_envelopes import give

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree(site: Site) -> Site:
    """ATLAS with a sub-unit that has an envelope, and a project that holds 300 and a loan of 20."""
    atlas = site.units["atlas"]
    site.units["trigger"] = Unit.objects.create(
        slug="trigger", name="Trigger", parent=atlas, path=f"{atlas.path}trigger/"
    )
    UnitPlacement.objects.create(unit=atlas, parent=site.units["ep"], starts_at=NOW)
    envelopes.fund(offering=site.vcpu, unit=site.units["trigger"], amount=100, actor=None, now=NOW)
    give(site, 300)
    give(site, 20, NOW + timedelta(days=9))
    return site


def reread(site: Site, slug: str) -> Unit:
    return Unit.objects.select_related("parent").get(slug=slug)


def test_moving_takes_what_lies_beneath_along_and_moves_no_quota(tree: Site) -> None:
    before = list(Account.objects.order_by("pk").values_list("pk", "balance"))
    foreseen = move_of(reread(tree, "atlas"), tree.units["it"], NOW)

    assert move_unit(
        unit=reread(tree, "atlas"), parent=reread(tree, "it"), seen=foreseen.seen,
        actor=tree.otto, now=NOW,
    )  # fmt: skip

    assert reread(tree, "trigger").path == "org/it/atlas/trigger/"
    assert list(Account.objects.order_by("pk").values_list("pk", "balance")) == before
    (shift,) = [each for each in foreseen.shifts if each.account.offering == tree.vcpu]
    assert shift.account.unit == tree.units["ep"]
    assert (shift.before.size, shift.after.size, shift.after.free) == (2000, 1000, 1000)
    assert {each.user.name for each in foreseen.lost if each.user} == {"Erin", "Dana"}
    assert not live_delegations(NOW).filter(user=tree.dana).exists()
    assert RouteMark.objects.filter(unit=tree.units["atlas"]).exists()
    assert audit() == []


def test_moving_says_from_where_projects_draw_afterwards(tree: Site) -> None:
    make_project(tree, "below", "trigger", NOW)

    foreseen = move_of(reread(tree, "trigger"), reread(tree, "it"), NOW)

    (row,) = foreseen.redrawn
    assert row.before is not None
    assert row.after is not None
    assert (row.before.unit, row.after.unit) == (tree.units["atlas"], None)
    assert {each.slug for each in row.offerings} == {
        "geneva.compute-a.ram", "geneva.storage-a.space",
    }  # fmt: skip


def test_moving_takes_the_power_over_both_parents(tree: Site) -> None:
    for person in ("dana", "erin", "mallory"):
        with pytest.raises(Forbidden):
            move_unit(
                unit=reread(tree, "atlas"), parent=reread(tree, "it"),
                actor=tree.people[person], now=NOW,
            )  # fmt: skip
    with pytest.raises(Forbidden):
        move_unit(unit=reread(tree, "atlas"), parent=None, actor=tree.otto, now=NOW)
    assert reread(tree, "atlas").path == "org/ep/atlas/"


def test_nobody_moves_a_unit_below_where_they_may_do_more(tree: Site) -> None:
    otto = tree.delegations["otto"]
    powers = {"ep": [Power.MANAGE_ENVELOPES], "it": [Power.MANAGE_ENVELOPES, Power.DECIDE_QUOTA]}
    for slug, held in powers.items():
        made = Delegation.objects.create(
            parent=otto, ancestors=otto.chain_ids, grantor=tree.otto, user=tree.mallory,
            powers=held, unit=tree.units[slug], starts_at=NOW, created_at=NOW,
        )  # fmt: skip
        DelegationBound.objects.create(delegation=made)
    with pytest.raises(Forbidden) as refusal:
        move_unit(
            unit=reread(tree, "atlas"), parent=reread(tree, "it"), actor=tree.mallory, now=NOW
        )  # fmt: skip
    assert refusal.value.facts == {"powers": ["decide quota"]}


def test_nobody_moves_a_unit_with_a_project_of_theirs(tree: Site) -> None:
    join(tree.project, tree.otto, Role.OWNER, NOW - timedelta(days=1))

    with pytest.raises(Forbidden):
        move_unit(
            unit=reread(tree, "atlas"), parent=reread(tree, "it"), actor=tree.otto, now=NOW
        )  # fmt: skip


def test_a_move_that_changed_since_it_was_shown_is_stale(tree: Site) -> None:
    foreseen = move_of(reread(tree, "atlas"), reread(tree, "it"), NOW)
    Delegation.objects.filter(user=tree.dana).update(revoked_at=NOW - timedelta(hours=1))

    with pytest.raises(Stale):
        move_unit(
            unit=reread(tree, "atlas"), parent=reread(tree, "it"), seen=foreseen.seen,
            actor=tree.otto, now=NOW,
        )  # fmt: skip


def test_retiring_sweeps_everything_to_the_parent(tree: Site) -> None:
    atlas = reread(tree, "atlas")
    foreseen = retirement_of(atlas, NOW)

    retire_unit(unit=atlas, seen=foreseen.seen, actor=tree.erin, now=NOW)

    assert tree.envelope(tree.vcpu) == 0
    assert tree.envelope(tree.vcpu, "ep") == 1000 + 1000 - 100 - 300 - 20
    assert tree.project.unit == tree.units["ep"]
    assert reread(tree, "trigger").path == "org/ep/trigger/"
    assert reread(tree, "atlas").retired_at == NOW
    assert ProjectPlacement.objects.get(project=tree.project, ends_at=None).unit.slug == "ep"
    assert EnvelopeAct.objects.filter(kind="sweep", unit=atlas).count() == 3
    loan = Loan.objects.get()
    assert loan.source == Account.objects.get(unit=tree.units["ep"], offering=tree.vcpu)
    assert loan.transfer.debit == Account.objects.get(unit=atlas, offering=tree.vcpu)
    assert audit() == []


def test_authority_over_a_retired_unit_ends_with_what_was_handed_on_below(tree: Site) -> None:
    dana = tree.delegations["dana"]
    below = Delegation.objects.create(
        parent=dana, ancestors=dana.chain_ids, grantor=tree.dana, user=tree.rita,
        powers=dana.powers, unit=tree.units["trigger"], starts_at=dana.starts_at,
        created_at=dana.starts_at,
    )  # fmt: skip
    DelegationBound.objects.create(delegation=below)
    foreseen = retirement_of(reread(tree, "atlas"), NOW)
    assert (foreseen.ended, foreseen.interrupted) == ([dana], [below])

    retire_unit(unit=reread(tree, "atlas"), actor=tree.erin, now=NOW)

    dana.refresh_from_db()
    assert (dana.revoked_at, dana.revoked_by) == (NOW, tree.erin)
    holders = {each.user for each in live_delegations(NOW)}
    assert holders == {tree.otto, tree.erin, tree.audrey}
    assert Notice.objects.get(person=tree.dana).kind == "revoked"


def test_rules_of_a_retired_unit_are_switched_off(tree: Site) -> None:
    policy = Policy.objects.create(
        unit=tree.units["atlas"], delegation=tree.delegations["erin"], person=tree.erin,
        name="Small", state="on", created_at=NOW,
    )  # fmt: skip

    retire_unit(unit=reread(tree, "atlas"), actor=tree.erin, now=NOW)

    policy.refresh_from_db()
    assert policy.state == "off"


def test_retiring_takes_the_power_over_the_parent(tree: Site) -> None:
    for person in ("dana", "alice", "mallory"):
        with pytest.raises(Forbidden):
            retire_unit(unit=reread(tree, "atlas"), actor=tree.people[person], now=NOW)
    with pytest.raises(Forbidden):
        retire_unit(unit=reread(tree, "org"), actor=tree.otto, now=NOW)
    assert reread(tree, "atlas").retired_at is None


def test_a_unit_is_retired_once(tree: Site) -> None:
    retire_unit(unit=reread(tree, "atlas"), actor=tree.erin, now=NOW)

    with pytest.raises(Conflict):
        retire_unit(unit=reread(tree, "atlas"), actor=tree.erin, now=NOW)


def test_a_top_unit_with_anything_in_it_stays(tree: Site) -> None:
    with pytest.raises(Conflict):
        retire_unit(unit=reread(tree, "org"), is_command=True, now=NOW)


def test_the_commands_rehearse_and_then_do(tree: Site) -> None:
    said = StringIO()
    call_command("retire_unit", "atlas", "--dry-run", stdout=said)
    assert "Nothing was stored" in said.getvalue()
    assert "D-" in said.getvalue()
    assert reread(tree, "atlas").retired_at is None

    call_command("retire_unit", "atlas", stdout=said)
    call_command("move_unit", "trigger", "--below", "it", "--dry-run", stdout=said)
    assert reread(tree, "trigger").path == "org/ep/trigger/"
    call_command("move_unit", "trigger", "--top", stdout=said)

    assert reread(tree, "trigger").path == "trigger/"
    assert audit() == []


def test_nobody_retires_a_unit_whose_rest_goes_to_a_project_of_theirs(tree: Site) -> None:
    join(tree.project, tree.erin, Role.OWNER, NOW - timedelta(days=1))

    with pytest.raises(Forbidden) as refusal:
        retire_unit(unit=reread(tree, "trigger"), actor=tree.erin, now=NOW)

    assert refusal.value.facts == {"project": "atlas-reco"}
