"""Which groups a person meets on the pages of what they may see."""

from django.db.models import Q, QuerySet

from portal.lib.lookups import is_among
from projects.models import Group, Membership

from .delegations import visible_delegations
from .viewers import Viewer, of_visible_projects


def visible_groups(viewer: Viewer) -> QuerySet[Group]:
    """One's own, and those with a role in a project or a delegation that one may see."""
    with_roles = Membership.objects.live(viewer.now).filter(
        of_visible_projects(viewer), group__isnull=False
    )
    delegates = visible_delegations(viewer).filter(group__isnull=False)
    named = with_roles.values("group").union(delegates.order_by().values("group"))
    own = Q(pk__in=viewer.group_ids if viewer.place is None else ())
    return Group.objects.filter(own | Q(is_among("pk", named)))
