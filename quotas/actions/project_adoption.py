"""The verbs on a project's place in an identity service: adopt one, or have one made again.

Neither calls a cloud. Both leave a wish on the identity endpoint's target; a worker looks once
more, and carries it out only if what the person saw still is so.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, NotVisible, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import TAG_PREFIX, User
from projects.queries.viewers import Viewer
from projects.rules import may_operate
from quotas.models import Drift, ProjectHandle, Target
from quotas.states import DriftKind, TargetState

from .repairs import check_retry, held_viewer
from .targets import wake_targets

NAME_TAKEN = "name_taken"
GONE = "project_gone"


def adopt_project(*, target: Target, external_id: str, actor: User, now: datetime) -> Target:
    """Make the project that has the name ours: a worker puts our tag on it and goes on there.

    target: of an identity endpoint, refused as the name is taken; external_id: the project that
    the operator saw. Raises Forbidden, Conflict where nothing is to be adopted or it is
    another's, and Stale where another project has the name by now.
    """
    with transaction.atomic():
        if not may_operate(Viewer.of(actor, now)):
            raise Forbidden(_("Only operators can adopt a project."))
        found = _locked(target)
        if sentence := why_not_adopt(found):
            raise Conflict(sentence, target=found.pk)
        if external_id != found.name_taken_by["id"]:
            raise Stale(
                _("Another project has the name by now: %(id)s. Look at it once more.")
                % {"id": found.name_taken_by["id"]},
                external_id=found.name_taken_by["id"],
            )
        Target.objects.filter(pk=found.pk).update(adopt_external_id=external_id)
        wake_targets([found])
        _record("project_adopt", found, actor, now, external_id=external_id)
    return _again(found)


def why_not_adopt(target: Target) -> str:
    """Why nothing can be adopted at a target; empty where it can. No query where it is clear."""
    is_taken = target.state == TargetState.REFUSED and target.error_code == NAME_TAKEN
    if not is_taken or not target.name_taken_by:
        return _("No other project has the name at this service, as far as is known.")
    theirs = [tag for tag in target.name_taken_by["tags"] if tag.startswith(TAG_PREFIX)]
    external_id = target.name_taken_by["id"]
    held = ProjectHandle.objects.filter(identity=target.endpoint_id, external_id=external_id)
    if theirs or held.exists():
        return _("That project belongs to another Remit, or to another project of this one.")
    return ""


def recreate_project(*, target: Target, actor: User | None, now: datetime) -> Target:
    """Have a project that was deleted in the cloud made anew, once a worker saw that it is gone.

    target: of the project, at any service of the cloud. Returns that of the identity endpoint.
    actor: None where a site lets it happen by itself. Raises Forbidden with the zone that is
    not the person's, and Conflict where nothing says that the project is gone.
    """
    with transaction.atomic():
        identity = identity_target(target)
        if actor is not None:
            check_retry(held_viewer(actor, now), identity)
        found = _locked(identity)
        if sentence := why_not_recreate(found):
            raise Conflict(sentence, target=found.pk)
        if external_id := want_new_project(found):
            Drift.objects.filter(
                target=found,
                kind=DriftKind.PROJECT_MISSING,
                ended_at__isnull=True,
                restore_asked_at__isnull=True,
            ).update(
                restore_asked_at=now, restore_asked_by=actor, ignored_until=None, ignored_by=None,
                ignore_reason="",
            )  # fmt: skip
            _record("project_recreate", found, actor, now, external_id=external_id)
        wake_targets([found])
    return _again(found)


def want_new_project(target: Target) -> str:
    """Note the wish on an identity endpoint's target; the caller holds its lock and wakes it.

    The wish names the project that is gone, so that it never costs one that is there. Returns
    its id; empty where nobody need wish any more.
    """
    handle = _handle_of(target)
    if handle is None or target.recreate_external_id == handle.external_id:
        return ""
    Target.objects.filter(pk=target.pk).update(recreate_external_id=handle.external_id)
    return handle.external_id


def why_not_recreate(target: Target) -> str:
    """Why nothing is to be made anew at an identity endpoint's target; empty where it can.

    A worker was told that the project is gone, on its way to any service of that cloud, and
    has not read it since.
    """
    endpoint_id = target.endpoint_id
    told = Target.objects.filter(
        Q(endpoint=endpoint_id) | Q(endpoint__identity=endpoint_id),
        project=target.project_id,
        error_code=GONE,
    )
    missing = Drift.objects.filter(
        target=target, kind=DriftKind.PROJECT_MISSING, ended_at__isnull=True
    )
    if _handle_of(target) is not None and (told.exists() or missing.exists()):
        return ""
    return _("Nothing says that %(project)s is gone from %(name)s.") % {
        "project": target.project.name,
        "name": target.endpoint.name,
    }


def _handle_of(target: Target) -> ProjectHandle | None:
    return ProjectHandle.objects.filter(
        project=target.project_id, identity=target.endpoint_id
    ).first()


def identity_target(target: Target) -> Target:
    """The target of the same project at the identity endpoint, which may be itself."""
    rows = Target.objects.select_related("endpoint", "project__unit")
    identity = target.endpoint.identity_id or target.endpoint_id
    found = rows.filter(project=target.project_id, endpoint=identity).first()
    if found is None:
        raise NotVisible(_("There is no such target."))
    return found


def _locked(target: Target) -> Target:
    rows = Target.objects.filter(pk=target.pk).select_related("endpoint", "project__unit")
    return lock(rows)[0]


def _again(target: Target) -> Target:
    target.refresh_from_db()
    return target


def _record(verb: str, target: Target, actor: User | None, now: datetime, **data: Any) -> None:
    record(
        verb, actor=actor, now=now, project=target.project, subject_kind="target",
        subject_id=target.pk, endpoint=target.endpoint.slug, **data,
    )  # fmt: skip
