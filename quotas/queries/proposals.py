"""A project that is asked for: what it would be before it is stored, and what it waits for."""

from collections.abc import Mapping
from datetime import datetime

from projects.models import Group, GroupMembership, Project, Unit, User
from projects.states import ROLES_ABOVE_READER, ProjectState
from quotas.models import QuotaRequest

from .rehearsed import Ground

# No row has it: whatever is asked about a project that is not there finds nothing.
NOWHERE = 0
# What was so before it: no quota, no target, no decision.
NOTHING_BEFORE = Ground({}, {}, 0)


def project_to_be(unit: Unit, name: str = "") -> Project:
    """A project in that unit as previews ask about it; never stored."""
    return Project(pk=NOWHERE, name=name, unit=unit, state=ProjectState.PROPOSED)


def workers_of(
    users: Mapping[User, str], groups: Mapping[Group, str], now: datetime
) -> frozenset[int]:
    """Ids of all who would hold a role above reader, and so must not decide; a query at most."""
    people = {each.pk for each, role in users.items() if role in ROLES_ABOVE_READER}
    working = [each.pk for each, role in groups.items() if role in ROLES_ABOVE_READER]
    if working:
        members = GroupMembership.objects.live(now).filter(group__in=working)
        people.update(members.values_list("user", flat=True))
    return frozenset(people)


def proposal_of(project: Project) -> QuotaRequest | None:
    """The request by which a project was asked for; None: it was made otherwise."""
    if project.state not in (ProjectState.PROPOSED, ProjectState.DROPPED):
        return None
    return QuotaRequest.objects.filter(project=project).order_by("pk").first()
