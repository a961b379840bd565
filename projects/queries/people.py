"""Lists of people, for pages about them."""

from datetime import datetime

from django.db.models import Q

from projects.models import LOCAL_ISSUER, Group, GroupMembership, Membership, Project, User
from projects.queries.viewers import Viewer
from projects.states import ROLES_THAT_ASK

DEMO_MOST = 8
ASKERS_MOST = 200


def demo_people() -> list[User]:
    """The first local accounts that can sign in, for the sign-in page of a demo site."""
    accounts = User.objects.filter(issuer=LOCAL_ISSUER, is_active=True)
    has_none = {"password__startswith": "!"}
    return list(accounts.exclude(**has_none).order_by("pk")[:DEMO_MOST])


def askers_of(project: Project, now: datetime) -> list[User]:
    """Who may ask for a project, directly or through a group, by name; the first 200."""
    held = Membership.objects.live(now).filter(project=project, role__in=ROLES_THAT_ASK)
    in_groups = GroupMembership.objects.live(now).filter(group__in=held.values("group"))
    people = User.objects.filter(
        Q(pk__in=held.filter(user__isnull=False).values("user"))
        | Q(pk__in=in_groups.values("user")),
        is_active=True,
    )
    return list(people.order_by("name", "pk")[:ASKERS_MOST])


def groups_of(viewer: Viewer) -> list[Group]:
    """The groups that the person is in at the viewer's moment."""
    return list(Group.objects.filter(pk__in=viewer.group_ids).order_by("name"))
