"""Writing the append-only record. Every verb ends here, inside its transaction."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ParamSpec

from projects.models import Event, Project, Unit, User

Given = ParamSpec("Given")


def event_of(
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
    """The event that `record` adds, for who adds it together with other rows.

    `data` holds ids and figures only, never a name or a mail address.
    """
    return Event(
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


def _adding(build: Callable[Given, Event]) -> Callable[Given, Event]:
    def record(*args: Given.args, **kwargs: Given.kwargs) -> Event:
        """Add one event, as `event_of` makes it."""
        event = build(*args, **kwargs)
        event.save(force_insert=True)
        return event

    return record


record = _adding(event_of)


def record_each(
    verb: str, *, now: datetime, subject_kind: str, subjects: Mapping[int, Project]
) -> None:
    """Add one event of the system itself for each subject: {its id: the project it is in}."""
    Event.objects.bulk_create(
        Event(verb=verb, at=now, project=project, subject_kind=subject_kind, subject_id=pk)
        for pk, project in subjects.items()
    )


def record_many(
    verb: str,
    *,
    now: datetime,
    subject_kind: str,
    facts: Mapping[int, Mapping[str, Any]],
    units: Mapping[int, Unit] | None = None,
    projects: Mapping[int, Project] | None = None,
    actors: Mapping[int, int] | None = None,
) -> list[Event]:
    """Add one event for each subject: {its id: its data}, in this order.

    units, projects: {id of a subject: what it is about}; actors: {id of a subject: id of who did
    it}; of others the system itself.
    """
    return Event.objects.bulk_create(
        Event(
            verb=verb,
            at=now,
            actor_id=actors.get(pk) if actors else None,
            unit=units[pk] if units else None,
            project=projects[pk] if projects else None,
            subject_kind=subject_kind,
            subject_id=pk,
            data=dict(data),
        )
        for pk, data in facts.items()
    )
