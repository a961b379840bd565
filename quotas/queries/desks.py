"""What a wish for a project is judged by, read in one statement once the project is locked."""

from datetime import datetime
from typing import Any

from django.db.models import Q

from portal.lib.compiled import Answers, compiled
from portal.lib.together import Part, Values
from projects.models import (
    GroupMembership,
    Holiday,
    Membership,
    Project,
    User,
    ancestor_paths,
)
from projects.queries.viewers import Place, standing_parts
from projects.states import Power
from quotas.models import Account, RequestLine
from quotas.states import PENDING

from .ask import offerings_named
from .authority import over_parts
from .policies import rules_part


def asked_of(project: Project, user: User, now: datetime, slugs: list[str]) -> Answers:
    """Groups and delegations of who asks, as `Viewer.standing` takes them; their roles, quotas,
    pending offerings, holidays, rules, offerings of the slugs; and where there are slugs, what
    `mandates_from_over` takes of who decides there.
    """
    place = Place.of(user)
    # Not the place itself: each service account would have a statement of its own.
    is_here = place is None or place.holds(project)
    return _asked_of(
        is_here, bool(slugs), user=user.pk, project=project.pk,
        paths=ancestor_paths(project.unit.path), slugs=slugs, now=now,
    )  # fmt: skip


@compiled
def _asked_of(
    is_here: bool, has_slugs: bool, /, *, user: Any, project: Any, paths: Any, slugs: Any,
    now: Any,
) -> list[Part]:  # fmt: skip
    groups = GroupMembership.objects.live(now).filter(user=user).values("group")
    own = Q(user=user) | Q(group__in=groups)
    held = Membership.objects.live(now).filter(own, project=project)
    pending = RequestLine.objects.filter(project=project, state__in=PENDING)
    return [
        *standing_parts(user=user, now=now),
        Values(held if is_here else held.none(), ["role"]),
        Values(Account.objects.filter(project=project), ["offering", "balance"]),
        Values(pending.order_by(), ["offering"]),
        Values(Holiday.objects.all(), ["on"]),
        rules_part(paths),
        offerings_named(slugs),
        *(over_parts(Power.DECIDE_QUOTA, paths=paths, now=now) if has_slugs else ()),
    ]
