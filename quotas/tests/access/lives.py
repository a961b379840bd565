"""Calls about the life of projects and their people, at both doors, by the name of the URL."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from projects.models import Membership, Project, ProjectChange, ProjectHold
from projects.states import ChangeKind, ProjectState, Role
from quotas.actions.posting import Journal
from quotas.models import Account, Holder, Loan
from quotas.tests.access.case import Case
from quotas.tests.access.sending import Sample, get, nothing, post, slug
from quotas.tests.site import join

PROJECT = slug("atlas-reco")
Build = Callable[[Case], dict[str, Any]]


def that_is(state: ProjectState) -> Build:
    """The project, in that state."""

    def build(case: Case) -> dict[str, Any]:
        last = timezone.localdate() + timedelta(days=5)
        closes_on = last if state == ProjectState.CLOSING else None
        Project.objects.filter(slug="atlas-reco").update(state=state, closes_on=closes_on)
        return {"slug": "atlas-reco"}

    return build


def held(case: Case) -> dict[str, Any]:
    ProjectHold.objects.get_or_create(
        project=case.site.project, released_at=None,
        defaults={"reason": "tests", "made_by": case.site.otto, "made_at": timezone.now()},
    )  # fmt: skip
    return {"slug": "atlas-reco"}


def with_another_owner(case: Case) -> dict[str, Any]:
    if not Membership.objects.filter(user=case.site.erin, project=case.site.project).exists():
        join(case.site.project, case.site.erin, Role.OWNER, timezone.now() - timedelta(hours=1))
    return {"slug": "atlas-reco"}


def a_change(case: Case) -> dict[str, Any]:
    """That Alice asked for: to last for three years."""
    made, __ = ProjectChange.objects.get_or_create(
        project=case.site.project, kind=ChangeKind.EXTEND, state="open",
        defaults={
            "asked_by": case.site.alice, "created_at": timezone.now(),
            "until_on": timezone.localdate() + timedelta(days=1000),
        },
    )  # fmt: skip
    return {"pk": made.pk}


def bobs_role(case: Case) -> dict[str, Any]:
    role = Membership.objects.get(user=case.site.bob, project=case.site.project)
    return {"slug": "atlas-reco", "pk": role.pk}


def of_loan(case: Case) -> dict[str, Any]:
    """Ten vCPU that Dana granted until a day."""
    found = Loan.objects.filter(account__project=case.site.project).first()
    if found is None:
        source = Account.objects.get(offering=case.site.vcpu, unit__slug="atlas")
        account, __ = Account.objects.get_or_create(
            offering=case.site.vcpu, project=case.site.project, holder=Holder.PROJECT
        )
        now = timezone.now()
        journal = Journal(actor=case.site.dana, now=now)
        journal.increase(
            line=None, account=account, source=source, amount=10, ends_at=now + timedelta(days=9)
        )
        journal.write()
        found = journal.opened[0]
    return {"slug": "atlas-reco", "pk": found.pk}


def seen(case: Case) -> dict[str, Any]:
    return {"seen": 10, "reason": "tests"}


def extended(case: Case) -> dict[str, Any]:
    return seen(case) | until(case)


def key_of(name: str) -> Callable[[Case], str]:
    return lambda case: f"person:{case.site.people[name].public_id}"


def until(case: Case) -> dict[str, Any]:
    return {"until_on": str(timezone.localdate() + timedelta(days=100))}


def answer(case: Case) -> dict[str, Any]:
    return {"answer": "tests", "version": 1}


def why(case: Case) -> dict[str, Any]:
    return {"reason": "tests"}


def kept(case: Case) -> dict[str, Any]:
    return {"ends_on": until(case)["until_on"]}


def into_it(case: Case) -> dict[str, Any]:
    return {"unit": "it"}


def _delete(kwargs: Build) -> Sample:
    return Sample(kwargs, "DELETE")


LIVES: dict[str, list[Sample]] = {
    # Pages
    "unit_steward": [
        get(slug("atlas")),
        get(slug("atlas"), "?q=erin"),
        post(slug("atlas"), lambda case: {"person": key_of("erin")(case)}),
    ],
    "api_unit_steward": [
        Sample(slug("atlas"), "PUT", lambda case: {"person": str(case.site.erin.public_id)}),
        Sample(slug("atlas"), row="catalogue"),
    ],
    "loan_list": [get(PROJECT)],
    "loan_extend": [post(of_loan, extended)],
    "loan_keep": [post(of_loan, seen)],
    "loan_ask": [post(of_loan, until)],
    "api_loan_ask": [post(of_loan, until)],
    "api_loan_extend": [post(of_loan, extended)],
    "api_loan_keep": [post(of_loan, seen)],
    "project_people": [get(PROJECT), get(PROJECT, "?q=erin")],
    "member_set": [
        post(
            PROJECT,
            lambda case: {"holder": key_of("bob")(case), "role": "reader", "seen": "member"},
        ),
    ],
    "member_remove": [
        post(PROJECT, lambda case: {"holder": key_of("bob")(case), "seen": "member"}),
    ],
    "project_leave": [post(with_another_owner)],
    "project_offer": [post(PROJECT, lambda case: {"holder": key_of("erin")(case)})],
    "project_life": [get(PROJECT), get(PROJECT, "?unit=it")],
    "project_extend": [post(PROJECT, until)],
    "project_move": [post(PROJECT, into_it)],
    "project_suspend": [post(PROJECT, why)],
    "project_resume": [post(that_is(ProjectState.SUSPENDED), why)],
    "project_close": [post(PROJECT, why)],
    "project_keep": [post(that_is(ProjectState.CLOSING), kept)],
    "project_hold": [post(PROJECT, why)],
    "project_release": [post(held)],
    "change_list": [get()],
    "change_detail": [get(a_change)],
    "change_accept": [post(a_change, answer)],
    "change_decline": [post(a_change, answer)],
    "change_withdraw": [post(a_change, answer)],
    # API
    "api_members": [
        get(PROJECT),
        post(
            PROJECT,
            lambda case: {"person": str(case.site.bob.public_id), "role": "reader"},
            row="ask",
        ),
    ],
    "api_member": [_delete(bobs_role)],
    "api_project_leave": [post(with_another_owner)],
    "api_project_life": [get(PROJECT)],
    "api_project_acts": [get(PROJECT)],
    "api_project_timeline": [get(PROJECT)],
    "api_project_missing": [get(PROJECT)],
    "api_project_extend": [post(PROJECT, until)],
    "api_project_move": [post(PROJECT, into_it)],
    "api_project_offer": [
        post(PROJECT, lambda case: {"person": str(case.site.erin.public_id)}),
    ],
    "api_project_suspend": [post(PROJECT, why)],
    "api_project_resume": [post(that_is(ProjectState.SUSPENDED), why)],
    "api_project_close": [post(PROJECT, why)],
    "api_project_keep": [post(that_is(ProjectState.CLOSING), kept)],
    "api_project_hold": [post(PROJECT, why)],
    "api_project_release": [post(held, nothing)],
    "api_changes": [get(), get(query="?mine=true")],
    "api_change": [get(a_change)],
    "api_change_accept": [post(a_change, answer)],
    "api_change_decline": [post(a_change, answer)],
    "api_change_withdraw": [post(a_change, lambda case: {"version": 1})],
}
