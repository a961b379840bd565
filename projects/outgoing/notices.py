"""Telling people of an act: rows of the outbox, written in the transaction of the act."""

from collections.abc import Iterable

from projects.models import Event, Notice
from projects.states import NoticeKind


def tell(event: Event, people: Iterable[int], kind: NoticeKind) -> None:
    """Tell these people (ids of users) of an event: one query for any number of them.

    Nobody is told of what they did themselves, nor twice of one event: who was told as one
    kind keeps it, so the strongest reason is told first.
    """
    told = sorted({person for person in people if person != event.actor_id})
    if told:
        Notice.objects.bulk_create(
            [Notice(event=event, person_id=each, kind=kind, at=event.at) for each in told],
            ignore_conflicts=True,
        )
