"""Forms of a project's life, people, loans and changes that are refused: what was typed stays."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from projects.models import Project, ProjectChange, Unit
from projects.states import ChangeKind, Power
from quotas.actions.posting import Journal
from quotas.models import Account, Holder, Loan
from quotas.tests.api import ROOT, caller
from quotas.tests.site import Site

TYPED = "Half of the run is not done yet."


@pytest.fixture
def deciding(site_today: Site) -> Site:
    for name in ("otto", "erin"):
        held = site_today.delegations[name]
        held.powers = [*held.powers, Power.DECIDE_PROJECTS]
        held.save(update_fields=["powers"])
    return site_today


def post(site: Site, name: str, url: str, *args: object, **sent: object) -> tuple[int, str]:
    client = Client()
    client.force_login(site.people[name])
    answer = client.post(reverse(url, args=args), sent)
    return answer.status_code, answer.content.decode()


def in_days(days: int) -> str:
    return str(timezone.localdate() + timedelta(days=days))


def test_a_project_that_changed_meanwhile_is_shown_with_what_was_typed(site_today: Site) -> None:
    sent = {"reason": TYPED, "version": 77}
    status, shown = post(site_today, "alice", "project_close", "atlas-reco", **sent)
    assert status == 412
    assert TYPED in shown
    assert "has changed since you opened it" in shown


def test_no_last_day_is_none_that_a_project_gets(site_today: Site) -> None:
    status, shown = post(site_today, "alice", "project_extend", "atlas-reco", reason=TYPED)
    assert status == 422
    assert 'href="#extend-until_on"' in shown
    assert "Choose the last day." in shown
    assert TYPED in shown


@pytest.mark.parametrize(("days", "renews"), [(None, False), (30, True), (900, False)])
def test_a_renewal_is_offered_where_it_makes_a_project_last_longer(
    site_today: Site, days: int | None, renews: bool
) -> None:
    ends_on = in_days(days) if days else None
    Project.objects.filter(slug="atlas-reco").update(ends_on=ends_on)
    client = Client()
    client.force_login(site_today.alice)
    shown = client.get(reverse("project_life", args=["atlas-reco"])).content.decode()
    assert ('id="renew-head"' in shown) == renews


def test_an_offer_that_waits_already_keeps_its_form_open(site_today: Site) -> None:
    sent = {
        "holder": f"person:{site_today.mallory.public_id}", "then": "reader", "reason": TYPED,
        "q": "mal",
    }  # fmt: skip
    assert post(site_today, "alice", "project_offer", "atlas-reco", **sent)[0] == 302
    status, shown = post(site_today, "alice", "project_offer", "atlas-reco", **sent)
    assert status == 409
    assert '<details class="more" open>' in shown
    assert '<option value="reader" selected>' in shown
    # In the list of what is offered, and in the form.
    assert shown.count(TYPED) == 2


def test_the_last_owner_stays_and_the_page_of_people_says_why(site_today: Site) -> None:
    sent = {"holder": f"person:{site_today.alice.public_id}", "seen": "owner"}
    status, shown = post(site_today, "alice", "member_remove", "atlas-reco", **sent)
    assert status == 409
    assert "Who is in it" in shown
    sent["holder"] = "person:nobody"
    assert post(site_today, "alice", "member_remove", "atlas-reco", **sent)[0] == 409


def test_an_answer_stays_where_it_does_not_go_out(deciding: Site) -> None:
    asked = ProjectChange.objects.create(
        project=deciding.project, kind=ChangeKind.EXTEND, until_on=in_days(900),
        asked_by=deciding.alice, created_at=timezone.now(),
    )  # fmt: skip
    status, shown = post(deciding, "erin", "change_decline", asked.pk, answer="", version=1)
    assert status == 422
    assert 'href="#answer"' in shown
    status, shown = post(deciding, "erin", "change_decline", asked.pk, answer=TYPED, version=7)
    assert status == 412
    assert f">{TYPED}</textarea>" in shown


@pytest.fixture
def loan(deciding: Site) -> Loan:
    account = Account.objects.create(
        offering=deciding.vcpu, project=deciding.project, holder=Holder.PROJECT
    )
    source = Account.objects.get(offering=deciding.vcpu, unit=deciding.units["atlas"])
    now = timezone.now()
    journal = Journal(actor=None, now=now)
    journal.increase(
        line=None, account=account, source=source, amount=4, ends_at=now + timedelta(days=20)
    )
    journal.write()
    return Loan.objects.get()


@pytest.mark.parametrize(
    ("until_on", "sentence"),
    [("", "Choose the last day."), (in_days(5), "choose a later day"), ("soon", "no day")],
)
def test_a_loan_is_asked_for_longer_only_and_its_form_tells_it_at_the_day(
    deciding: Site, loan: Loan, until_on: str, sentence: str
) -> None:
    sent = {"until_on": until_on, "reason": TYPED}
    status, shown = post(deciding, "alice", "loan_ask", "atlas-reco", loan.pk, **sent)
    assert status == 422
    assert f'href="#loan-{loan.pk}-until_on"' in shown
    assert sentence in shown
    assert TYPED in shown
    assert not ProjectChange.objects.exists()
    status, _ = post(deciding, "alice", "loan_ask", "atlas-reco", loan.pk, **sent, for_good="true")
    assert status == 302
    assert ProjectChange.objects.get().until_on is None


def test_a_steward_that_another_named_meanwhile_is_not_replaced(deciding: Site) -> None:
    erin, address = caller(deciding, "erin").client, f"{ROOT}units/atlas/steward/"
    before = erin.get(address)
    named = {"person": str(deciding.bob.public_id)}
    tag = {"If-Match": before.headers["ETag"]}
    done = erin.put(address, named, content_type="application/json", headers=tag)
    assert (done.status_code, done.json()["steward"]["id"]) == (200, named["person"])
    late = erin.put(address, {"person": None}, content_type="application/json", headers=tag)
    assert late.status_code == 412
    assert erin.get(address, headers={"If-None-Match": done.headers["ETag"]}).status_code == 304
    status, shown = post(deciding, "erin", "unit_steward", "atlas", person="", seen="x")
    assert status == 412
    assert "Somebody else was named" in shown
    assert Unit.objects.get(slug="atlas").steward == deciding.bob
