"""The tables that answer: who?"""

from .delegations import Delegation
from .events import Event
from .outgoing import Notice
from .people import LOCAL_ISSUER, Group, GroupMembership, User, in_force
from .projects import TAG_PREFIX, Membership, Project, ProjectKind, ProjectPlacement
from .units import Holiday, Unit, UnitPlacement, ancestor_paths

__all__ = [
    "LOCAL_ISSUER",
    "TAG_PREFIX",
    "Delegation",
    "Event",
    "Group",
    "GroupMembership",
    "Holiday",
    "Membership",
    "Notice",
    "Project",
    "ProjectKind",
    "ProjectPlacement",
    "Unit",
    "UnitPlacement",
    "User",
    "ancestor_paths",
    "in_force",
]
