"""A project suspended, closed, kept and emptied; what it has goes back as far as it is free."""

from datetime import date, timedelta

import pytest
from django.core.management import call_command

from portal.lib.errors import Conflict, Forbidden, Invalid, NoRoom
from projects.actions.project_acts import act
from projects.models import Notice, Project, ProjectAct
from projects.states import ProjectActKind, ProjectState
from quotas.actions.decide import approve
from quotas.actions.emptying import empty_closing, end_countdowns, end_loans
from quotas.actions.holdings import lock_holdings, take_along
from quotas.actions.lives import close, keep, resume, suspend
from quotas.actions.requests import submit
from quotas.actions.wishes import Wish
from quotas.models import Account, Loan, Offering, QuotaRequest, Reading, Target
from quotas.states import LineState, TargetState

from .site import NOW, Site, make_site

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def site() -> Site:
    return make_site()


def give(site: Site, offering: Offering, amount: int, until: date | None = None) -> QuotaRequest:
    """Alice asks and Erin grants."""
    asked = submit(
        project=site.project, wish=Wish({offering.slug: amount}, "why not", until_on=until),
        actor=site.alice, now=NOW,
    )  # fmt: skip
    line = asked.lines.get()
    approve(
        quota_request=asked, granted={line.pk: amount}, seen={line.pk: line.balance_seen},
        version=asked.version, actor=site.erin, now=NOW,
    )  # fmt: skip
    return asked


def in_use(site: Site, key: str, amount: int) -> None:
    """A service was read, and says so much is in use."""
    target = Target.objects.get(project=site.project, endpoint__limits__key=key)
    Target.objects.filter(pk=target.pk).update(
        state=TargetState.APPLIED, applied_generation=1, next_try_at=None
    )
    limit = target.endpoint.limits.get(key=key)
    Reading.objects.update_or_create(
        target=target, limit=limit, defaults={"used": amount, "reserved": 0, "read_at": NOW}
    )


def project_of(site: Site) -> Project:
    return Project.objects.select_related("unit").get(pk=site.project.pk)


def test_a_suspended_project_keeps_its_quota_and_asks_for_nothing_until_it_is_resumed(
    site: Site,
) -> None:
    give(site, site.vcpu, 8)
    suspend(project=site.project, reason="An incident.", actor=site.otto, now=NOW)
    assert project_of(site).state == ProjectState.SUSPENDED
    assert site.quota(site.vcpu) == 8
    with pytest.raises(Conflict, match="suspended"):
        give(site, site.vcpu, 16)
    with pytest.raises(Forbidden):
        resume(project=site.project, actor=site.alice, now=NOW)
    resume(project=site.project, actor=site.otto, now=NOW)
    give(site, site.vcpu, 16)
    told = Notice.objects.filter(person=site.bob).values_list("event__verb", flat=True)
    assert sorted(told) == ["project resumed", "project suspended"]


def test_closing_and_keeping_is_no_way_out_of_a_suspension(site: Site) -> None:
    suspend(project=site.project, reason="An incident.", actor=site.otto, now=NOW)
    close(project=site.project, actor=site.alice, now=NOW)
    assert not project_of(site).is_open
    keep(project=site.project, ends_on=None, actor=site.alice, now=NOW)
    assert project_of(site).state == ProjectState.SUSPENDED
    resume(project=site.project, actor=site.otto, now=NOW)
    assert project_of(site).is_open


def test_closing_withdraws_what_waits_and_can_be_undone_until_the_countdown_is_over(
    site: Site,
) -> None:
    waiting = submit(
        project=site.project, wish=Wish({site.vcpu.slug: 8}, "why not"), actor=site.alice, now=NOW
    )
    with pytest.raises(Forbidden, match="Only an owner"):
        close(project=site.project, actor=site.bob, now=NOW)
    close(project=site.project, reason="Done.", actor=site.alice, now=NOW)
    assert waiting.lines.get().state == LineState.WITHDRAWN
    closing = project_of(site)
    assert (closing.state, closing.closes_on) == ("closing", date(2026, 12, 4))
    assert closing.is_open
    keep(project=site.project, ends_on=date(2027, 6, 30), actor=site.alice, now=NOW + DAY)
    assert (project_of(site).state, project_of(site).closes_on) == ("active", None)
    close(project=site.project, actor=site.alice, now=NOW + DAY)
    with pytest.raises(Conflict, match="countdown is over"):
        keep(project=site.project, ends_on=None, actor=site.alice, now=NOW + 40 * DAY)


