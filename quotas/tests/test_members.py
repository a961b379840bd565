"""Who works in a project, and what others agree to: a later end, another unit, another owner."""

from datetime import date, timedelta

import pytest
from django.core.management import call_command

from portal.lib.errors import Conflict, Forbidden, Invalid, NoRoom, NotVisible, Stale
from projects.actions.units import make_unit, move_unit
from projects.models import (
    Delegation,
    Membership,
    Notice,
    Project,
    ProjectAct,
    ProjectChange,
    Unit,
    User,
)
from projects.queries.viewers import Viewer, roles_in
from projects.states import ChangeKind, ChangeState, Power, ProjectActKind, Role
from quotas.actions.changing import extend
from quotas.actions.delegations import name_deputy
from quotas.actions.envelopes import fund
from quotas.actions.ledger import Cause, post
from quotas.actions.lives import close
from quotas.actions.members import leave, set_member
from quotas.actions.project_changes import (
    accept,
    ask_extension,
    ask_move,
    decline,
    lapse_changes,
    may_answer,
    offer,
    withdraw_change,
)
from quotas.actions.warrants import Warrant
from quotas.models import Account, TransferKind
from quotas.queries.authority import mandates_of
from quotas.queries.lives import waiting_changes
from quotas.queries.notice_words import sentence_of, url_of
from quotas.queries.notices import notice_rows, notices_of

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


def told(site: Site, name: str) -> tuple[str, str]:
    """What somebody reads of the first change that waits for them, and where it leads."""
    viewer = Viewer.of(site.people[name], NOW)
    row = notice_rows(list(notices_of(viewer).filter(kind="change asked")), viewer)[0]
    return sentence_of(row), url_of(row)


def answers(site: Site, change: ProjectChange) -> set[str]:
    """Whose answer it waits for, as their lists say and as the verb does."""
    viewers = {name: Viewer.of(user, NOW + 2 * DAY) for name, user in site.people.items()}
    listed = {name for name, each in viewers.items() if change in waiting_changes(each)}
    assert listed == {name for name, each in viewers.items() if may_answer(each, change)}
    return listed


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


def test_who_manages_members_of_a_unit_names_everybody_but_themselves_as_owner(site: Site) -> None:
    held = site.delegations["erin"]
    held.powers = [*held.powers, Power.MANAGE_MEMBERS]
    held.save(update_fields=["powers"])
    of_theirs, of_others = make_group("theirs", site.erin), make_group("others", site.bob)
    with pytest.raises(Forbidden, match="makes themselves an owner"):
        set_member(project=site.project, group=of_theirs, role=Role.OWNER, actor=site.erin, now=NOW)
    set_member(project=site.project, group=of_others, role=Role.OWNER, actor=site.erin, now=NOW)


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
    # Mallory sees nothing of the project, but reads what she is asked, and answers there.
    assert told(site, "mallory") == (
        "Alice asks for your yes to a change of atlas-reco",
        f"/changes/{asked.pk}/",
    )
    accept(change=asked, version=asked.version, actor=site.mallory, now=NOW + DAY / 2)
    assert (roles(site, "mallory"), roles(site, "alice")) == ({Role.OWNER}, {Role.READER})
    assert Notice.objects.filter(person=site.alice, kind="change answered").count() == 1
    assert told(site, "mallory")[0].endswith("it waits no more")
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
    with pytest.raises(Conflict, match="lapsed already"):
        accept(change=third, version=third.version, actor=site.bob, now=NOW + 14 * DAY)
    assert lapse_changes(NOW + 15 * DAY) == 1
    third.refresh_from_db()
    with pytest.raises(Conflict, match="lapsed already"):
        accept(change=third, version=third.version, actor=site.bob, now=NOW + 15 * DAY)
    states = ProjectChange.objects.order_by("pk").values_list("state", flat=True)
    assert list(states) == ["declined", "withdrawn", "lapsed"]


