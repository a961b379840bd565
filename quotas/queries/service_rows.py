"""The services of a region as they stand for a project: their trouble, and when they were read."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from quotas.models import Endpoint, Target
from quotas.states import EndpointState, TargetState

from .figure_reading import Told

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
    targets: Iterable[Target], readings: Iterable[Told]
) -> dict[tuple[int, int], list[ServiceRow]]:
    """{(project id, region id): its services}; identity endpoints of no region are left out.

    targets: with their endpoints, in the order of these; readings: those of the same projects.
    """
    newest: dict[int, datetime] = {}
    for each in readings:
        newest[each.target_id] = max(each.used_at, newest.get(each.target_id, each.used_at))
    found: dict[tuple[int, int], list[ServiceRow]] = defaultdict(list)
    for target in targets:
        if target.endpoint.region_id is not None:
            moments = [each for each in (target.observed_at, newest.get(target.pk)) if each]
            row = ServiceRow(target.endpoint, target, max(moments, default=None))
            found[target.project_id, target.endpoint.region_id].append(row)
    return dict(found)
