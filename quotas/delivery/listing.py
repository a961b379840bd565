"""The projects of an identity service as its list of all shows them: looked at a page at a time.

What is as it should be is dated. What is not is judged as a look at that one project is. One that
the list lacks is dated by nobody, so that it is looked at by itself before it is called missing:
it may lie in another domain.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest

from portal.lib.locks import lock_ids
from quotas.actions.targets import wake_targets
from quotas.backends.base import IdentityProject
from quotas.models import Drift, Endpoint, ProjectHandle, Target
from quotas.states import TargetState

from . import drift
from .names import listed_pages
from .observe import LOOKED_AT, needs_work


@dataclass(frozen=True)
class _Ours:
    """A project of ours, as it stood here before the list was asked for."""

    target: Target
    handle: ProjectHandle


def list_and_look(identity: Endpoint, moment: datetime) -> int:
    """Read the whole list and look at each project of ours in it; how many there are.

    moment: when the reading began, by the database's clock.
    """
    ours = _ours(identity)
    return sum(_look(page.projects, ours, moment) for page in listed_pages(identity, moment))


def _ours(identity: Endpoint) -> dict[str, _Ours]:
    """{external id: a project}, but for those that somebody works on."""
    rows = Target.objects.filter(endpoint=identity, state__in=LOOKED_AT)
    targets = {each.project_id: each for each in rows.select_related("project", "endpoint")}
    return {
        handle.external_id: _Ours(targets[handle.project_id], handle)
        for handle in ProjectHandle.objects.filter(identity=identity)
        if handle.project_id in targets
    }


def _look(listed: Collection[IdentityProject], ours: Mapping[str, _Ours], moment: datetime) -> int:
    found = [(ours[each.external_id], each) for each in listed if each.external_id in ours]
    troubled = set(
        Drift.objects.filter(
            target__in=[each.target.pk for each, _seen in found], ended_at__isnull=True
        ).values_list("target", flat=True)
    )
    for each, seen in found:
        is_refused = each.target.state == TargetState.REFUSED
        if is_refused or each.target.pk in troubled or _is_other(each, seen):
            _judge(each, seen)
    _date([each.target.pk for each, _seen in found], moment)
    enabled = [each.handle.pk for each, seen in found if seen.is_enabled]
    ProjectHandle.objects.filter(pk__in=enabled).update(listed_at=moment)
    return len(found)


def _is_other(each: _Ours, seen: IdentityProject) -> bool:
    project = each.target.project
    return (seen.name, seen.description, seen.is_enabled) != (
        project.name, project.description, project.is_open,
    )  # fmt: skip


def _judge(each: _Ours, seen: IdentityProject) -> None:
    drift.note_project(drift.stood(each.target, {}), seen)
    if needs_work(each.target, each.handle, seen):
        wake_targets([each.target], only_in=[TargetState(each.target.state)])


def _date(target_ids: Collection[int], moment: datetime) -> None:
    with transaction.atomic():
        held = lock_ids(Target.objects.filter(pk__in=target_ids))
        Target.objects.filter(pk__in=held).update(observed_at=Greatest(F("observed_at"), moment))
        # Not one that somebody asked to have looked at since: null.
        Target.objects.filter(pk__in=held, looked_at__lt=moment).update(
            looked_at=moment, look_error_code="", look_error_words=""
        )
