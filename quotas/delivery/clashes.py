"""Telling a project's owners and managers, once for each name, that a cloud has it already."""

from django.db.models import Q
from django.utils import timezone

from projects.actions.events import record
from projects.models import Event, GroupMembership, Membership, ProjectAct, in_force
from projects.outgoing.notices import tell
from projects.states import ROLES_THAT_ASK, NoticeKind, ProjectActKind
from quotas.models import Target

NAMING = (ProjectActKind.PROPOSE, ProjectActKind.RENAME)


def tell_clash(target: Target) -> None:
    """They can rename it, as long as they asked for the project here; operators see it anyway."""
    project = target.project
    named = ProjectAct.objects.filter(project=project, kind__in=NAMING).order_by("-pk").first()
    if named is None:
        return
    told = Event.objects.filter(verb="name taken", project=project, data__act=named.pk)
    if told.exists():
        return
    now = timezone.now()
    event = record(
        "name taken", actor=None, now=now, project=project, unit=project.unit,
        subject_kind="project", subject_id=project.pk, act=named.pk,
        endpoint=target.endpoint.slug,
    )  # fmt: skip
    asking = Membership.objects.filter(in_force(now), project=project, role__in=ROLES_THAT_ASK)
    through = GroupMembership.objects.filter(
        in_force(now), Q(group__in=asking.filter(group__isnull=False).values("group"))
    )
    people = {*asking.filter(user__isnull=False).values_list("user", flat=True)}
    if not people:
        people = set(through.values_list("user", flat=True)[:100])
    tell(event, people, NoticeKind.NAME_TAKEN)
