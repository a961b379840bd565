"""Telling a project's owners and managers, once for each name, that a cloud has it already."""

from django.utils import timezone

from projects.actions.events import record
from projects.models import Event, ProjectAct
from projects.outgoing.notices import tell_all_of
from projects.states import NoticeKind, ProjectActKind
from quotas.actions.calendar import managers_of
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
    tell_all_of(event, managers_of(project, now), NoticeKind.NAME_TAKEN)
