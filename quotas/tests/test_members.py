"""Who works in a project, and what others agree to: a later end, another unit, another owner."""

from datetime import date, timedelta

import pytest
from django.core.management import call_command

from portal.lib.errors import Conflict, Forbidden, Invalid, NoRoom, NotVisible, Stale
from projects.models import Delegation, Membership, Notice, Project, ProjectAct, ProjectChange, User
from projects.queries.viewers import Viewer, roles_in
from projects.states import ChangeKind, ChangeState, Power, ProjectActKind, Role
from quotas.actions.changing import extend
from quotas.actions.envelopes import fund
from quotas.actions.ledger import Cause, post
from quotas.actions.members import leave, set_member
from quotas.actions.project_changes import (
    accept,
    ask_extension,
    ask_move,
    decline,
    lapse_changes,
    offer,
    withdraw_change,
)
from quotas.actions.warrants import Warrant
from quotas.models import Account, TransferKind
from quotas.queries.authority import mandates_of

from .site import NOW, Site, make_group, make_site

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def site() -> Site:
    """Erin and Otto decide projects, too."""
    made = make_site()
    for name in ("otto", "erin"):
        held = made.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    return made


def roles(site: Site, name: str) -> set[str]:
    return set(roles_in(Viewer.of(site.people[name], NOW + DAY), site.project))


def give(site: Site, amount: int) -> None:
    """The project has so many vCPU from the envelope of ATLAS."""
    account = Account.objects.create(offering=site.vcpu, project=site.project, holder="project")
    source = Account.objects.get(offering=site.vcpu, unit=site.units["atlas"])
    cause = Cause(None, NOW)
    post(debit=source, credit=account, amount=amount, kind=TransferKind.GRANT, cause=cause)


def test_owners_add_and_remove_and_whom_it_is_about_is_told(site: Site) -> None:
    assert set_member(
        project=site.project, user=site.mallory, role=Role.MEMBER, actor=site.alice, now=NOW
    )
    assert roles(site, "mallory") == {Role.MEMBER}
    assert not set_member(
        project=site.project, user=site.mallory, role=Role.MEMBER, actor=site.alice, now=NOW
    )
    set_member(project=site.project, user=site.mallory, role=None, actor=site.alice, now=NOW + DAY)
    assert Notice.objects.filter(person=site.mallory, kind="role").count() == 2


def test_managers_name_everybody_but_owners_and_members_nobody(site: Site) -> None:
    set_member(project=site.project, user=site.bob, role=Role.MANAGER, actor=site.alice, now=NOW)
    set_member(project=site.project, user=site.mallory, role=Role.READER, actor=site.bob, now=NOW)
    with pytest.raises(Forbidden, match="nothing about owners"):
        set_member(project=site.project, user=site.alice, role=None, actor=site.bob, now=NOW)
    with pytest.raises(Forbidden, match="owner or a manager"):
        set_member(project=site.project, user=site.mallory, role=None, actor=site.rita, now=NOW)
    zoe = User.objects.create(subject="zoe", name="Zoe")
    with pytest.raises(NotVisible):
        set_member(project=site.project, user=site.bob, role=None, actor=zoe, now=NOW)


def test_a_project_never_loses_its_last_owner(site: Site) -> None:
    with pytest.raises(Conflict, match="needs an owner"):
        leave(project=site.project, actor=site.alice, now=NOW + DAY)
    with pytest.raises(Conflict, match="needs an owner"):
        set_member(
            project=site.project, user=site.alice, role=Role.MEMBER, actor=site.alice, now=NOW + DAY
        )
    group = make_group("owners", site.bob)
    set_member(project=site.project, group=group, role=Role.OWNER, actor=site.alice, now=NOW)
    leave(project=site.project, actor=site.alice, now=NOW + DAY)
    assert roles(site, "alice") == set()


def test_nobody_is_made_an_owner_without_their_yes(site: Site) -> None:
    with pytest.raises(Invalid, match="without their yes"):
        set_member(project=site.project, user=site.bob, role=Role.OWNER, actor=site.alice, now=NOW)
    asked = offer(
        project=site.project, user=site.mallory, then=Role.READER, actor=site.alice, now=NOW
    )
    with pytest.raises(Forbidden, match="offered to Mallory"):
        accept(change=asked, version=asked.version, actor=site.bob, now=NOW)
    accept(change=asked, version=asked.version, actor=site.mallory, now=NOW + DAY / 2)
    assert (roles(site, "mallory"), roles(site, "alice")) == ({Role.OWNER}, {Role.READER})
    assert Notice.objects.filter(person=site.alice, kind="change answered").count() == 1
    act = ProjectAct.objects.get(project=site.project, kind=ProjectActKind.HAND_OVER)
    assert act.data == {"before": site.alice.pk, "after": site.mallory.pk}


