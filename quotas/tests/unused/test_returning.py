"""A project returns what it does not use, and has it again: by whom, from where, and once."""

from datetime import date, timedelta

import pytest
from django.conf import settings
from django.core.management import call_command

from portal.lib.errors import Conflict, Forbidden, Invalid, NoRoom, NotVisible, Stale
from projects.models import Event, Membership, Notice, Project, ProjectAct, Unit
from projects.queries.viewers import Viewer
from projects.states import NoticeKind, Power, ProjectActKind, ProjectState, Role
from quotas.actions.emptying import end_loans
from quotas.actions.nudge import TooSoon
from quotas.actions.project_changes import ask_move
from quotas.actions.return_undos import ALL, NONE, SOME, there_of, undo_return
from quotas.actions.returns import return_quota
from quotas.actions.unused import ask_back, find_unused
from quotas.models import (
    Account,
    Endpoint,
    Holder,
    Loan,
    QuotaReturn,
    Resource,
    Target,
    Transfer,
    TransferKind,
)
from quotas.queries.letter_words import unused_behind
from quotas.queries.notice_words import url_of
from quotas.queries.notices import notice_rows
from quotas.queries.proof_returns import check_returns
from quotas.queries.timeline_events import events_of_project, told
from quotas.queries.unused_lists import returns_shown
from quotas.queries.verifying import verify
from quotas.tests.site import NOW, Site, join, make_site
from quotas.tests.test_lives import give
from quotas.tests.test_verify_decisions import forge
from quotas.tests.using import read, use_for

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def site() -> Site:
    """100 vCPU, of which 30 are lent until new year's eve and 10 are in use."""
    made = make_site()
    give(made, made.vcpu, 70)
    give(made, made.vcpu, 100, until=date(2026, 12, 31))
    read(made.project, "cores", 10, NOW)
    join(made.project, made.erin, Role.MANAGER, NOW)
    return made


def balances() -> dict[int, int]:
    return dict(Account.objects.values_list("pk", "balance"))


def lent() -> list[tuple[int, date]]:
    rows = Loan.objects.filter(outstanding__gt=0).order_by("ends_at")
    return [(each.outstanding, each.ends_at.date()) for each in rows]


def give_back(site: Site, amount: int, seen: int = 100, name: str = "alice") -> QuotaReturn:
    return return_quota(
        project=site.project, offering=site.vcpu, amount=amount, seen=seen,
        actor=site.people[name], now=NOW + DAY,
    )  # fmt: skip


def test_what_is_returned_pays_loans_first_and_the_rest_goes_to_the_envelope(site: Site) -> None:
    envelope = site.envelope(site.vcpu)
    generation = Target.objects.get(project=site.project, endpoint__driver="nova").generation
    made = give_back(site, 50)
    assert (site.quota(site.vcpu), site.envelope(site.vcpu)) == (50, envelope + 50)
    assert (made.amount, list(made.loans.values()), lent()) == (50, [30], [])
    assert made.undo_until == NOW + DAY + settings.RECLAIM_UNDO_DAYS * DAY
    kinds = Transfer.objects.filter(project_act=made.act).order_by("pk")
    assert list(kinds.values_list("kind", "amount")) == [
        (TransferKind.REPAY, 30), (TransferKind.RETURN, 20),
    ]  # fmt: skip
    target = Target.objects.get(project=site.project, endpoint__driver="nova")
    assert target.generation > generation
    event = Event.objects.get(verb="quota returned")
    assert {each.person for each in Notice.objects.filter(event=event)} == {site.erin}
    (line,) = [each for each in told(list(events_of_project(site.project))) if each.event == event]
    assert dict(line.amounts) == {site.vcpu.slug: 50}


def test_returned_and_had_again_leaves_all_as_it_was(site: Site) -> None:
    before, loans = balances(), lent()
    made = give_back(site, 90)
    assert there_of(site.project, [made], NOW + 2 * DAY)[made.pk] == (90, ALL)
    undone = undo_return(quota_return=made, actor=site.erin, now=NOW + 8 * DAY - DAY / 24)
    assert (balances(), lent()) == (before, loans)
    assert (undone.undone_amount, undone.undone_by) == (
        90, ProjectAct.objects.get(kind=ProjectActKind.UNDO_RETURN),
    )  # fmt: skip
    assert Event.objects.filter(verb="return undone").count() == 1
    call_command("audit_ledger")
    assert list(verify()) == []
    with pytest.raises(Conflict, match="undone already"):
        undo_return(quota_return=made, actor=site.alice, now=NOW + 3 * DAY)


