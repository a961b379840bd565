"""The tables that answer: who?"""

from .delegations import Delegation
from .events import Event
from .people import LOCAL_ISSUER, Group, GroupMembership, User, in_force
from .projects import TAG_PREFIX, Membership, Project, ProjectKind, ProjectPlacement
from .units import Unit, UnitPlacement, ancestor_paths

__all__ = [
    "LOCAL_ISSUER",
    "TAG_PREFIX",
    "Delegation",
    "Event",
    "Group",
    "GroupMembership",
    "Membership",
    "Project",
    "ProjectKind",
    "ProjectPlacement",
    "Unit",
    "UnitPlacement",
    "User",
    "ancestor_paths",
    "in_force",
]
