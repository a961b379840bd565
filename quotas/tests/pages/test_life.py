"""The pages of a project's life: what they show, and to whom."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from portal.lib.errors import Conflict, Forbidden, Invalid
from projects.models import Project, Unit, User
from projects.states import Power, ProjectState
from quotas.actions.emptying import end_loans
from quotas.actions.posting import Journal
from quotas.actions.project_changes import offer
from quotas.actions.stewards import set_steward
from quotas.models import Account, Holder, Loan
from quotas.tests.api import caller
from quotas.tests.site import Site
from quotas.tests.test_lives import in_use


def page(site: Site, name: str, url: str, *args: object) -> str:
    client = Client()
    client.force_login(site.people[name])
    return client.get(reverse(url, args=args)).content.decode()


def test_a_closing_project_says_until_when_it_can_be_kept(site_today: Site) -> None:
    last = timezone.localdate() + timedelta(days=3)
    Project.objects.update(state=ProjectState.CLOSING, closes_on=last)
    assert "This project is closing" in page(site_today, "bob", "project_detail", "atlas-reco")
    assert "Keep it after all" in page(site_today, "alice", "project_life", "atlas-reco")
    assert "Keep it after all" not in page(site_today, "bob", "project_life", "atlas-reco")


def test_who_only_works_in_it_changes_nobody(site_today: Site) -> None:
    assert "Remove" in page(site_today, "alice", "project_people", "atlas-reco")
    told = page(site_today, "bob", "project_people", "atlas-reco")
    assert "Remove" not in told
    assert "Leave the project" in told


def test_an_offer_stands_on_the_first_page_of_whom_it_is_made_to(site_today: Site) -> None:
    now = timezone.now()
    made = offer(project=site_today.project, user=site_today.mallory, actor=site_today.alice,
                 now=now)  # fmt: skip
    home = page(site_today, "mallory", "home")
    assert reverse("change_detail", args=[made.pk]) in home
    assert "Accept" in page(site_today, "mallory", "change_detail", made.pk)
    assert "Accept" not in page(site_today, "alice", "change_detail", made.pk)
    assert reverse("change_detail", args=[made.pk]) not in page(site_today, "bob", "home")


@pytest.fixture
def deciding(site_today: Site) -> Site:
    held = site_today.delegations["erin"]
    held.powers = [*held.powers, Power.DECIDE_PROJECTS]
    held.save(update_fields=["powers"])
    return site_today


def test_a_steward_is_named_by_who_decides_projects_there(deciding: Site) -> None:
    now, atlas = timezone.now(), deciding.units["atlas"]
    set_steward(unit=atlas, person=deciding.bob, actor=deciding.erin, now=now)
    assert Unit.objects.get(slug="atlas").steward == deciding.bob
    with pytest.raises(Forbidden):
        set_steward(unit=atlas, person=deciding.rita, actor=deciding.dana, now=now)
    User.objects.filter(pk=deciding.rita.pk).update(left_at=now, is_active=False)
    with pytest.raises(Invalid):
        set_steward(
            unit=atlas, person=User.objects.get(subject="rita"), actor=deciding.erin, now=now
        )
    set_steward(unit=atlas, person=None, actor=deciding.erin, now=now)
    Unit.objects.filter(slug="atlas").update(retired_at=now)
    with pytest.raises(Conflict):
        set_steward(unit=atlas, person=deciding.bob, actor=deciding.erin, now=now)


def test_a_loan_that_is_over_and_in_use_is_told_as_overdue(deciding: Site) -> None:
    now = timezone.now()
    account = Account.objects.create(
        offering=deciding.vcpu, project=deciding.project, holder=Holder.PROJECT
    )
    source = Account.objects.get(offering=deciding.vcpu, unit=deciding.units["atlas"])
    journal = Journal(actor=None, now=now - timedelta(days=5))
    ends_at = now - timedelta(days=1)
    journal.increase(line=None, account=account, source=source, amount=12, ends_at=ends_at)
    journal.write()
    in_use(deciding, "cores", 7)
    end_loans(now)
    assert Loan.objects.get().outstanding == 7
    told = page(deciding, "alice", "project_detail", "atlas-reco")
    assert "overdue" in told
    assert "goes back as its use falls" in told
    assert "Let them have it for good" in page(deciding, "dana", "loan_list", "atlas-reco")
    life = caller(deciding, "alice").get("projects/atlas-reco/life/").json()
    assert [(each["free"], each["in_use"]) for each in life["going_back"]] == [(0, 7)]
