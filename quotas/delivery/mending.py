"""A project that was renamed or disabled outside, put right where somebody asked for it."""

from typing import Any

from quotas.actions.targets import services_behind, wake_targets
from quotas.backends.base import IdentityProject
from quotas.backends.errors import BackendError
from quotas.models import Drift, Target
from quotas.states import DriftKind

from .calling import calling
from .clouds import identity_driver
from .leases import Lease
from .outcomes import Refusal


def mend(lease: Lease, found: IdentityProject) -> IdentityProject:
    """The project as it is now: read back, where a restore was asked for and something differs.

    A disabled project without such a wish stays disabled, and a renamed one keeps its name:
    somebody may have meant it. Raises Refusal where the service does not take it.
    """
    wanted = _wanted(lease.target, found)
    if not wanted:
        return found
    endpoint = lease.target.endpoint
    driver = identity_driver(endpoint)
    try:
        with calling(endpoint, writing=True):
            driver.update(found.external_id, **wanted, timeout=lease.write_timeout())
    except BackendError as error:
        if error.code != "name_taken":
            raise
        raise Refusal(
            "rename_refused",
            f"The project {found.external_id} cannot be called {lease.target.project.name} again: "
            f"{error.words}",
        ) from error
    with calling(endpoint):
        after = driver.get(found.external_id, timeout=lease.timeout())
    if after is None:
        raise Refusal(
            "project_gone", f"The project {found.external_id} was deleted while it was restored."
        )
    if _wanted(lease.target, after):
        raise Refusal(
            "not_taken",
            "Keystone accepted the change and did not make it: the project "
            f"{after.external_id} is called {after.name} and is "
            f"{'enabled' if after.is_enabled else 'disabled'}.",
        )
    if not found.is_enabled:
        # Its services refused it; they look for themselves.
        wake_targets(list(services_behind(lease.target)))
    return after


def _wanted(target: Target, found: IdentityProject) -> dict[str, Any]:
    """What `update` is to be told: only what somebody asked for and is not so."""
    asked = set(
        Drift.objects.filter(
            target=target,
            ended_at__isnull=True,
            restore_asked_at__isnull=False,
            kind__in=[DriftKind.PROJECT_RENAMED, DriftKind.PROJECT_DISABLED],
        ).values_list("kind", flat=True)
    )
    wanted: dict[str, Any] = {}
    if DriftKind.PROJECT_RENAMED in asked and found.name != target.project.name:
        wanted["name"] = target.project.name
    if DriftKind.PROJECT_DISABLED in asked and not found.is_enabled:
        wanted["is_enabled"] = True
    return wanted
