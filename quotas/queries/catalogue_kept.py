"""The catalogue as a process keeps it, which is never another than the database holds.

A *mark* says which versions of which rows the catalogue's tables hold. It is asked for in the
statement that asks for figures, and so in one snapshot with them; where it is another than the
mark of what is kept, the catalogue is read anew. What is kept goes with the connection, as another
database is another connection, and places and transactions are numbered anew there; the mark names
the server too, as behind a pooler another one may answer by the same connection.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

from django.db import connection
from django.db.models.base import ModelState

from portal.lib.compiled import compiled
from portal.lib.together import Part, Rows, Stated
from quotas.models import Contribution, Endpoint, Limit, Offering, Region, Resource, Zone

from . import shapes
from .shapes import CATALOGUE_ORDER, Shape, shapes_of

# Not endpoints: how one stands changes with every call, and is read with the figures.
TABLES = (Region, Zone, Resource, Offering, Limit, Contribution)
Mark = tuple[tuple[int, int, int | None], ...]
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")
# So often what reads the catalogue begins; a change is one of the operators, and they are rare.
MOST_ATTEMPTS = 5


class Changed(Exception):
    """The catalogue is newer than the figures that were read before it."""


def steady(read: Callable[_Given, _Found]) -> Callable[_Given, _Found]:
    """Of what reads figures with a mark and then asks `catalogue_of` it: it is done anew where the
    catalogue changed between the two, so that both are of one moment."""

    @wraps(read)
    def again(*args: _Given.args, **kwargs: _Given.kwargs) -> _Found:
        for _attempt in range(MOST_ATTEMPTS - 1):
            try:
                return read(*args, **kwargs)
            except Changed:
                continue
        return read(*args, **kwargs)

    return again


def mark_part() -> Stated:
    """What asks for the mark; its answer is one, in any order.

    Of each table how many rows there are, and a sum over their places and the transactions that
    wrote them: whoever writes, changes or deletes a row changes one of the two. And when the
    server was started.
    """
    tables = [each._meta.db_table for each in TABLES]
    sums = [
        f"SELECT {number}, count(*), sum(hashtidextended(ctid, xmin::text::bigint)) "  # noqa: S608 - a table of ours
        f'FROM "{table}"'
        for number, table in enumerate(tables)
    ]
    started = "(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint"
    return Stated(" UNION ALL ".join([*sums, f"SELECT {len(sums)}, {started}, NULL"]))


@dataclass(frozen=True)
class Catalogue:
    """What can be asked for and where it counts, at one mark. Nobody writes on its rows.

    contributions: in the order in which pages show offerings. The limits are without their
    endpoints: `limits` and `shapes_with` give copies that have those at hand which are given.
    """

    mark: Mark
    offerings: Mapping[int, Offering]
    contributions: Sequence[Contribution]
    bare_limits: Mapping[int, Limit]

    @cached_property
    def _shapes(self) -> list[Shape]:
        return shapes_of(self.contributions)

    def limits(self, endpoints: Mapping[int, Endpoint]) -> dict[int, Limit]:
        """{id: limit}"""
        return {pk: _copy(each, endpoints) for pk, each in self.bare_limits.items()}

    def shapes_with(self, limits: Mapping[int, Limit]) -> list[Shape]:
        """As `shapes_of`, with the limits that are given."""
        return [
            replace(
                shape,
                limit=limits[shape.limit.pk],
                parts=tuple(_with_own(part, limits) for part in shape.parts),
            )
            for shape in self._shapes
        ]


def _with_own(part: shapes.Part, limits: Mapping[int, Limit]) -> shapes.Part:
    if part.own_limit is None:
        return part
    return replace(part, own_limit=limits[part.own_limit.pk])


def _copy(limit: Limit, endpoints: Mapping[int, Endpoint]) -> Limit:
    found = Limit.__new__(Limit)
    found.__dict__.update(limit.__dict__)
    found._state = ModelState()
    found._state.adding, found._state.db = False, limit._state.db
    found.endpoint = endpoints[limit.endpoint_id]
    return found


# By the driver's own connection, which ends with what it is connected to.
_kept: WeakKeyDictionary[Any, Catalogue] = WeakKeyDictionary()


def catalogue_of(mark: Sequence[tuple[Any, ...]]) -> Catalogue:
    """The catalogue of that mark; no query, or one where it is not what is kept.

    Raises Changed where it is newer by now: ask within `steady`.
    """
    asked = tuple(sorted(mark))
    found = _kept.get(connection.connection)
    if found is None or found.mark != asked:
        found = _read()
        _kept[connection.connection] = found
    if found.mark != asked:
        raise Changed
    return found


def _read() -> Catalogue:
    mark, offerings, limits, contributions = _all_of_it()
    by_id, limit_by_id = ({each.pk: each for each in rows} for rows in (offerings, limits))
    for each in contributions:
        each.offering, each.limit = by_id[each.offering_id], limit_by_id[each.limit_id]
    return Catalogue(tuple(sorted(mark)), by_id, contributions, limit_by_id)


@compiled
def _all_of_it() -> list[Part]:
    return [
        mark_part(),
        Rows(Offering.objects.order_by("pk"), ["resource", "zone", "zone__region"]),
        Rows(Limit.objects.order_by("pk")),
        Rows(Contribution.objects.order_by(*CATALOGUE_ORDER)),
    ]
