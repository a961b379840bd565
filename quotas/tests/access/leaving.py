"""Calls about people who leave, projects without an owner and the directory, at both doors."""

from typing import Any

from django.utils import timezone

from projects.models import Absence, DirectoryRun, Membership, User
from projects.states import Role
from quotas.tests.access.case import Case
from quotas.tests.access.sending import Sample, get, nothing, post


def bob(case: Case) -> dict[str, Any]:
    return {"public_id": case.site.bob.public_id}


def who_left(case: Case) -> dict[str, Any]:
    """Hanna, who has left as the directory says."""
    hanna = User.objects.get(subject="hanna")
    now = timezone.now()
    User.objects.filter(pk=hanna.pk).update(is_active=False, left_at=now)
    Absence.objects.get_or_create(user=hanna, ends_at=None, defaults={"starts_at": now})
    return {"public_id": hanna.public_id}


def an_orphan(case: Case) -> dict[str, Any]:
    """The project, of which Alice is a member only."""
    owners = Membership.objects.filter(project=case.site.project, role=Role.OWNER)
    owners.update(role=Role.MEMBER)
    return {"slug": "atlas-reco"}


def with_an_orphan(case: Case) -> dict[str, Any]:
    an_orphan(case)
    return {}


def with_a_reading(case: Case) -> dict[str, Any]:
    """Of the directory; a part of it was not believed."""
    refused = [{"part": "people", "id": None, "gone": 10, "known": 12}]
    now = timezone.now()
    DirectoryRun.objects.create(
        started_at=now, ended_at=now, has_all_people=True, counts={"people": 2}, refused=refused
    )
    return {}


def because(case: Case) -> dict[str, Any]:
    return {"reason": "tests"}


def to_erin(case: Case) -> dict[str, Any]:
    erin = case.site.erin.public_id
    return {"holder": f"person:{erin}", "version": case.site.project.version}


LEAVING: dict[str, list[Sample]] = {
    # Pages
    "person_list": [get(), get(query="?q=bob")],
    "person_detail": [get(bob)],
    "person_leave": [get(bob), post(bob, because)],
    "person_return": [get(who_left), post(who_left)],
    "orphan_list": [get(with_an_orphan), get(query="?offered=no")],
    "orphan_offer": [
        get(an_orphan), get(an_orphan, "?q=erin"), post(an_orphan, to_erin),
    ],
    "directory_state": [get(with_a_reading)],
    # API
    "api_people": [get(), get(query="?name=bob&left=false")],
    "api_person": [get(bob)],
    "api_person_leaving": [get(bob)],
    "api_person_leave": [post(bob, because)],
    "api_person_return": [post(who_left, nothing)],
    "api_orphans": [get(with_an_orphan), get(query="?offered=false")],
    "api_orphan_offer": [
        post(an_orphan, lambda case: {"person": str(case.site.erin.public_id)}),
    ],
    "api_directory": [get(with_a_reading)],
    "api_directory_runs": [get(with_a_reading)],
}  # fmt: skip
