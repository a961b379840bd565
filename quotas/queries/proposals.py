"""A project that is asked for: what it would be before it is stored, and what it waits for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from projects.models import Group, GroupMembership, Membership, Project, Unit, User
from projects.queries.viewers import Viewer
from projects.states import ROLES_ABOVE_READER, ProjectState
from quotas.models import QuotaRequest, Target
from quotas.states import TargetState

from .project_pages import members_of
from .rehearsed import Ground
from .request_lists import waits_for

# Why a target of a project's identity is refused: another project has its name.
NAME_TAKEN = "name_taken"
# Asked for, and in no cloud.
NOT_OPENED = (ProjectState.PROPOSED, ProjectState.DROPPED)

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


@dataclass(frozen=True)
class Standing:
    """How a project stands that was asked for, or whose name a cloud refuses.

    request: the one that decides about it; people: who would work in it; waits_for: who decides;
    clashes: its targets where another project has the name; may_rename: by the viewer, now or
    as they ask once more.
    """

    request: QuotaRequest | None = None
    people: Sequence[Membership] = ()
    waits_for: Sequence[User | Group] = ()
    clashes: Sequence[Target] = ()
    may_rename: bool = False
    project: Project | None = None

    @property
    def again(self) -> str:
        """The query that fills the form with the same once more."""
        project = self.project
        if project is None:
            return ""
        told = {"name": project.name, "purpose": project.purpose, "unit": project.unit.slug}
        return urlencode(told | {"description": project.description})


def standing_of(
    viewer: Viewer, project: Project, *, may_ask: bool, targets: Iterable[Target] | None = None
) -> Standing | None:
    """None for a project that stands; project: with its unit.

    targets: all of the project, where they are at hand; else a query for one that stands.
    """
    if project.state in NOT_OPENED:
        rows = QuotaRequest.objects.filter(project=project).order_by("pk")
        asked = rows.select_related("requester").first()
        found = waits_for([asked], viewer).get(asked.pk, []) if asked else []
        people = members_of(project, viewer.now)
        return Standing(asked, people, found, may_rename=may_ask, project=project)
    refused = (clashes(project) if targets is None else clashing(targets)) if may_ask else []
    return Standing(clashes=refused, may_rename=True, project=project) if refused else None


def clashing(targets: Iterable[Target]) -> list[Target]:
    """`clashes` of all targets of a project."""
    found = [
        each
        for each in targets
        if each.state == TargetState.REFUSED and each.error_code == NAME_TAKEN
    ]
    return sorted(found, key=lambda each: each.pk)


def clashes(project: Project) -> list[Target]:
    """The project's targets at identity endpoints where another project has its name."""
    refused = Target.objects.filter(
        project=project, state=TargetState.REFUSED, error_code=NAME_TAKEN
    )
    return list(refused.select_related("endpoint").order_by("pk"))
