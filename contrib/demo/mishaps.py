"""The two things that operators of the demo find amiss, made as they come about in life.

A limit that somebody changed by hand after it was applied, and one that cannot shrink yet, as
more is in use than was left.
"""

from dataclasses import dataclass

from quotas.delivery.clouds import quota_driver
from quotas.delivery.converge import converge
from quotas.delivery.observe import observe
from quotas.models import Delivery, Endpoint, ProjectHandle, Target
from quotas.states import TargetState

CALL_SECONDS = 10.0


@dataclass(frozen=True)
class Limits:
    """What a service says of a project, in its own units."""

    project: str
    endpoint: str
    values: dict[str, int]


# Before 3 TiB of it were given back; see history.py, and usage.py for what is still in use.
BEFORE = Limits("it-gitlab", "cinder-geneva", {"gigabytes": 12288, "gigabytes_storage-a": 12288})
BY_HAND = Limits("atlas-dq", "nova-geneva", {"cores": 64})


def keep_former_limits() -> None:
    """The limits of before, which no worker can lower yet.

    Raises BackendError, and ValueError where the sandbox has no such project.
    """
    _apply(BEFORE.project, "keystone")
    _write(BEFORE)
    held = Delivery.objects.filter(
        target__project__slug=BEFORE.project, target__endpoint__slug=BEFORE.endpoint
    )
    last = held.latest("decision_line__decision__at").decision_line.decision
    # All but the last word was true for long: no request of then is still under way.
    for each in held.exclude(decision_line__decision=last).select_related(
        "decision_line__decision"
    ):
        each.applied_at = each.decision_line.decision.at
        each.save(update_fields=["applied_at"])


def change_by_hand() -> None:
    """Apply what was granted, as a worker does, change it behind its back, and look again.

    Raises BackendError, and ValueError where the sandbox did not take what was granted.
    """
    _apply(BY_HAND.project, "keystone")
    target = _apply(BY_HAND.project, BY_HAND.endpoint)
    _write(BY_HAND)
    Target.objects.filter(pk=target.pk).update(looked_at=None)
    observe(target.pk)


def _apply(project: str, endpoint: str) -> Target:
    rows = Target.objects.select_related("endpoint")
    target = rows.get(project__slug=project, endpoint__slug=endpoint)
    converge(target.pk)
    target.refresh_from_db(fields=["state", "error_words"])
    if target.state != TargetState.APPLIED:
        raise ValueError(f"{project} is {target.state} at {endpoint}: {target.error_words}")
    return target


def _write(limits: Limits) -> None:
    endpoint = Endpoint.objects.get(slug=limits.endpoint)
    handle = ProjectHandle.objects.get(project__slug=limits.project, identity=endpoint.identity_id)
    driver = quota_driver(endpoint)
    driver.write(handle.external_id, limits.values, timeout=CALL_SECONDS)
