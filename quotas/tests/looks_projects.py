"""What pages about new projects are looked at with."""

from typing import Any

from django.utils import timezone

from projects.models import Project, Unit, User
from projects.states import ProjectState, Role
from quotas.actions.proposing import Proposal, propose
from quotas.actions.wishes import Wish
from quotas.models import Offering

NAME = "Higgs Reconstruction"


def a_proposed_project() -> dict[str, Any]:
    """One that Alice asks for, with Bob in it; made once."""
    found = Project.objects.filter(name=NAME, state=ProjectState.PROPOSED).first()
    return {"slug": (found or _proposed()).slug}


def a_proposal() -> dict[str, Any]:
    """The request that it waits for."""
    slug = a_proposed_project()["slug"]
    return {"number": Project.objects.get(slug=slug).quota_requests.latest("pk").pk}


def _proposed() -> Project:
    people = {each.subject: each for each in User.objects.filter(subject__in=("alice", "bob"))}
    vcpu = Offering.objects.filter(resource__slug="vcpu", retired_at__isnull=True).first()
    assert vcpu is not None
    proposal = Proposal(
        name=NAME, purpose="Reconstruction of the 2026 data, for the summer conferences.",
        description="Reconstruction, 2026", unit=Unit.objects.get(slug="atlas"),
        users={people["bob"]: Role.MANAGER},
    )  # fmt: skip
    wish = Wish({vcpu.slug: 16}, "Two workers to begin with")
    asked = propose(proposal=proposal, wish=wish, actor=people["alice"], now=timezone.now())
    return asked.project
