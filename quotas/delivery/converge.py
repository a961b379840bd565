"""Making one target true: read, compare with the ledger of now, write what differs, read back.

Level-triggered: how often, in which order and by whom this is called does not matter.
No transaction is open during a call, and no call begins that could outlive the lease.
"""

import logging

from django.utils import timezone

from quotas.backends.base import Figure
from quotas.backends.errors import BackendError, Kind
from quotas.backends.registry import UnknownDriver
from quotas.models import ProjectHandle

from . import drift, outcomes, readings
from .calling import calling
from .clouds import quota_driver
from .identity import check_project, ensure_project
from .leases import Lease, LeaseLost, LeaseOver, take
from .outcomes import Refusal
from .permits import Busy
from .wanted import Wanted, compare, wanted_limits

logger = logging.getLogger(__name__)


def converge(target_id: int) -> None:
    """Work on a target if it is due and nobody else does."""
    lease = take(target_id)
    if lease is not None:
        work(lease)


def work(lease: Lease) -> None:
    """Make the leased target true; every end of it is in the row."""
    target_id = lease.target.pk
    try:
        left_out = (
            _ensure_project(lease) if lease.target.endpoint.identity is None else _set_limits(lease)
        )
    except LeaseOver:
        outcomes.ran_out(lease)
    except LeaseLost:
        outcomes.lost(lease)
    except Busy as busy:
        outcomes.busy(lease, busy)
    except Refusal as refusal:
        outcomes.refused(lease, refusal)
    except BackendError as error:
        outcomes.failed(lease, error)
    except UnknownDriver as error:
        outcomes.refused(lease, Refusal("configuration", str(error)))
    except Exception as error:
        # A mistake of ours must not hold the target for ever, nor hide, nor what it wrote.
        logger.exception("target could not be worked on", extra={"target": target_id})
        name, uncertain = type(error).__name__, lease.has_written
        outcomes.failed(lease, BackendError(Kind.TRANSIENT, "internal", name, uncertain=uncertain))
    else:
        if left_out is None:
            outcomes.wait(lease)
        else:
            outcomes.applied(lease, left_out)


def _ensure_project(lease: Lease) -> set[int] | None:
    return set() if ensure_project(lease) else None


def _set_limits(lease: Lease) -> set[int] | None:
    """The project's limits at one service; None while its project is not there yet.

    Returns the ids of the limits that are left out, as the service lacks them.
    """
    target = lease.target
    identity = target.endpoint.identity
    handle = ProjectHandle.objects.filter(project=target.project, identity=identity).first()
    if handle is None:
        return None
    # Read after the generation, so it is at least as new as what we call applied.
    wanted = wanted_limits(target)
    stood = drift.standing(target)
    figures = _read(lease, handle, wanted)
    plan = compare(wanted, figures)
    if plan.write:
        figures = _write(lease, handle, wanted, plan.write)
        plan = compare(wanted, figures)
    # Not before the write: what it puts right at once is no news.
    drift.note_limits(stood, wanted, figures)
    if plan.write:
        raise outcomes.not_taken(plan, figures)
    if plan.below:
        raise outcomes.below_usage(plan)
    if plan.above:
        raise outcomes.above_maximum(plan)
    if plan.missing:
        raise outcomes.missing_keys(plan)
    return plan.left_out


def _read(
    lease: Lease, handle: ProjectHandle, wanted: list[Wanted], written: dict[str, int] | None = None
) -> dict[str, Figure]:
    """The service's figures, for a project that Keystone says exists.

    Cinder and Neutron answer 200 for projects that are gone, so Keystone is asked first.
    """
    endpoint = lease.target.endpoint
    check_project(lease, handle)
    with calling(endpoint):
        read_at = timezone.now()
        figures = quota_driver(endpoint).read(
            handle.external_id, [each.limit.key for each in wanted], timeout=lease.timeout()
        )
    readings.store(lease.target, figures, read_at=read_at, written=written)
    return figures


def _write(
    lease: Lease, handle: ProjectHandle, wanted: list[Wanted], values: dict[str, int]
) -> dict[str, Figure]:
    """Write only what differs, then read back; the lease is checked right before."""
    endpoint = lease.target.endpoint
    with calling(endpoint, writing=True):
        quota_driver(endpoint).write(handle.external_id, values, timeout=lease.write_timeout())
    return _read(lease, handle, wanted, written=values)