def test_what_others_were_given_meanwhile_is_not_there_but_the_rest_is(site: Site) -> None:
    made = give_back(site, 90)
    source = Account.objects.get(unit__slug="atlas", offering=site.vcpu)
    pool = Account.objects.get(holder="pool", offering=site.vcpu)
    taken = source.balance - 25
    Account.objects.filter(pk=source.pk).update(balance=25)
    Account.objects.filter(pk=pool.pk).update(balance=pool.balance + taken)
    with pytest.raises(NoRoom) as refused:
        undo_return(quota_return=made, actor=site.alice, now=NOW + 2 * DAY)
    # How much an envelope has is not theirs to know.
    assert {"there": SOME, "needed": 90}.items() <= refused.value.facts.items()
    assert 25 not in refused.value.facts.values()
    assert there_of(site.project, [made], NOW + 2 * DAY)[made.pk] == (90, SOME)
    undo_return(quota_return=made, as_much=True, actor=site.alice, now=NOW + 2 * DAY)
    assert (site.quota(site.vcpu), site.envelope(site.vcpu)) == (35, 0)
    # What was theirs for good comes first.
    assert lent() == []


def test_a_loan_that_ended_meanwhile_is_not_lent_again(site: Site) -> None:
    made = give_back(site, 40)
    QuotaReturn.objects.update(undo_until=NOW + 90 * DAY)
    undo_return(quota_return=made, actor=site.alice, now=NOW + 60 * DAY)
    assert (site.quota(site.vcpu), lent()) == (70, [])
    assert end_loans(NOW + 61 * DAY) == 0


def test_a_loan_alone_that_ended_is_asked_for(site: Site) -> None:
    made = give_back(site, 30)
    QuotaReturn.objects.update(undo_until=NOW + 90 * DAY)
    with pytest.raises(Conflict, match="on loan until a day that is over"):
        undo_return(quota_return=made, actor=site.alice, now=NOW + 60 * DAY)


def test_it_is_had_again_in_time_only(site: Site) -> None:
    made = give_back(site, 50)
    with pytest.raises(Conflict, match="too late"):
        undo_return(
            quota_return=made, actor=site.alice, now=NOW + (settings.RECLAIM_UNDO_DAYS + 1) * DAY
        )


def test_what_can_be_undone_is_shown_however_much_was_returned_since(site: Site) -> None:
    made = [give_back(site, 1, seen=100 - number) for number in range(12)]
    assert returns_shown(site.project, NOW + DAY) == made[::-1]
    assert returns_shown(site.project, NOW + 90 * DAY) == made[:1:-1]


def test_what_went_to_a_unit_that_the_project_has_left_stays_there(site: Site) -> None:
    for name in ("otto", "erin"):
        held = site.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    made = give_back(site, 50)
    ask_move(
        project=site.project, unit=Unit.objects.get(slug="it"), actor=site.otto, now=NOW + 2 * DAY
    )
    with pytest.raises(Conflict, match="has left"):
        undo_return(quota_return=made, actor=site.alice, now=NOW + 3 * DAY)
    assert there_of(site.project, [made], NOW + 3 * DAY)[made.pk] == (0, NONE)


def test_what_was_given_since_is_not_given_twice(site: Site) -> None:
    Membership.objects.filter(user=site.erin).delete()
    made = give_back(site, 50)
    give(site, site.vcpu, 70)
    assert there_of(site.project, [made], NOW + 2 * DAY)[made.pk] == (30, ALL)
    undo_return(quota_return=made, actor=site.alice, now=NOW + 2 * DAY)
    assert (site.quota(site.vcpu), [amount for amount, _day in lent()]) == (100, [30])
    # Nor what was had again by undoing: that was not given.
    first, second = give_back(site, 20), give_back(site, 20, seen=80)
    for each in (first, second):
        undo_return(quota_return=each, actor=site.alice, now=NOW + 2 * DAY)
    made = give_back(site, 50)
    give(site, site.vcpu, 100)
    assert there_of(site.project, [made], NOW + 2 * DAY)[made.pk] == (0, NONE)
    with pytest.raises(Conflict, match="given as much since"):
        undo_return(quota_return=made, actor=site.alice, now=NOW + 2 * DAY)


def test_nobody_has_an_access_twice(site: Site) -> None:
    Membership.objects.filter(user=site.erin).delete()
    ram = site.offerings["geneva.compute-a.ram"]
    Resource.objects.filter(pk=ram.resource_id).update(is_access=True, unit="", step=1)
    give(site, ram, 1)
    read(site.project, "ram", 0, NOW)
    made = return_quota(
        project=site.project, offering=ram, amount=1, seen=1, actor=site.alice, now=NOW + DAY
    )
    Account.objects.filter(project=site.project, offering=ram).update(balance=1)
    with pytest.raises(Conflict, match="given as much since"):
        undo_return(quota_return=made, actor=site.alice, now=NOW + 2 * DAY)


