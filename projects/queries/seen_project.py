"""One project as a person sees it: it, and their roles in it, by one statement."""

from typing import Any

from django.db.models import Q

from portal.lib.compiled import compiled
from portal.lib.lookups import is_of
from portal.lib.together import Part, Rows, Values
from projects.models import Membership, Project

from .viewers import SEE_PROJECTS, Viewer


def seen_project(viewer: Viewer, slug: str) -> tuple[Project, frozenset[str]] | None:
    """The project with its unit and the person's roles in it; None: it is not theirs to see.

    The same as `visible_projects` and `roles_in` say, of one project.
    """
    found, roles = _by_slug(
        slug=slug, user=viewer.user.pk, groups=sorted(viewer.group_ids), now=viewer.now
    )
    if not found:
        return None
    (project,) = found
    is_here = viewer.place is None or viewer.place.holds(project)
    held = frozenset(role for (role,) in roles) if is_here else frozenset()
    is_below = any(project.unit.path.startswith(each) for each in viewer.paths(*SEE_PROJECTS))
    return (project, held) if viewer.sees_everything or held or is_below else None


@compiled
def _by_slug(*, slug: Any, user: Any, groups: Any, now: Any) -> list[Part]:
    own = Q(user=user) | Q(is_of("group", groups))
    return [
        Rows(Project.objects.filter(slug=slug), ["unit"]),
        Values(
            Membership.objects.live(now).filter(own, project__slug=slug).order_by("pk"), ["role"]
        ),
    ]