def test_closing_and_keeping_is_no_way_to_a_later_end_than_an_owner_may_set(site: Site) -> None:
    Project.objects.update(ends_on=date(2026, 12, 1))
    close(project=site.project, actor=site.alice, now=NOW)
    for day in (date(2027, 11, 21), None):
        with pytest.raises(Invalid, match="at the latest"):
            keep(project=site.project, ends_on=day, actor=site.alice, now=NOW)
    keep(project=site.project, ends_on=date(2027, 11, 20), actor=site.alice, now=NOW)
    close(project=site.project, actor=site.alice, now=NOW)
    keep(project=site.project, ends_on=date(2031, 1, 1), actor=site.otto, now=NOW)
    assert project_of(site).ends_on == date(2031, 1, 1)


def test_after_the_countdown_all_that_is_free_goes_back_and_the_rest_as_use_falls(
    site: Site,
) -> None:
    before = {each: site.envelope(each) for each in site.offerings.values()}
    give(site, site.vcpu, 8)
    give(site, site.space, 10 * 2**30)
    in_use(site, "cores", 3)
    in_use(site, "gigabytes", 0)
    in_use(site, "gigabytes_storage-a", 0)
    close(project=site.project, actor=site.alice, now=NOW)
    assert end_countdowns(NOW + 14 * DAY) == 0
    assert site.quota(site.vcpu) == 8
    end_countdowns(NOW + 15 * DAY)
    closing = project_of(site)
    assert (closing.state, closing.is_open) == ("closing", False)
    assert (site.quota(site.vcpu), site.quota(site.space)) == (3, 0)
    assert site.envelope(site.vcpu) == before[site.vcpu] - 3
    in_use(site, "cores", 0)
    empty_closing(NOW + 16 * DAY)
    assert project_of(site).state == ProjectState.CLOSED
    assert {each: site.envelope(each) for each in site.offerings.values()} == before
    kinds = [each.kind for each in ProjectAct.objects.filter(project=site.project)]
    assert kinds == [
        ProjectActKind.CLOSE, ProjectActKind.GIVE_BACK, ProjectActKind.GIVE_BACK,
        ProjectActKind.FINISH,
    ]  # fmt: skip
    call_command("audit_ledger")


def test_what_nobody_knows_the_use_of_stays(site: Site) -> None:
    give(site, site.vcpu, 8)
    Target.objects.filter(project=site.project).update(
        state=TargetState.RETRYING, applied_generation=1
    )
    close(project=site.project, actor=site.alice, now=NOW)
    end_countdowns(NOW + 15 * DAY)
    assert site.quota(site.vcpu) == 8
    assert project_of(site).state == ProjectState.CLOSING


def test_a_loan_returns_on_its_day_as_far_as_it_is_free_and_the_rest_as_use_falls(
    site: Site,
) -> None:
    give(site, site.vcpu, 4)
    give(site, site.vcpu, 12, until=date(2026, 11, 30))
    free = site.envelope(site.vcpu)
    in_use(site, "cores", 9)
    assert Loan.objects.get().outstanding == 8
    end_loans(NOW + 5 * DAY)
    assert site.quota(site.vcpu) == 12
    end_loans(NOW + 11 * DAY)
    assert (site.quota(site.vcpu), Loan.objects.get().outstanding) == (9, 5)
    in_use(site, "cores", 2)
    end_loans(NOW + 12 * DAY)
    assert (site.quota(site.vcpu), Loan.objects.get().outstanding) == (4, 0)
    assert site.envelope(site.vcpu) == free + 8
    call_command("audit_ledger")


def test_a_project_that_moves_draws_from_the_other_units_envelope_loans_too(site: Site) -> None:
    give(site, site.vcpu, 4)
    give(site, site.vcpu, 12, until=date(2026, 11, 30))
    project, unit = project_of(site), site.units["it"]
    Account.objects.create(offering=site.vcpu, unit=unit, holder="unit")
    done = act(project, ProjectActKind.MOVE, actor=site.erin, now=NOW)
    holdings = lock_holdings(project, unit=unit)
    with pytest.raises(NoRoom) as refusal:
        take_along(holdings, done)
    assert refusal.value.facts["short"] == 12
    assert site.quota(site.vcpu) == 12


def test_between_units_without_envelopes_of_their_own_nothing_moves(site: Site) -> None:
    give(site, site.vcpu, 4)
    project = project_of(site)
    done = act(project, ProjectActKind.MOVE, actor=site.erin, now=NOW)
    take_along(lock_holdings(project, unit=project.unit), done)
    assert not done.transfers.exists()
