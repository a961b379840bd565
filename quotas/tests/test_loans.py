"""A loan left longer or for good: by whom, by how much authority, and what the ledger says."""

from datetime import date, timedelta

import pytest
from django.core.management import call_command

from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible, Stale
from projects.models import Notice, ProjectAct, ProjectChange
from projects.queries.viewers import Viewer
from projects.states import ChangeState, ProjectActKind, Role
from quotas.actions.emptying import end_loans
from quotas.actions.loans import extend_loan, make_permanent
from quotas.actions.project_changes import accept, ask_loan, decline, lapse_changes
from quotas.models import DelegationBound, Loan, TransferKind
from quotas.queries.lives import waiting_changes
from quotas.queries.verifying import verify

from .site import NOW, Site, join, make_site
from .test_lives import give

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
LATER = date(2027, 6, 30)


@pytest.fixture
def site() -> Site:
    made = make_site()
    give(made, made.vcpu, 4)
    give(made, made.vcpu, 16, until=date(2026, 12, 31))
    return made


def the_loan() -> Loan:
    return Loan.objects.get(outstanding__gt=0)


def test_a_loan_is_left_longer_and_what_the_project_has_stays(site: Site) -> None:
    before, envelope = site.quota(site.vcpu), site.envelope(site.vcpu)
    new = extend_loan(loan=the_loan(), until_on=LATER, seen=12, actor=site.dana, now=NOW + DAY)
    assert the_loan() == new
    assert (new.outstanding, new.ends_at.date()) == (12, LATER + DAY)
    assert (site.quota(site.vcpu), site.envelope(site.vcpu)) == (before, envelope)
    assert end_loans(NOW + 60 * DAY) == 0
    assert the_loan().outstanding == 12
    act = ProjectAct.objects.get(kind=ProjectActKind.LOAN_EXTEND)
    assert (act.delegation, act.data["amount"]) == (site.delegations["dana"], 12)
    assert [link["delegation"] for link in act.snapshot["chain"]] == [
        site.delegations[name].pk for name in ("otto", "erin", "dana")
    ]
    assert Notice.objects.filter(person=site.alice, event__verb="loan extended").count() == 1
    call_command("audit_ledger")


def test_a_loan_made_permanent_goes_back_no_more(site: Site) -> None:
    make_permanent(loan=the_loan(), seen=12, reason="Run 4.", actor=site.dana, now=NOW + DAY)
    assert not Loan.objects.filter(outstanding__gt=0).exists()
    assert site.quota(site.vcpu) == 16
    act = ProjectAct.objects.get(kind=ProjectActKind.LOAN_KEEP)
    kinds = act.transfers.order_by("pk").values_list("kind", "amount")
    assert list(kinds) == [(TransferKind.REPAY, 12), (TransferKind.GRANT, 12)]
    call_command("audit_ledger")


def test_it_takes_authority_over_as_much_and_no_part_in_the_project(site: Site) -> None:
    loan = the_loan()
    bounds = DelegationBound.objects.filter(delegation=site.delegations["dana"])
    bounds.filter(resource=site.vcpu.resource).update(per_decision=11)
    with pytest.raises(Forbidden, match="as much at once") as refusal:
        make_permanent(loan=loan, seen=12, actor=site.dana, now=NOW + DAY)
    assert refusal.value.facts["most"] == 11
    with pytest.raises(Forbidden, match="hold no delegation"):
        make_permanent(loan=loan, seen=12, actor=site.alice, now=NOW + DAY)
    with pytest.raises(NotVisible):
        make_permanent(loan=loan, seen=12, actor=site.mallory, now=NOW + DAY)
    join(site.project, site.erin, Role.MEMBER, NOW)
    with pytest.raises(Forbidden, match="have a part in"):
        make_permanent(loan=loan, seen=12, actor=site.erin, now=NOW + DAY)
    assert the_loan() == loan