def test_a_nearer_envelope_is_not_passed_by(site: Site) -> None:
    made = give_back(site, 50)
    atlas = site.units["atlas"]
    near = Unit.objects.create(slug="reco", name="RECO", parent=atlas, path=f"{atlas.path}reco/")
    Account.objects.create(offering=site.vcpu, unit=near, holder=Holder.UNIT)
    Project.objects.filter(pk=site.project.pk).update(unit=near)
    # The loan goes where it was lent, until its day; what was theirs for good is drawn anew.
    assert there_of(site.project, [made], NOW + 2 * DAY)[made.pk] == (30, ALL)
    QuotaReturn.objects.update(loans={})
    with pytest.raises(Conflict, match="draws from elsewhere"):
        undo_return(quota_return=made, actor=site.alice, now=NOW + 2 * DAY)


def test_a_suspended_project_returns_and_has_nothing_again(site: Site) -> None:
    Project.objects.update(state=ProjectState.SUSPENDED)
    made = give_back(site, 50)
    assert there_of(site.project, [made], NOW + 2 * DAY)[made.pk] == (0, NONE)
    with pytest.raises(Conflict, match="suspended"):
        undo_return(quota_return=made, actor=site.alice, now=NOW + 2 * DAY)


def test_nothing_goes_below_what_is_in_use(site: Site) -> None:
    read(site.project, "cores", 30, NOW, reserved=5)
    with pytest.raises(Conflict) as refused:
        give_back(site, 66)
    assert refused.value.facts["free"] == 65
    assert give_back(site, 65).amount == 65


def test_where_use_is_not_known_nothing_goes(site: Site) -> None:
    Endpoint.objects.filter(driver="nova").update(gaps_since=NOW)
    with pytest.raises(Conflict, match="not known whole"):
        give_back(site, 10)


def test_who_returns_and_what_cannot_be(site: Site) -> None:
    for name in ("bob", "rita", "dana", "otto", "audrey"):
        with pytest.raises(Forbidden):
            give_back(site, 10, name=name)
    with pytest.raises(NotVisible):
        give_back(site, 10, name="mallory")
    with pytest.raises(Stale) as stale:
        give_back(site, 10, seen=101)
    assert stale.value.facts["now"] == 100
    for amount in (0, -1, 101):
        with pytest.raises(Invalid):
            give_back(site, amount)
    made = give_back(site, 10, name="erin")
    for name in ("bob", "dana", "otto"):
        with pytest.raises(Forbidden):
            undo_return(quota_return=made, actor=site.people[name], now=NOW + DAY)


def test_its_owners_are_asked_now_and_then(site: Site) -> None:
    then = NOW + 100 * DAY
    with pytest.raises(Conflict, match="Nothing is known"):
        ask_back(project=site.project, actor=site.dana, now=then)
    use_for(site.project, "cores", 10, then)
    with pytest.raises(Forbidden):
        ask_back(project=site.project, actor=site.alice, now=then)
    done = ask_back(project=site.project, reason="Others wait.", actor=site.dana, now=then)
    assert done.reason == "Others wait."
    find_unused(then)
    notices = Notice.objects.filter(kind=NoticeKind.UNUSED)
    assert {each.person for each in notices} == {site.alice, site.erin}
    rows = notice_rows(notices.filter(person=site.alice), Viewer.of(site.alice, then))
    assert [url_of(row) for row in rows] == ["/projects/atlas-reco/unused/"]
    figures = ["vCPU, compute-a, geneva: 88 of 100 unused"]
    assert unused_behind(rows) == {done.pk: (figures, "Others wait.")}
    read(site.project, "cores", 10, then + 13 * DAY)
    with pytest.raises(TooSoon):
        ask_back(project=site.project, actor=site.otto, now=then + 13 * DAY)
    ask_back(project=site.project, actor=site.otto, now=then + 14 * DAY)


def test_the_proof_finds_what_was_had_again_without_being_returned(site: Site) -> None:
    made = give_back(site, 50)
    undo_return(quota_return=made, actor=site.alice, now=NOW + 2 * DAY)
    QuotaReturn.objects.update(undone_amount=49)
    (found,) = verify()
    assert (found.expected, found.found) == (49, 50)
    QuotaReturn.objects.all().delete()
    assert len(list(verify())) == 4


def test_the_proof_finds_what_came_from_elsewhere_and_a_loan_that_did_not_stay_one(
    site: Site,
) -> None:
    made = give_back(site, 50)
    undone = undo_return(quota_return=made, actor=site.alice, now=NOW + 2 * DAY)
    assert list(check_returns()) == []
    pool = Account.objects.get(holder=Holder.POOL, offering=site.vcpu)
    forge(
        "quotas_transfer",
        "UPDATE quotas_transfer SET kind = 'grant', debit_id = %s"
        " WHERE kind = 'loan' AND project_act_id = %s",
        pool.pk, undone.undone_by_id,
    )  # fmt: skip
    name = f"return {made.pk} of account {made.account_id}"
    assert [(each.what, each.found) for each in check_returns()] == [
        (f"{name}, had for good again", 50), (f"{name}, drawn from", "elsewhere"),
    ]  # fmt: skip
