"""A project in its identity service: made once, known by our tag, and asked after before use."""

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from quotas.actions.targets import wake_targets
from quotas.backends.base import IdentityProject
from quotas.models import ProjectHandle, Target
from quotas.states import TargetState

from .calling import calling
from .clouds import identity_driver
from .leases import Lease
from .outcomes import Refusal


def ensure_project(lease: Lease) -> bool:
    """The project exists once, with our tag, and its handle is known."""
    project, endpoint = lease.target.project, lease.target.endpoint
    driver = identity_driver(endpoint)
    handle = ProjectHandle.objects.filter(project=project, identity=endpoint).first()
    with calling(endpoint):
        if handle is None:
            found = driver.ensure(
                name=project.name, description=project.description, tag=project.tag,
                timeout=lease.timeout(),
            )  # fmt: skip
        else:
            found = living(driver.get(handle.external_id, timeout=lease.timeout()), handle)
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


def living(found: IdentityProject | None, handle: ProjectHandle) -> IdentityProject:
    """The project, or the refusal that says what happened to it."""
    if found is None:
        raise Refusal(
            "project_gone",
            f"The project {handle.external_id} no longer exists in Keystone: it was deleted "
            "outside Remit.",
        )
    if not found.is_enabled:
        raise Refusal(
            "project_disabled",
            f"The project {handle.external_id} was disabled in Keystone outside Remit.",
        )
    return found


def check_project(lease: Lease, handle: ProjectHandle) -> None:
    identity = handle.identity
    with calling(identity):
        found = identity_driver(identity).get(handle.external_id, timeout=lease.timeout())
    try:
        living(found, handle)
    except Refusal:
        # The others must not stay applied either: they look for themselves.
        others = Target.objects.filter(project=lease.target.project).exclude(pk=lease.target.pk)
        wake_targets(list(others.filter(state=TargetState.APPLIED)))
        raise
