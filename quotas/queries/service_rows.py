"""The services of a region as they stand for a project: their trouble, and when they were read."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from quotas.models import Endpoint, Reading, Target
from quotas.states import EndpointState, TargetState

# A project's trouble at an endpoint that its people are told about.
TROUBLED = (TargetState.RETRYING, TargetState.REFUSED, TargetState.SKIPPED)


@dataclass(frozen=True)
class ServiceRow:
    """One endpoint as it stands for a project."""

    endpoint: Endpoint
    target: Target | None
    read_at: datetime | None

    @property
    def is_silent(self) -> bool:
        return self.endpoint.state == EndpointState.UNREACHABLE

    @property
    def is_held(self) -> bool:
        """Paused or read-only by an operator."""
        return self.endpoint.state in (EndpointState.PAUSED, EndpointState.READ_ONLY)

    @property
    def is_troubled(self) -> bool:
        return self.target is not None and self.target.state in TROUBLED

    @property
    def has_notice(self) -> bool:
        return self.is_silent or self.is_held or self.is_troubled


def services_of(
    project_ids: Sequence[int], readings: Iterable[Reading]
) -> dict[tuple[int, int], list[ServiceRow]]:
    """{(project id, region id): its services}; identity endpoints of no region are left out.

    readings: those of the projects.
    """
    newest = _newest(readings)
    found: dict[tuple[int, int], list[ServiceRow]] = defaultdict(list)
    targets = (
        Target.objects.filter(project__in=project_ids, endpoint__region__isnull=False)
        .select_related("endpoint__state_by", "endpoint__identity__state_by")
        .order_by("endpoint__slug")
    )
    for target in targets:
        key = (target.project_id, target.endpoint.region_id or 0)
        moments = [each for each in (target.observed_at, newest.get(target.pk)) if each]
        found[key].append(ServiceRow(target.endpoint, target, max(moments, default=None)))
    return dict(found)


def _newest(readings: Iterable[Reading]) -> dict[int, datetime]:
    """{target id: when anything of it was last read}."""
    found: dict[int, datetime] = {}
    for each in readings:
        found[each.target_id] = max(each.used_at, found.get(each.target_id, each.used_at))
    return found
