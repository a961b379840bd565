"""Telling people of an act: rows of the outbox, written in the transaction of the act."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from portal.lib.together import Written, together
from projects.models import Event, Notice, User
from projects.queries.viewers import Place
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


def tell_each(told: Mapping[Event, Collection[int]], kind: NoticeKind) -> None:
    """`tell` for many events of the system itself, of which each has its own people."""
    Notice.objects.bulk_create(
        [
            Notice(event=event, person_id=each, kind=kind, at=event.at)
            for event, people in told.items()
            for each in sorted(set(people))
        ],
        ignore_conflicts=True,
    )


def tell_all_of(event: Event, people: QuerySet[Any], kind: NoticeKind) -> None:
    """`tell` for whoever a query finds, which has one column, ids of users; one query."""
    together(telling(event, *people.query.sql_with_params(), kind))


def telling(event: Event, sql: str, parameters: Sequence[Any], kind: NoticeKind) -> Written:
    """`tell_all_of` as a part of a larger statement. sql: of the query that finds the people."""
    table = connection.ops.quote_name(Notice._meta.db_table)
    return Written(
        f"INSERT INTO {table} (event_id, person_id, kind, at) "  # noqa: S608 - a table's own name
        f"SELECT DISTINCT %s::bigint, person, %s, %s::timestamptz FROM ({sql}) AS told(person) "
        "WHERE person IS DISTINCT FROM %s ORDER BY person ON CONFLICT DO NOTHING RETURNING 1",
        [event.pk, str(kind), event.at, *parameters, event.actor_id],
    )


def telling_each(
    events: Mapping[int, Event], sql: str, parameters: Sequence[Any], kind: NoticeKind
) -> Written:
    """`telling` of many events, {what it is about: event}, all by one actor at one moment.

    sql: of the query that finds what each is about and whom it is told, two columns.
    """
    table = connection.ops.quote_name(Notice._meta.db_table)
    first = next(iter(events.values()))
    return Written(
        f"INSERT INTO {table} (event_id, person_id, kind, at) "  # noqa: S608 - a table's own name
        "SELECT DISTINCT event, person, %s, %s::timestamptz "
        "FROM unnest(%s::bigint[], %s::bigint[]) AS happened(event, subject) "
        f"JOIN ({sql}) AS told(subject, person) USING (subject) "
        "WHERE person IS DISTINCT FROM %s ORDER BY event, person ON CONFLICT DO NOTHING "
        "RETURNING 1",
        [str(kind), first.at, [each.pk for each in events.values()], [*events], *parameters,
         first.actor_id],
    )  # fmt: skip


def mark_read(*, ids: Collection[int], actor: User, now: datetime) -> int:
    """The person has seen these notices of theirs; how many they had not seen before.

    Ids of others' notices are passed over, as if there were none; so are all for a service
    account, which reads none of its owner's.
    """
    if Place.of(actor) is not None:
        return 0
    return Notice.objects.filter(person=actor, pk__in=ids, read_at__isnull=True).update(read_at=now)


def mark_all_read(*, newest: int, actor: User, now: datetime) -> int:
    """The person has seen all notices up to this one; what came since stays unread."""
    if Place.of(actor) is not None:
        return 0
    return Notice.objects.filter(person=actor, pk__lte=newest, read_at__isnull=True).update(
        read_at=now
    )