def test_an_offer_can_be_declined_withdrawn_or_lapse(site: Site) -> None:
    asked = offer(project=site.project, user=site.bob, actor=site.alice, now=NOW)
    decline(change=asked, answer="No time.", version=asked.version, actor=site.bob, now=NOW)
    again = offer(project=site.project, user=site.bob, actor=site.alice, now=NOW)
    with pytest.raises(Conflict, match="waits for an answer already"):
        offer(project=site.project, user=site.rita, actor=site.alice, now=NOW)
    withdraw_change(change=again, version=again.version, actor=site.alice, now=NOW)
    third = offer(project=site.project, user=site.bob, actor=site.alice, now=NOW)
    assert lapse_changes(NOW + 13 * DAY) == 0
    assert lapse_changes(NOW + 15 * DAY) == 1
    third.refresh_from_db()
    with pytest.raises(Conflict, match="lapsed already"):
        accept(change=third, version=third.version, actor=site.bob, now=NOW + 15 * DAY)
    states = ProjectChange.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["declined", "withdrawn", "lapsed"]


def test_owners_extend_within_the_bound_and_ask_for_more(site: Site) -> None:
    assert ask_extension(
        project=site.project, until_on=date(2027, 6, 30), actor=site.alice, now=NOW
    ) is None  # fmt: skip
    asked = ask_extension(
        project=site.project, until_on=date(2029, 6, 30), reason="Run 4.", actor=site.alice, now=NOW
    )
    assert asked is not None
    assert site.project.ends_on == date(2027, 6, 30)
    assert Notice.objects.filter(person=site.erin, kind="change asked").count() == 1
    with pytest.raises(Stale):
        accept(change=asked, version=asked.version + 1, actor=site.erin, now=NOW)
    accept(change=asked, version=asked.version, actor=site.erin, now=NOW)
    assert site.project.ends_on == date(2029, 6, 30)
    act = ProjectAct.objects.filter(project=site.project, kind=ProjectActKind.EXTEND).last()
    assert act is not None
    assert act.delegation == site.delegations["erin"]


def test_an_act_rests_on_no_delegation_that_was_revoked_while_its_actor_waited(site: Site) -> None:
    viewer, unit = Viewer.of(site.erin, NOW), site.project.unit
    stale = mandates_of(viewer, unit.path, Power.DECIDE_PROJECTS)[0]
    warrant = Warrant(viewer, stale, site.project, unit)
    Delegation.objects.filter(pk=site.delegations["otto"].pk).update(revoked_at=NOW)
    assert site.delegations["otto"].pk in stale.delegation.chain_ids
    with pytest.raises(Conflict, match="was first"):
        extend(site.project, date(2028, 1, 1), actor=site.erin, warrant=warrant, reason="", now=NOW)


def test_a_project_moves_with_all_it_has_by_the_yes_of_who_decides_there(site: Site) -> None:
    before = site.envelope(site.vcpu)
    fund(offering=site.vcpu, unit=site.units["it"], amount=100, actor=None, now=NOW)
    give(site, 40)
    asked = ask_move(project=site.project, unit=site.units["it"], actor=site.alice, now=NOW)
    assert asked is not None
    assert asked.kind == ChangeKind.MOVE
    with pytest.raises(Forbidden, match="decides projects for ORG/IT"):
        accept(change=asked, version=asked.version, actor=site.erin, now=NOW)
    accept(change=asked, version=asked.version, actor=site.otto, now=NOW)
    moved = Project.objects.get(pk=site.project.pk)
    assert moved.unit == site.units["it"]
    assert site.envelope(site.vcpu) == before
    assert site.envelope(site.vcpu, "it") == 60
    call_command("audit_ledger")


def test_a_move_without_room_is_refused_with_the_shortfall_and_waits_on(site: Site) -> None:
    fund(offering=site.vcpu, unit=site.units["it"], amount=10, actor=None, now=NOW)
    give(site, 40)
    asked = ask_move(project=site.project, unit=site.units["it"], actor=site.alice, now=NOW)
    assert asked is not None
    with pytest.raises(NoRoom) as refusal:
        accept(change=asked, version=asked.version, actor=site.otto, now=NOW)
    assert refusal.value.facts["short"] == 30
    asked.refresh_from_db()
    assert asked.state == ChangeState.OPEN
    assert site.project.unit == site.units["atlas"]
    assert Membership.objects.live(NOW).filter(project=site.project).count() == 3
