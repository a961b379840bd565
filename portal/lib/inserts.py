"""Rows that are added by a part of a larger statement; see `together`."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Field, Model
from django.db.models.expressions import DatabaseDefault

from .together import Written

NOTHING: Mapping[str, str] = {}


def inserting(rows: Sequence[Model], found: Mapping[str, str] = NOTHING) -> Written:
    """Add rows of one model, one at least; answered by a tuple with the key of each, in order.

    found: {column: SQL} of what the same statement finds for all of them, as `key_of`. What a
    database gives by itself beside the key is not read back. Foreign keys are looked at as the
    transaction ends, so a row may point at one of another part.
    """
    into, fields, ending = _into(type(rows[0]), rows[0].pk is not None)
    parameters: list[Any] = []
    marks = [", ".join(_mark(row, each, found, parameters) for each in fields) for row in rows]
    return Written(f"{into} VALUES ({'), ('.join(marks)}) {ending}", parameters)


def key_of(place: int) -> str:
    """SQL for the key of the one row that the part in this place of `together` adds, from 0."""
    return f"(SELECT id FROM part{place})"  # noqa: S608 - a number


@cache
def _into(model: type[Model], has_keys: bool) -> tuple[str, "list[Field[Any, Any]]", str]:
    """How the statement begins, which fields it fills, and how it ends."""
    quote = connection.ops.quote_name
    key = model._meta.pk
    fields = [each for each in model._meta.concrete_fields if has_keys or each is not key]
    if any(hasattr(each, "get_placeholder") for each in fields):
        raise TypeError(f"{model.__name__} has a column whose values are no plain parameters")
    columns = ", ".join(quote(str(each.column)) for each in fields)
    into = f"INSERT INTO {quote(model._meta.db_table)} ({columns})"
    return into, fields, f"RETURNING {quote(str(key.column))}"


def _mark(
    row: Model, field: "Field[Any, Any]", found: Mapping[str, str], parameters: list[Any]
) -> str:
    """What stands for a column's value; where that is a parameter, it is added to them."""
    if field.column in found:
        return found[str(field.column)]
    value = field.pre_save(row, add=True)
    if isinstance(value, DatabaseDefault):
        return "DEFAULT"
    parameters.append(field.get_db_prep_save(value, connection))
    return "%s"


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