def test_whoever_is_no_owner_any_more_hands_nothing_over(site: Site) -> None:
    group = make_group("owners", site.mallory)
    set_member(project=site.project, group=group, role=Role.OWNER, actor=site.alice, now=NOW)
    asked = offer(project=site.project, user=site.bob, then=Role.MANAGER, actor=site.alice, now=NOW)
    set_member(project=site.project, user=site.alice, role=None, actor=site.mallory, now=NOW + DAY)
    with pytest.raises(Conflict, match="Alice offered it, and owns it no more"):
        accept(change=asked, version=asked.version, actor=site.bob, now=NOW + 2 * DAY)
    assert (roles(site, "alice"), roles(site, "bob")) == (set(), {Role.MEMBER})


def test_nobody_answers_for_a_project_of_theirs_or_what_they_asked_for_nor_does_their_deputy(
    site: Site,
) -> None:
    set_member(project=site.project, user=site.erin, role=Role.MANAGER, actor=site.alice, now=NOW)
    name_deputy(holder=site.erin, user=site.mallory, starts_at=NOW, ends_at=NOW + 9 * DAY, now=NOW)
    until = date(2029, 1, 1)
    asked = ask_extension(project=site.project, until_on=until, actor=site.alice, now=NOW)
    assert asked is not None
    assert answers(site, asked) == {"otto"}
    withdraw_change(change=asked, version=1, actor=site.alice, now=NOW)
    asked = ask_extension(project=site.project, until_on=until, actor=site.erin, now=NOW)
    assert asked is not None
    leave(project=site.project, actor=site.erin, now=NOW + DAY)
    assert answers(site, asked) == {"otto"}
    told = Notice.objects.filter(kind="change asked").values_list("person", flat=True).distinct()
    assert set(told) == {site.otto.pk}
    with pytest.raises(Forbidden, match="You asked for it"):
        accept(change=asked, version=asked.version, actor=site.erin, now=NOW + 2 * DAY)
    accept(change=asked, version=asked.version, actor=site.otto, now=NOW + 2 * DAY)


def test_what_was_asked_for_and_is_done_at_once_waits_no_more(site: Site) -> None:
    longer = ask_extension(
        project=site.project, until_on=date(2029, 1, 1), actor=site.alice, now=NOW
    )
    there = ask_move(project=site.project, unit=site.units["it"], actor=site.alice, now=NOW)
    assert longer is not None
    assert there is not None
    ask_extension(project=site.project, until_on=date(2028, 1, 1), actor=site.otto, now=NOW)
    longer.refresh_from_db()
    assert longer.state == ChangeState.OPEN
    ask_extension(project=site.project, until_on=date(2029, 6, 1), actor=site.otto, now=NOW)
    ask_move(project=site.project, unit=site.units["it"], actor=site.otto, now=NOW + DAY)
    for each in (longer, there):
        each.refresh_from_db()
        assert (each.state, each.answered_by) == (ChangeState.ACCEPTED, site.otto)
    assert Notice.objects.filter(person=site.alice, kind="change answered").count() == 2


def test_who_decides_for_the_unit_to_be_is_judged_where_that_stands_now(site: Site) -> None:
    seen = make_unit(slug="lab", name="Lab", parent=site.units["ep"], now=NOW)
    move_unit(unit=Unit.objects.get(pk=seen.pk), parent=site.units["it"], now=NOW)
    assert ask_move(project=site.project, unit=seen, actor=site.erin, now=NOW) is not None
    assert site.project.unit == site.units["atlas"]


def test_closing_ends_what_waits_and_who_asked_is_told(site: Site) -> None:
    asked = offer(project=site.project, user=site.bob, actor=site.alice, now=NOW)
    close(project=site.project, actor=site.otto, now=NOW + DAY)
    asked.refresh_from_db()
    assert (asked.state, asked.version) == (ChangeState.WITHDRAWN, 2)
    answered = Notice.objects.get(person=site.alice, kind="change answered")
    assert answered.event.verb == "change withdrawn"


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
