"""What is first in a queue, how much is in it, and where in it a request stands."""

from dataclasses import dataclass, replace
from typing import Any

from portal.lib.compiled import compiled
from portal.lib.together import Part, Rows, Stated, Values
from projects.queries.viewers import Viewer
from quotas.models import QuotaRequest

from .queue_walk import (
    BY_NUMBER,
    BY_NUMBER_BACK,
    COUNT,
    NUMBERS,
    OLDEST,
    OLDEST_BACK,
    is_walked,
    walk_part,
    walked,
)
from .queue_wishes import COUNTED, Order, Wanted
from .requests import Asker, values_of
from .waiting import FRAMED, RELATED, ordered, waiting, waiting_for


def first_waiting(viewer: Viewer, most: int) -> tuple[list[QuotaRequest], int]:
    """The first requests of a person's queue, with project, unit and people; and `waiting_count`.

    One query.
    """
    if viewer.place is None:
        _walked, found, ((count,),) = _first(most, **values_of(viewer))
        return found, int(count)
    rows = waiting(viewer, Wanted())
    return list(rows[:most]), rows[:FRAMED].count()


@compiled
def _first(most: int, /, *, user: Any, groups: Any, held: Any, now: Any) -> list[Part]:
    asker = Asker.slots(user=user, groups=groups, held=held, now=now)
    rows = ordered(QuotaRequest.objects.filter(is_walked(0, most)), Order.OLDEST)
    return [walked(asker, max(most, FRAMED)), Rows(rows, RELATED), Stated(COUNT)]


def first_by_number(viewer: Viewer, count: int, *, is_downwards: bool) -> list[QuotaRequest]:
    """As `first_waiting`, in the order of their numbers. Of somebody without a place."""
    order = BY_NUMBER_BACK if is_downwards else BY_NUMBER
    _walked, found = _first_by_number(order, count, **values_of(viewer))
    return found


@compiled
def _first_by_number(
    order: str, count: int, /, *, user: Any, groups: Any, held: Any, now: Any
) -> list[Part]:
    walk = walk_part(order, count, {"user": user, "groups": groups, "held": held, "now": now})
    rows = QuotaRequest.objects.filter(is_walked(0, count))
    return [walk, Rows(rows.order_by("-pk" if order == BY_NUMBER_BACK else "pk"), RELATED)]


def waiting_count(viewer: Viewer) -> int:
    """How many requests wait for a person, counted up to `FRAMED`; one query."""
    if viewer.place is None:
        _walked, ((count,),) = _count(**values_of(viewer))
        return int(count)
    return waiting(viewer, Wanted())[:FRAMED].count()


@compiled
def _count(*, user: Any, groups: Any, held: Any, now: Any) -> list[Part]:
    asker = Asker.slots(user=user, groups=groups, held=held, now=now)
    return [walked(asker, FRAMED), Stated(COUNT)]


@dataclass(frozen=True)
class Place:
    """Where a request stands in a queue, and its neighbours' numbers."""

    position: int | None
    count: int
    previous: int | None
    next: int | None


@compiled
def _numbers(wanted: Wanted, /, *, user: Any, groups: Any, held: Any, now: Any) -> list[Part]:
    """The numbers of what waits, in order."""
    asker = Asker.slots(user=user, groups=groups, held=held, now=now)
    if wanted.order == Order.OLDEST:
        return [walked(asker, COUNTED + 1), Stated(NUMBERS.format(walk="walked"))]
    return [Values(waiting_for(asker, wanted)[: COUNTED + 1], ["pk"])]


def place_in_queue(viewer: Viewer, wanted: Wanted, number: int) -> Place:
    """One query. A request that is not in the queue has the first one as its next."""
    if viewer.place is None and not wanted.is_narrowed:
        *_walk, found = _numbers(replace(wanted, page=1), **values_of(viewer))
        numbers = [each for (each,) in found]
    else:
        numbers = list(waiting(viewer, wanted).values_list("pk", flat=True)[: COUNTED + 1])
    if number not in numbers:
        return Place(None, len(numbers), None, numbers[0] if numbers else None)
    here = numbers.index(number)
    return Place(
        position=here + 1,
        count=len(numbers),
        previous=numbers[here - 1] if here else None,
        next=numbers[here + 1] if here + 1 < len(numbers) else None,
    )


def next_in_queue(viewer: Viewer, wanted: Wanted, asked: QuotaRequest) -> int | None:
    """The number of the next request in a queue; at its end that of the one before.

    As `place_in_queue` knows it, but where the queue is walked no further than to these.
    """
    is_walked_along = (
        viewer.place is None and not wanted.is_narrowed and wanted.order == Order.OLDEST
    )
    if is_walked_along and asked.submitted_at is not None:
        *_walks, onwards, back = _around(
            since=asked.submitted_at, number=asked.pk, **values_of(viewer)
        )
        if onwards[:1] == [(asked.pk,)]:
            beside = [*onwards[1:], *back[1:]]
            return int(beside[0][0]) if beside else None
    place = place_in_queue(viewer, wanted, asked.pk)
    return place.next or place.previous


@compiled
def _around(*, user: Any, groups: Any, held: Any, now: Any, since: Any, number: Any) -> list[Part]:
    """The numbers of a request that waits and of the next one, and of it and the one before."""
    values = {
        "user": user, "groups": groups, "held": held, "now": now,
        "since": since, "number": number,
    }  # fmt: skip
    return [
        walk_part(OLDEST, 2, values, "onwards"),
        walk_part(OLDEST_BACK, 2, values, "back"),
        Stated(NUMBERS.format(walk="onwards")),
        Stated(NUMBERS.format(walk="back")),
    ]
