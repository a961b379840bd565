"""Making one target true: read, compare with the ledger of now, write what differs, read back.

Level-triggered: how often, in which order and by whom this is called does not matter.
No transaction is open during a call, and no call begins that could outlive the lease.
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from projects.states import ProjectState
from quotas.backends.base import Figure
from quotas.backends.errors import BackendError, Kind
from quotas.backends.registry import UnknownDriver
from quotas.models import ProjectHandle

from . import drift, kept, outcomes, readings
from .calling import calling
from .clouds import quota_driver
from .handing import one_after_another
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
    attempt = _begin(lease)
    if attempt is None:
        # Of a closed project that was forgotten nothing is to be true any more.
        return set() if lease.target.project.state == ProjectState.CLOSED else None
    stood = drift.held(lease, attempt.wanted)
    with one_after_another():
        found = attempt.read()
        plan = compare(attempt.wanted, found.figures)
        sent = plan.write
        reading = _written(attempt, sent, stood, found) if sent else found
    attempt.store(reading, written=sent or None)
    figures = reading.figures
    if sent:
        plan = compare(attempt.wanted, figures)
        if others := _overwritten(plan.write, found.figures, figures):
            raise outcomes.overwritten(others, figures)
    # Not before the write: what it puts right at once is no news.
    drift.note_limits(stood, attempt.wanted, figures)
    kept.settle(stood, attempt.wanted, figures)
    if plan.write:
        raise outcomes.not_taken(plan, figures)
    if plan.below:
        raise outcomes.below_usage(plan)
    if plan.above:
        raise outcomes.above_maximum(plan)
    if plan.missing:
        raise outcomes.missing_keys(plan)
    if plan.public:
        raise outcomes.not_private(plan)
    return plan.left_out


def _written(
    attempt: "_Attempt", values: Mapping[str, int], stood: drift.Standing, before: "_Reading"
) -> "_Reading":
    """What is read back once these are written; where either fails, what was before is kept."""
    try:
        _write(attempt, values, stood, before.figures)
        return attempt.read()
    except (BackendError, Refusal, Busy, LeaseOver, LeaseLost):
        attempt.store(before)
        raise


def _write(
    attempt: "_Attempt",
    values: Mapping[str, int],
    stood: drift.Standing,
    before: Mapping[str, Figure],
) -> None:
    try:
        attempt.write(values)
    except BackendError as error:
        if not error.uncertain:
            # It is as it was read: nothing puts that right soon.
            drift.note_limits(stood, attempt.wanted, before)
        raise


def _overwritten(
    differing: Mapping[str, int], before: Mapping[str, Figure], after: Mapping[str, Figure]
) -> dict[str, int]:
    """Of the limits that differ after a write, those that are not what they were before either.

    Somebody else wrote there meanwhile, perhaps a former holder of the lease.
    """
    return {
        key: units
        for key, units in differing.items()
        if key in before and after[key].limit not in (None, before[key].limit)
    }


@dataclass(frozen=True)
class _Reading:
    """What a service said, {key: Figure}; began: when it was asked, by time.monotonic()."""

    figures: dict[str, Figure]
    began: float


@dataclass(frozen=True)
class _Attempt:
    """One try to make the limits of a project true.

    project_stood: see drift.project_standing; None where that is being worked on.
    """

    lease: Lease
    handle: ProjectHandle
    project_stood: drift.Standing | None
    wanted: list[Wanted]

    def read(self) -> _Reading:
        """The service's figures, for a project that Keystone says exists.

        Cinder and Neutron answer 200 for projects that are gone, so Keystone is asked first.
        """
        target = self.lease.target
        check_project(self.lease, self.handle, self.project_stood)
        with calling(target.endpoint):
            began = time.monotonic()
            figures = quota_driver(target.endpoint).read(
                self.handle.external_id,
                [each.limit.key for each in self.wanted],
                timeout=self.lease.timeout(),
            )
        return _Reading(figures, began)

    def store(self, reading: _Reading, written: Mapping[str, int] | None = None) -> None:
        """Keep what was read. What was before a write only where that, or reading back, fails."""
        limits = [each.limit for each in self.wanted]
        readings.store(
            self.lease.target, limits, reading.figures, began=reading.began, written=written
        )

    def write(self, values: Mapping[str, int]) -> None:
        """Write only these; the lease is checked right before."""
        lease, endpoint = self.lease, self.lease.target.endpoint
        with calling(endpoint, writing=True, lease=(lease.target.pk, lease.token)) as held:
            quota_driver(endpoint).write(
                self.handle.external_id, values, timeout=lease.write_timeout(held.left)
            )


def _begin(lease: Lease) -> _Attempt | None:
    """What an attempt needs to know; None while the project is not there yet."""
    target, identity = lease.target, lease.target.endpoint.identity
    if identity is None:  # pragma: no cover - see work
        raise AssertionError("an identity endpoint has no limits")
    project_stood, handle = drift.project_standing(target.project, identity)
    if handle is None:
        return None
    # Read after the generation, so it is at least as new as what we call applied.
    return _Attempt(lease, handle, project_stood, wanted_limits(target))
