"""What a wish for a project is judged by, read in one statement once the project is locked."""

from typing import Any

from django.db.models import F, Q

from portal.lib.compiled import Answers, compiled
from portal.lib.lookups import IsAnyOf
from portal.lib.together import Part, Values
from projects.models import Holiday, Membership, Project, ancestor_paths
from projects.queries.viewers import Place, Viewer
from quotas.models import Account, RequestLine
from quotas.states import PENDING

from .ask import offerings_named
from .policies import rules_part


def asked_of(project: Project, viewer: Viewer, slugs: list[str]) -> Answers:
    """Roles of the viewer, quotas, pending offerings, holidays, rules, offerings of the slugs."""
    return _asked_of(
        viewer.place, user=viewer.user.pk, groups=sorted(viewer.group_ids), project=project.pk,
        paths=ancestor_paths(project.unit.path), slugs=slugs, now=viewer.now,
    )  # fmt: skip


@compiled
def _asked_of(
    place: Place | None, /, *, user: Any, groups: Any, project: Any, paths: Any, slugs: Any,
    now: Any,
) -> list[Part]:  # fmt: skip
    own = Q(user=user) | Q(IsAnyOf(F("group"), groups))
    here = Q() if place is None else place.projects("project__")
    held = Membership.objects.live(now).filter(own, here, project=project)
    pending = RequestLine.objects.filter(project=project, state__in=PENDING)
    return [
        Values(held, ["role"]),
        Values(Account.objects.filter(project=project), ["offering", "balance"]),
        Values(pending.order_by(), ["offering"]),
        Values(Holiday.objects.all(), ["on"]),
        rules_part(paths),
        offerings_named(slugs),
    ]
