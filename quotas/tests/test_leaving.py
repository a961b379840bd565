"""People leave the site and come back: what they held, what they owned, and who takes it over."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from portal.lib.errors import Conflict, Forbidden, Invalid
from projects.actions import service_accounts, tokens
from projects.models import (
    Absence,
    ApiToken,
    Delegation,
    Event,
    Membership,
    Notice,
    Project,
    ProjectChange,
    ProjectKind,
    Unit,
    User,
    in_force,
)
from projects.queries.viewers import Viewer
from projects.states import ChangeState, Power, ProjectState, Role
from quotas.actions.delegations import Bound, delegate, name_deputy
from quotas.actions.leaving import finish_leaving, leave_site, return_to_site
from quotas.actions.members import set_member
from quotas.actions.orphans import offer_orphan, offer_orphans
from quotas.actions.project_changes import accept, decline, lapse_changes, offer
from quotas.models import Assignment, QuotaRequest
from quotas.queries.left_authority import left_as_links
from quotas.queries.orphans import ownerless
from quotas.tasks import sweep_leavers

from .site import NOW, Site, join, make_group, make_project, make_site
from .test_decide import ask, grant

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def site() -> Site:
    """Erin and Otto decide projects, too; Rita is who ATLAS names for orphans."""
    made = make_site()
    for name in ("otto", "erin"):
        held = made.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    Unit.objects.filter(slug="atlas").update(steward=made.mallory)
    User.objects.filter(subject="alice").update(supervisor=made.audrey)
    return made


def gone(site: Site, name: str, now: datetime = NOW + DAY) -> User:
    assert leave_site(user=site.people[name], actor=None, now=now)
    return User.objects.get(subject=name)


def offers(site: Site) -> list[tuple[str, str]]:
    rows = ProjectChange.objects.filter(project=site.project).order_by("pk")
    return [(str(each.to_user), each.state) for each in rows.select_related("to_user")]


def test_who_left_signs_in_no_more_and_has_neither_role_nor_token(site: Site) -> None:
    make_token(site.alice)
    before = site.alice.get_session_auth_hash()
    alice = gone(site, "alice")
    assert (alice.is_active, alice.left_at) == (False, NOW + DAY)
    assert alice.get_session_auth_hash() != before
    assert not ApiToken.objects.filter(revoked_at__isnull=True).exists()
    assert not Membership.objects.live(NOW + 2 * DAY).filter(user=alice).exists()
    assert Absence.objects.get().left_by is None
    assert not leave_site(user=alice, actor=None, now=NOW + 2 * DAY)
    assert Event.objects.filter(verb="person left").count() == 1


def test_a_session_from_before_stays_over_when_somebody_is_back(site: Site) -> None:
    before = site.bob.get_session_auth_hash()
    gone(site, "bob")
    return_to_site(user=User.objects.get(subject="bob"), actor=None, now=NOW + 2 * DAY)
    assert User.objects.get(subject="bob").get_session_auth_hash() != before


def test_a_service_account_of_theirs_waits_for_who_takes_it_over(site: Site) -> None:
    account = service_accounts.make(place=site.project, name="ci", actor=site.alice, now=NOW)
    make_token(site.alice, account)
    set_member(project=site.project, user=site.bob, role=Role.MANAGER, actor=site.alice, now=NOW)
    gone(site, "alice")
    assert not ApiToken.objects.filter(revoked_at__isnull=True).exists()
    taken = service_accounts.take_over(account=account, actor=site.bob, now=NOW + 2 * DAY)
    assert taken.owner == site.bob


def test_what_they_owned_is_offered_to_the_steward_then_to_the_supervisor(site: Site) -> None:
    gone(site, "alice")
    assert offer_orphans(NOW + DAY) == 0
    assert offers(site) == [("Mallory", "open")]
    first = ProjectChange.objects.get()
    assert (first.asked_by, first.expires_at) == (None, NOW + 15 * DAY)
    assert Notice.objects.filter(person=site.mallory, kind="change asked").count() == 1
    decline(change=first, answer="Not mine.", version=1, actor=site.mallory, now=NOW + 2 * DAY)
    offer_orphans(NOW + 2 * DAY)
    assert offers(site)[1:] == [("Audrey", "open")]
    second = ProjectChange.objects.get(state=ChangeState.OPEN)
    accept(change=second, version=1, actor=site.audrey, now=NOW + 3 * DAY)
    assert Membership.objects.get(user=site.audrey, ends_at__isnull=True).role == Role.OWNER
    offer_orphans(NOW + 4 * DAY)
    assert len(offers(site)) == 2


def test_when_nobody_answers_somebody_who_decides_offers_it(site: Site) -> None:
    gone(site, "alice")
    for day in range(1, 40):
        lapse_changes(NOW + day * DAY)
        offer_orphans(NOW + day * DAY)
    assert offers(site) == [("Mallory", "lapsed"), ("Audrey", "lapsed")]
    with pytest.raises(Forbidden):
        offer_orphan(project=site.project, user=site.dana, actor=site.bob, now=NOW + 40 * DAY)
    made = offer_orphan(project=site.project, user=site.bob, actor=site.erin, now=NOW + 40 * DAY)
    with pytest.raises(Conflict, match="already"):
        offer_orphan(project=site.project, user=site.bob, actor=site.otto, now=NOW + 40 * DAY)
    accept(change=made, version=1, actor=site.bob, now=NOW + 41 * DAY)
    assert not ownerless(NOW + 41 * DAY).exists()
    with pytest.raises(Conflict, match="has an owner"):
        offer_orphan(project=site.project, user=site.dana, actor=site.erin, now=NOW + 42 * DAY)


def test_a_person_offers_it_in_place_of_whom_the_site_asked(site: Site) -> None:
    gone(site, "alice")
    offer_orphans(NOW + DAY)
    offer_orphan(project=site.project, user=site.bob, actor=site.otto, now=NOW + 2 * DAY)
    assert offers(site) == [("Mallory", "withdrawn"), ("Bob", "open")]


def test_another_owner_or_a_group_of_owners_goes_on(site: Site) -> None:
    join(site.project, make_group("chiefs", site.bob), Role.OWNER, NOW)
    gone(site, "alice")
    offer_orphans(NOW + DAY)
    assert offers(site) == []
    assert not ownerless(NOW + DAY).exists()


def test_people_are_still_added_and_removed_in_a_project_without_an_owner(site: Site) -> None:
    set_member(project=site.project, user=site.bob, role=Role.MANAGER, actor=site.alice, now=NOW)
    gone(site, "alice")
    set_member(project=site.project, user=site.rita, role=None, actor=site.bob, now=NOW + 2 * DAY)
    assert not Membership.objects.live(NOW + 3 * DAY).filter(user=site.rita).exists()


def test_a_personal_project_begins_to_close_and_a_proposed_one_is_dropped(site: Site) -> None:
    own = make_project(site, "alice-own", "atlas", NOW)
    Project.objects.filter(pk=own.pk).update(kind=ProjectKind.PERSONAL)
    asked = make_project(site, "alice-new", "atlas", NOW)
    Project.objects.filter(pk=asked.pk).update(state=ProjectState.PROPOSED)
    for each in (own, asked):
        join(each, site.alice, Role.OWNER, NOW)
    gone(site, "alice")
    states = Project.objects.order_by("name").values_list("name", "state")
    assert dict(states) == {"alice-own": "closing", "alice-new": "dropped", "atlas-reco": "active"}
    assert not ProjectChange.objects.exists()


def test_what_was_offered_to_them_or_by_them_leaves_no_trace_of_a_role(site: Site) -> None:
    offer(project=site.project, user=site.dana, then="manager", actor=site.alice, now=NOW)
    gone(site, "alice")
    made = ProjectChange.objects.get()
    accept(change=made, version=made.version, actor=site.dana, now=NOW + 2 * DAY)
    live = Membership.objects.live(NOW + 3 * DAY).filter(project=site.project)
    assert not live.filter(user=site.alice).exists()
    offer(project=site.project, user=site.erin, actor=site.dana, now=NOW + 3 * DAY)
    gone(site, "erin", NOW + 4 * DAY)
    assert offers(site)[-1] == ("Erin", "lapsed")


def test_authority_that_nobody_relies_upon_ends_and_its_grantor_is_told(site: Site) -> None:
    gone(site, "dana")
    held = Delegation.objects.get(pk=site.delegations["dana"].pk)
    assert held.revoked_at == NOW + DAY
    assert Notice.objects.filter(person=site.erin, kind="left").count() == 1


def test_authority_by_which_others_decide_goes_on_without_them(site: Site) -> None:
    gone(site, "erin")
    held = site.delegations["erin"]
    assert list(left_as_links(NOW + 2 * DAY)) == [held]
    assert Viewer.of(site.dana, NOW + 2 * DAY).delegations == (site.delegations["dana"],)
    assert Notice.objects.filter(person=site.otto, kind="left").count() == 1
    gone(site, "dana", NOW + 3 * DAY)
    assert finish_leaving(NOW + 4 * DAY) == 1
    assert not left_as_links(NOW + 5 * DAY).exists()
    assert finish_leaving(NOW + 5 * DAY) == 0


@pytest.mark.parametrize("below", [False, True])
def test_what_waits_for_who_left_waits_for_the_next_one(
    site: Site, below: bool, django_capture_on_commit_callbacks: Any
) -> None:
    if below:
        hand_on_below(site)
    asked = ask(site, {site.vcpu.slug: 10})
    assert waits_for(asked) == ({"mallory"} if below else {"dana"})
    with django_capture_on_commit_callbacks(execute=True):
        gone(site, "mallory" if below else "dana", NOW + DAY)
    assert waits_for(asked) == ({"dana"} if below else {"erin"})


def waits_for(asked: QuotaRequest) -> set[str]:
    rows = Assignment.objects.filter(in_force(NOW + 2 * DAY), line__request=asked, kind="decide")
    return set(rows.values_list("user__subject", flat=True))


def hand_on_below(site: Site) -> None:
    """Mallory decides for ATLAS by Dana, and lets Rita decide a little by hers."""
    above = site.delegations["dana"]
    above = site.delegations["dana"]
    for grantor, user, most in ((site.dana, site.mallory, 64), (site.mallory, site.rita, 1)):
        above = delegate(
            parent=above, grantor=grantor, user=user, powers=[Power.DECIDE_QUOTA],
            unit=site.units["atlas"], depth=above.depth - 1, starts_at=NOW, ends_at=None,
            now=NOW, bounds=[Bound(site.vcpu.resource, per_decision=most)],
        )  # fmt: skip


def test_a_deputy_of_a_closed_account_decides_nothing(site: Site) -> None:
    name_deputy(holder=site.dana, user=site.mallory, starts_at=NOW, ends_at=NOW + 9 * DAY, now=NOW)
    assert Viewer.of(site.mallory, NOW + DAY).delegations
    User.objects.filter(subject="dana").update(is_active=False)
    assert not Viewer.of(site.mallory, NOW + DAY).delegations
    User.objects.filter(subject="dana").update(is_active=True)
    gone(site, "dana")
    assert not Delegation.objects.filter(is_deputy=True, revoked_at__isnull=True).exists()


def test_who_is_back_soon_has_the_roles_again_and_the_offer_is_withdrawn(site: Site) -> None:
    alice = gone(site, "alice")
    offer_orphans(NOW + DAY)
    assert return_to_site(user=alice, actor=None, now=NOW + 9 * DAY)
    assert (alice.is_active, alice.left_at) == (True, None)
    assert Membership.objects.live(NOW + 9 * DAY).get(user=alice).role == Role.OWNER
    assert offers(site) == [("Mallory", "withdrawn")]
    assert not return_to_site(user=alice, actor=None, now=NOW + 10 * DAY)


def test_who_is_back_after_long_begins_without_roles(site: Site) -> None:
    bob = gone(site, "bob")
    return_to_site(user=bob, actor=site.otto, now=NOW + 60 * DAY)
    assert not Membership.objects.live(NOW + 61 * DAY).filter(user=bob).exists()
    absence = Absence.objects.get()
    assert (absence.ends_at, absence.back_by) == (NOW + 60 * DAY, site.otto)


def test_only_another_operator_closes_an_account_and_says_why(site: Site) -> None:
    with pytest.raises(Forbidden):
        leave_site(user=site.bob, reason="Gone.", actor=site.erin, now=NOW)
    with pytest.raises(Forbidden, match="own account"):
        leave_site(user=site.otto, reason="Gone.", actor=site.otto, now=NOW)
    with pytest.raises(Invalid):
        leave_site(user=site.bob, actor=site.otto, now=NOW)
    assert leave_site(user=site.bob, reason="Gone.", actor=site.otto, now=NOW)
    assert Absence.objects.get().reason == "Gone."


def test_an_operator_says_so_by_command_and_takes_it_back(site: Site) -> None:
    call_command("leave_site", "bob", "--by", "otto", "--reason", "Gone.")
    assert not User.objects.get(subject="bob").is_active
    call_command("leave_site", "bob", "--by", "otto", "--back")
    assert User.objects.get(subject="bob").is_active


def test_the_sweep_offers_and_lets_go(site: Site) -> None:
    gone(site, "alice", timezone.now())
    sweep_leavers()
    assert offers(site) == [("Mallory", "open")]


def test_a_decision_in_the_stead_of_who_had_left_is_found(site: Site) -> None:
    name_deputy(holder=site.erin, user=site.audrey, starts_at=NOW, ends_at=NOW + 9 * DAY, now=NOW)
    grant(site, ask(site, {site.vcpu.slug: 10}), actor="audrey")
    call_command("verify_decisions")
    Absence.objects.create(user=site.erin, starts_at=NOW - DAY, ends_at=NOW + 5 * DAY)
    with pytest.raises(SystemExit):
        call_command("verify_decisions")


def test_what_somebody_gave_to_who_left_meanwhile_is_taken_by_the_sweep(site: Site) -> None:
    bob = gone(site, "bob")
    join(site.project, bob, Role.MEMBER, NOW + 2 * DAY)
    assert finish_leaving(NOW + 3 * DAY) == 1
    assert not Membership.objects.live(NOW + 4 * DAY).filter(user=bob).exists()
    assert finish_leaving(NOW + 4 * DAY) == 0


def test_in_a_year_of_leavers_no_orphan_is_without_a_proposal(site: Site) -> None:
    """Now and again somebody who owns projects leaves; offers are taken, declined or forgotten."""
    cast = []
    for number in range(12):
        owner = User.objects.create(subject=f"p{number}", name=f"P{number}", supervisor=site.audrey)
        cast.append(owner)
        for one in range(2):
            join(make_project(site, f"work-{number}-{one}", "atlas", NOW), owner, Role.OWNER, NOW)
    for day in range(1, 366, 3):
        now = NOW + day * DAY
        if day % 6 == 1 and day // 6 < len(cast):
            leave_site(user=cast[day // 6], actor=None, now=now)
        lapse_changes(now)
        finish_leaving(now)
        offer_orphans(now)
        _answer_some(site, day, now)
        offer_orphans(now)
        for each in ownerless(now):
            tried = ProjectChange.objects.filter(project=each)
            asked = tried.filter(state=ChangeState.OPEN).exists()
            assert asked or {x.to_user for x in tried} == {site.mallory, site.audrey}
    assert not ProjectChange.objects.filter(state=ChangeState.OPEN).exists()
    states = set(ProjectChange.objects.values_list("state", flat=True))
    assert states == {ChangeState.ACCEPTED, ChangeState.DECLINED, ChangeState.LAPSED}
    call_command("verify_decisions")


def _answer_some(site: Site, day: int, now: datetime) -> None:
    """Of every three offers one is taken, one declined, one forgotten."""
    waiting = ProjectChange.objects.filter(state=ChangeState.OPEN).select_related("to_user")
    for each in waiting.order_by("pk"):
        if each.to_user is None or day % 4 or each.pk % 3 == 2:
            continue
        if each.pk % 3 == 0:
            accept(change=each, version=each.version, actor=each.to_user, now=now)
        else:
            decline(change=each, answer="No.", version=each.version, actor=each.to_user, now=now)


def test_many_of_one_person_cost_a_bounded_number_of_queries(
    site: Site, django_assert_max_num_queries: object
) -> None:
    for number in range(10):
        join(make_project(site, f"many-{number}", "atlas", NOW), site.bob, Role.MEMBER, NOW)
    with django_assert_max_num_queries(180):  # type: ignore[operator]  # the fixture's own type
        gone(site, "bob")


def make_token(person: User, account: object = None) -> None:
    tokens.make(name="ci", scopes=["read"], account=account, actor=person, now=NOW)  # type: ignore[arg-type]  # an account or none
