"""Rows that are added by a part of a larger statement; see `together`."""

from collections.abc import Sequence
from typing import Any, cast

from django.db import connection
from django.db.models import Model
from django.db.models.sql import InsertQuery

from .together import Written


def inserting(rows: Sequence[Model]) -> Written:
    """Add rows of one model, one at least; answered by a tuple with the key of each, in order.

    What a database gives by itself beside the key is not read back. Foreign keys are looked at
    as the transaction ends, so a row may point at one of another part.
    """
    model = type(rows[0])
    has_keys = rows[0].pk is not None
    fields = [each for each in model._meta.concrete_fields if has_keys or not each.primary_key]
    query = InsertQuery(model)
    query.insert_values(fields, list(rows))
    compiler = cast(Any, query.get_compiler(connection=connection))
    compiler.returning_fields = [model._meta.pk]
    ((sql, parameters),) = compiler.as_sql()
    return Written(sql, parameters)


def next_keys(model: type[Model], count: int) -> Written:
    """Take keys for rows that others name before they are there; answered by a tuple for each."""
    return Written(
        "SELECT nextval(pg_get_serial_sequence(%s, 'id')::regclass) FROM generate_series(1, %s)",
        [model._meta.db_table, count],
    )


def added(rows: Sequence[Model], keys: Sequence[tuple[Any, ...]]) -> None:
    """Tell rows that `inserting` added which keys they have."""
    for row, (key,) in zip(rows, keys, strict=True):
        row.pk = key
        row._state.adding = False
        row._state.db = connection.alias
