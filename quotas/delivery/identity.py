"""A project in its identity service: made once, known by our tag, and asked after before use.

Never two: the tag is in the call that creates, and a name is unique in its domain. So when a
killed worker's call arrives after another found nothing, whichever comes second is refused,
finds the first by its tag, and uses it. Only a `domain_id` changed in between leaves two with
our tag, or a rename outside in the moment between looking and making; when they are looked for
next they are refused by their ids, and somebody chooses.
"""

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from portal.lib.locks import lock
from projects.states import ProjectState
from quotas.actions.targets import services_behind, wake_targets
from quotas.backends.base import IdentityProject
from quotas.backends.errors import BackendError
from quotas.models import ProjectHandle, Target
from quotas.states import TargetState

from . import drift
from .adopting import adopt, drop_handle, is_ours, refuse_name
from .calling import calling
from .closing import finish
from .clouds import identity_driver
from .differences import is_disabled_outside
from .leases import Lease, LeaseLost
from .mending import mend
from .outcomes import Refusal
from .roles import keep_roles


def ensure_project(lease: Lease) -> bool:
    """The project exists once, with our tag, is what it is to be, and its people have roles.

    Services wait for the handle alone: a role that cannot be granted refuses this target and
    holds up no other; nor does a name that cannot be changed hold up a role.
    """
    if lease.target.project.state == ProjectState.CLOSED:
        return finish(lease)
    stood = drift.held_project(lease)
    handle = ProjectHandle.objects.filter(
        project=lease.target.project, identity=lease.target.endpoint
    ).first()
    found: IdentityProject | None
    if handle is not None:
        found = _look(lease, handle)
        if found is None and lease.target.recreate_external_id == handle.external_id:
            drop_handle(lease, handle)
            handle = None
        elif lease.target.recreate_external_id:
            # Whatever was deleted, what is there now is not.
            Target.objects.filter(pk=lease.target.pk).update(recreate_external_id="")
    if handle is None:
        found = _find_or_make(lease)
        handle = _keep_handle(lease, found)
    drift.note_project(stood, found)
    trouble: Refusal | None = None
    if found is not None:
        mended = mend(lease, handle, found)
        trouble = mended.trouble
        if mended.project != found:
            found = mended.project
            drift.note_project(stood, found)
    living(found, handle)
    Target.objects.filter(pk=lease.target.pk).update(observed_at=Now())
    keep_roles(lease, handle)
    if trouble is not None:
        raise trouble
    return True


def _look(lease: Lease, handle: ProjectHandle) -> IdentityProject | None:
    endpoint = lease.target.endpoint
    with calling(endpoint):
        return identity_driver(endpoint).get(handle.external_id, timeout=lease.timeout())


def _find_or_make(lease: Lease) -> IdentityProject:
    project, endpoint = lease.target.project, lease.target.endpoint
    if lease.target.adopt_external_id:
        return adopt(lease)
    try:
        with calling(endpoint, writing=True):
            return identity_driver(endpoint).ensure(
                name=project.name, description=project.description, tag=project.tag,
                is_enabled=project.is_open, timeout=lease.write_timeout(),
            )  # fmt: skip
    except BackendError as error:
        if error.code == "name_taken":
            refuse_name(lease, error)
        raise


def _keep_handle(lease: Lease, found: IdentityProject) -> ProjectHandle:
    """Store what was found, if the lease is still ours; services go on from here.

    Raises LeaseLost: what a worker found that was asleep since may be gone by now.
    """
    target = lease.target
    with transaction.atomic():
        held = Target.objects.filter(pk=target.pk)
        services = services_behind(target)
        lock(held | services)
        if not is_ours(lease):
            raise LeaseLost
        others = ProjectHandle.objects.filter(
            identity=target.endpoint, external_id=found.external_id
        ).exclude(project=target.project)
        if others.exists():
            raise Refusal(
                "tag_twice",
                f"The project {found.external_id} in Keystone is another of our projects already.",
            )
        handle, _made = ProjectHandle.objects.get_or_create(
            project=target.project,
            identity=target.endpoint,
            defaults={
                "external_id": found.external_id,
                "told_name": target.project.name,
                "told_description": target.project.description,
                "disabled_at": None if target.project.is_open else timezone.now(),
                "created_at": timezone.now(),
            },
        )
        held.update(adopt_external_id="", recreate_external_id="", name_taken_by={})
        wake_targets(list(services))
    return handle


def living(found: IdentityProject | None, handle: ProjectHandle) -> IdentityProject:
    """The project, or the refusal that says what others did to it.

    One that is disabled by us is none: its limits are kept true while it is emptied.
    """
    external_id = handle.external_id
    if found is None:
        raise Refusal(
            "project_gone",
            f"The project {external_id} no longer exists in Keystone: it was deleted "
            "outside Remit.",
        )
    if not found.is_enabled and _was_disabled_outside(handle):
        raise Refusal(
            "project_disabled",
            f"The project {external_id} was disabled in Keystone outside Remit.",
        )
    return found


def _was_disabled_outside(handle: ProjectHandle) -> bool:
    """As it stands now: somebody may have suspended it since the handle was read."""
    now = ProjectHandle.objects.select_related("project").filter(pk=handle.pk).first()
    return now is None or is_disabled_outside(now.project, now)


def check_project(lease: Lease, handle: ProjectHandle, stood: drift.Standing | None) -> None:
    """The project is there and can be used, says its identity service. Raises Refusal.

    lease: of a target at a service; stood: how the project stood before its handle was read,
    so that what is said of one that was replaced since is no news of the new one.
    """
    identity = lease.target.endpoint.identity
    if identity is None:  # pragma: no cover - only services ask
        raise AssertionError("not a service's target")
    with calling(identity):
        found = identity_driver(identity).get(handle.external_id, timeout=lease.timeout())
    drift.note_project(stood, found)
    try:
        living(found, handle)
    except Refusal:
        # The others must not stay applied either: they look for themselves.
        others = Target.objects.filter(project=lease.target.project).exclude(pk=lease.target.pk)
        wake_targets(list(others.filter(state=TargetState.APPLIED)))
        raise
