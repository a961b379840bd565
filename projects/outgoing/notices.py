"""Telling people of an act: rows of the outbox, written in the transaction of the act."""

from collections.abc import Collection, Iterable
from datetime import datetime

from projects.models import Event, Notice, User
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


def mark_read(*, ids: Collection[int], actor: User, now: datetime) -> int:
    """The person has seen these notices of theirs; how many they had not seen before.

    Ids of others' notices are passed over, as if there were none.
    """
    return Notice.objects.filter(person=actor, pk__in=ids, read_at__isnull=True).update(read_at=now)


def mark_all_read(*, newest: int, actor: User, now: datetime) -> int:
    """The person has seen all notices up to this one; what came since stays unread."""
    return Notice.objects.filter(person=actor, pk__lte=newest, read_at__isnull=True).update(
        read_at=now
    )