def test_what_was_not_seen_is_not_changed(site: Site) -> None:
    loan = the_loan()
    with pytest.raises(Stale):
        extend_loan(loan=loan, until_on=LATER, seen=16, actor=site.dana, now=NOW + DAY)
    with pytest.raises(Invalid):
        extend_loan(loan=loan, until_on=date(2026, 1, 1), seen=12, actor=site.dana, now=NOW + DAY)
    with pytest.raises(Conflict, match="until that day already"):
        extend_loan(loan=loan, until_on=date(2026, 12, 31), seen=12, actor=site.dana, now=NOW + DAY)
    make_permanent(loan=loan, seen=12, actor=site.dana, now=NOW + DAY)
    with pytest.raises(Conflict, match="paid back already"):
        make_permanent(loan=loan, seen=12, actor=site.dana, now=NOW + DAY)


def asked(site: Site, until_on: date | None = LATER) -> ProjectChange:
    return ask_loan(loan=the_loan(), until_on=until_on, actor=site.alice, now=NOW + DAY)


def test_an_owner_asks_and_who_could_lend_as_much_says_yes(site: Site) -> None:
    wish = asked(site)
    assert [notice.person for notice in Notice.objects.filter(kind="change asked")] == [site.dana]
    assert [each.pk for each in waiting_changes(Viewer.of(site.dana, NOW + DAY))] == [wish.pk]
    accept(change=wish, version=1, actor=site.dana, now=NOW + 2 * DAY)
    assert (the_loan().outstanding, the_loan().ends_at.date()) == (12, LATER + DAY)
    wish.refresh_from_db()
    assert (wish.state, wish.answered_by) == (ChangeState.ACCEPTED, site.dana)
    assert not waiting_changes(Viewer.of(site.dana, NOW + DAY)).exists()
    assert [each.sentence for each in verify()] == []


def test_a_loan_is_asked_for_for_good(site: Site) -> None:
    accept(change=asked(site, None), version=1, actor=site.dana, now=NOW + 2 * DAY)
    assert not Loan.objects.filter(outstanding__gt=0).exists()
    assert ProjectAct.objects.get(kind=ProjectActKind.LOAN_KEEP).data["amount"] == 12


def test_a_wish_waits_for_who_has_a_remit_that_is_wide_enough(site: Site) -> None:
    bounds = DelegationBound.objects.filter(delegation=site.delegations["dana"])
    bounds.filter(resource=site.vcpu.resource).update(per_decision=11)
    wish = asked(site)
    assert [notice.person for notice in Notice.objects.filter(kind="change asked")] == [site.erin]
    assert not waiting_changes(Viewer.of(site.dana, NOW + DAY)).exists()
    with pytest.raises(Forbidden, match="as much at once"):
        accept(change=wish, version=1, actor=site.dana, now=NOW + DAY)
    with pytest.raises(Forbidden, match="You asked for it"):
        accept(change=wish, version=1, actor=site.alice, now=NOW + DAY)
    decline(change=wish, answer="No.", version=1, actor=site.erin, now=NOW + DAY)
    assert the_loan().ends_at.date() == date(2027, 1, 1)


def test_a_loan_is_asked_about_once_by_who_may_ask(site: Site) -> None:
    asked(site)
    with pytest.raises(Conflict, match="waits for an answer"):
        asked(site, None)
    with pytest.raises(Forbidden, match="owner or a manager"):
        ask_loan(loan=the_loan(), until_on=LATER, actor=site.bob, now=NOW + DAY)
    with pytest.raises(NotVisible):
        ask_loan(loan=the_loan(), until_on=LATER, actor=site.mallory, now=NOW + DAY)
    with pytest.raises(Invalid):
        asked(site, date(2026, 1, 1))


def test_a_wish_ends_with_its_loan(site: Site) -> None:
    first = asked(site)
    extend_loan(loan=the_loan(), until_on=LATER, seen=12, actor=site.dana, now=NOW + DAY)
    first.refresh_from_db()
    assert first.state == ChangeState.LAPSED
    second = asked(site, None)
    assert lapse_changes(NOW + DAY) == 0
    Loan.objects.filter(outstanding__gt=0).update(outstanding=0)
    with pytest.raises(Conflict, match="paid back already"):
        accept(change=second, version=1, actor=site.dana, now=NOW + DAY)
    assert lapse_changes(NOW + DAY) == 1
    second.refresh_from_db()
    assert second.state == ChangeState.LAPSED
