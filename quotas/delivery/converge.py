"""Making one target true: read, compare with the ledger of now, write what differs, read back.

Level-triggered: how often, in which order and by whom this is called does not matter.
No transaction is open during a call, and no call begins that could outlive the lease.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from quotas.actions.targets import wake_targets
from quotas.backends.base import Figure, IdentityProject
from quotas.backends.errors import BackendError, Kind
from quotas.backends.registry import UnknownDriver
from quotas.models import Endpoint, ProjectHandle, Target
from quotas.states import TargetState

from . import breaker, outcomes, readings
from .clouds import identity_driver, quota_driver
from .leases import Lease, LeaseOver, take
from .outcomes import Refusal
from .wanted import Wanted, compare, wanted_limits

logger = logging.getLogger(__name__)


def converge(target_id: int) -> None:
    """Work on a target if it is due and nobody else does; every end of it is in the row."""
    lease = take(target_id)
    if lease is None:
        return
    try:
        is_true = (
            _ensure_project(lease) if lease.target.endpoint.identity is None else _set_limits(lease)
        )
    except LeaseOver:
        outcomes.ran_out(lease)
    except Refusal as refusal:
        outcomes.refused(lease, refusal)
    except BackendError as error:
        outcomes.failed(lease, error)
    except UnknownDriver as error:
        outcomes.refused(lease, Refusal("configuration", str(error)))
    except Exception as error:
        # A mistake of ours must not hold the target for ever, nor hide.
        logger.exception("target could not be worked on", extra={"target": target_id})
        outcomes.failed(lease, BackendError(Kind.TRANSIENT, "internal", type(error).__name__))
    else:
        if is_true:
            outcomes.applied(lease)
        else:
            outcomes.wait(lease)


@contextmanager
def calling(endpoint: Endpoint) -> Iterator[None]:
    """Around a call: tells the endpoint's breaker whether somebody answered."""
    try:
        yield
    except BackendError as error:
        if error.kind is Kind.UNREACHABLE:
            breaker.silent(endpoint, error.words)
        elif error.http_status is not None:
            breaker.answered(endpoint)
        raise
    breaker.answered(endpoint)


def _ensure_project(lease: Lease) -> bool:
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
            found = _living(driver.get(handle.external_id, timeout=lease.timeout()), handle)
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


def _living(found: IdentityProject | None, handle: ProjectHandle) -> IdentityProject:
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


def _set_limits(lease: Lease) -> bool:
    """The project's limits at one service; False while its project is not there yet."""
    target = lease.target
    identity = target.endpoint.identity
    handle = ProjectHandle.objects.filter(project=target.project, identity=identity).first()
    if handle is None:
        return False
    # Read after the generation, so it is at least as new as what we call applied.
    wanted = wanted_limits(target)
    figures = _read(lease, handle, wanted)
    plan = compare(wanted, figures)
    if plan.write:
        figures = _write(lease, handle, wanted, plan.write)
        plan = compare(wanted, figures)
    if plan.write:
        raise outcomes.not_taken(plan, figures)
    if plan.below:
        raise outcomes.below_usage(plan)
    if plan.missing:
        raise outcomes.missing_keys(plan)
    return True


def _read(
    lease: Lease, handle: ProjectHandle, wanted: list[Wanted], written: dict[str, int] | None = None
) -> dict[str, Figure]:
    """The service's figures, for a project that Keystone says exists.

    Cinder and Neutron answer 200 for projects that are gone, so Keystone is asked first.
    """
    endpoint = lease.target.endpoint
    _check_project(lease, handle)
    read_at = timezone.now()
    with calling(endpoint):
        figures = quota_driver(endpoint).read(
            handle.external_id, [each.limit.key for each in wanted], timeout=lease.timeout()
        )
    readings.store(lease.target, figures, read_at=read_at, written=written)
    return figures


def _check_project(lease: Lease, handle: ProjectHandle) -> None:
    identity = handle.identity
    with calling(identity):
        found = identity_driver(identity).get(handle.external_id, timeout=lease.timeout())
    try:
        _living(found, handle)
    except Refusal:
        # The others must not stay applied either: they look for themselves.
        others = Target.objects.filter(project=lease.target.project).exclude(pk=lease.target.pk)
        wake_targets(list(others.filter(state=TargetState.APPLIED)))
        raise


def _write(
    lease: Lease, handle: ProjectHandle, wanted: list[Wanted], values: dict[str, int]
) -> dict[str, Figure]:
    """Write only what differs, then read back; the lease is checked right before."""
    endpoint = lease.target.endpoint
    with calling(endpoint):
        quota_driver(endpoint).write(handle.external_id, values, timeout=lease.timeout())
    return _read(lease, handle, wanted, written=values)
