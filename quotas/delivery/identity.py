"""A project in its identity service: made once, known by our tag, and asked after before use."""

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from quotas.actions.targets import wake_targets
from quotas.backends.base import IdentityProject
from quotas.models import ProjectHandle, Target
from quotas.states import TargetState

from . import drift
from .calling import calling
from .clouds import identity_driver
from .leases import Lease
from .outcomes import Refusal


def ensure_project(lease: Lease) -> bool:
    """The project exists once, with our tag, and its handle is known."""
    project, endpoint = lease.target.project, lease.target.endpoint
    driver = identity_driver(endpoint)
    handle = ProjectHandle.objects.filter(project=project, identity=endpoint).first()
    stood = drift.standing(lease.target)
    found: IdentityProject | None
    with calling(endpoint):
        if handle is None:
            found = driver.ensure(
                name=project.name, description=project.description, tag=project.tag,
                timeout=lease.timeout(),
            )  # fmt: skip
        else:
            found = driver.get(handle.external_id, timeout=lease.timeout())
    drift.note_project(stood, found)
    # What was found by its tag may be disabled, too.
    found = living(found, handle.external_id if handle else "")
    if handle is None:
        _keep_handle(lease.target, found)
    Target.objects.filter(pk=lease.target.pk).update(observed_at=Now())
    return True


def _keep_handle(target: Target, found: IdentityProject) -> None:
    with transaction.atomic():
        ProjectHandle.objects.get_or_create(
            project=target.project,
            identity=target.endpoint,
            defaults={"external_id": found.external_id, "created_at": timezone.now()},
        )
        wake_targets(_siblings(target))


def _siblings(target: Target) -> list[Target]:
    """The targets of the same project at the services of an identity endpoint."""
    identity = target.endpoint.identity or target.endpoint
    return list(
        Target.objects.filter(project=target.project, endpoint__identity=identity).exclude(
            pk=target.pk
        )
    )


def living(found: IdentityProject | None, external_id: str) -> IdentityProject:
    """The project, or the refusal that says what happened to it."""
    if found is None:
        raise Refusal(
            "project_gone",
            f"The project {external_id} no longer exists in Keystone: it was deleted "
            "outside Remit.",
        )
    if not found.is_enabled:
        raise Refusal(
            "project_disabled",
            f"The project {external_id or found.external_id} was disabled in Keystone outside "
            "Remit.",
        )
    return found


def check_project(lease: Lease, handle: ProjectHandle) -> None:
    identity = handle.identity
    stood = drift.project_standing(lease.target.project, identity)
    with calling(identity):
        found = identity_driver(identity).get(handle.external_id, timeout=lease.timeout())
    drift.note_project(stood, found)
    try:
        living(found, handle.external_id)
    except Refusal:
        # The others must not stay applied either: they look for themselves.
        others = Target.objects.filter(project=lease.target.project).exclude(pk=lease.target.pk)
        wake_targets(list(others.filter(state=TargetState.APPLIED)))
        raise
