"""Lists of people, for pages about them."""

from projects.models import LOCAL_ISSUER, Group, User
from projects.queries.viewers import Viewer

DEMO_MOST = 8


def demo_people() -> list[User]:
    """The first local accounts that can sign in, for the sign-in page of a demo site."""
    accounts = User.objects.filter(issuer=LOCAL_ISSUER, is_active=True)
    has_none = {"password__startswith": "!"}
    return list(accounts.exclude(**has_none).order_by("pk")[:DEMO_MOST])


def groups_of(viewer: Viewer) -> list[Group]:
    """The groups that the person is in at the viewer's moment."""
    return list(Group.objects.filter(pk__in=viewer.group_ids).order_by("name"))
