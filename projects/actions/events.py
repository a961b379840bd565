"""Writing the append-only record. Every verb ends here, inside its transaction."""

from datetime import datetime
from typing import Any

from projects.models import Event, Project, Unit, User


def record(
    verb: str,
    *,
    actor: User | None,
    now: datetime,
    project: Project | None = None,
    unit: Unit | None = None,
    subject_kind: str = "",
    subject_id: int | None = None,
    **data: Any,
) -> Event:
    """Add one event. `data` holds ids and figures only, never a name or a mail address."""
    return Event.objects.create(
        verb=verb,
        actor=actor,
        token=actor.token if actor else None,
        at=now,
        project=project,
        unit=unit,
        subject_kind=subject_kind,
        subject_id=subject_id,
        data=data,
    )
