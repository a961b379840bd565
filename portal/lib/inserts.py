"""Rows that are added by a part of a larger statement; see `together` and `written`.

A statement's text is the same for one row and for a hundred, so that the server plans it once.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from django.db import connection
from django.db.models import CharField, Field, JSONField, Model, TextField
from django.db.models.expressions import DatabaseDefault

from .prepared import Prepared
from .together import Statement, Written

NOTHING: Mapping[str, str] = {}
# Texts of statements that write, of each process.
MOST_TEXTS = 64


def inserting(rows: Sequence[Model], found: Mapping[str, str] = NOTHING) -> Written:
    """Add rows of one model, one at least; answered by a tuple with the key of each, in order.

    found: {column: SQL} of what the same statement finds for all of them, as `key_of`. What a
    database gives by itself beside the key is not read back. Foreign keys are looked at as the
    transaction ends, so a row may point at one of another part.
    """
    model, has_keys = type(rows[0]), rows[0].pk is not None
    given, columns = [], []
    for field in _fields(model, has_keys):
        if field.column in found:
            continue
        values = [field.pre_save(row, add=True) for row in rows]
        if not isinstance(values[0], DatabaseDefault):
            given.append(str(field.column))
            columns.append(_sent(field, values))
    return Written(_insert(model, tuple(given), tuple(found.items())), columns)


def key_of(place: int) -> str:
    """SQL for the key of the one row that the part in this place of `together` adds, from 0."""
    return f"(SELECT id FROM part{place})"  # noqa: S608 - a number


def next_keys(model: type[Model], count: int) -> Written:
    """Take keys for rows that others name before they are there; answered by a tuple for each."""
    return Written(
        "SELECT nextval(pg_get_serial_sequence(%s::text, 'id')::regclass) "
        "FROM generate_series(1, %s::int)",
        [model._meta.db_table, count],
    )


def added(rows: Sequence[Model], keys: Sequence[tuple[Any, ...]]) -> None:
    """Tell rows that `inserting` added which keys they have."""
    for row, (key,) in zip(rows, keys, strict=True):
        row.pk = key
        row._state.adding = False
        row._state.db = connection.alias


def written(*parts: Written) -> list[list[Any]]:
    """`together` of parts whose texts are always the same: planned once, whatever the values."""
    statement = Statement.of(parts)
    assert statement.sql is not None  # noqa: S101 - what writes is always asked
    names = _names(len(statement.parameters))
    values = dict(zip(names, statement.parameters, strict=True))
    (found,) = _prepared(statement.sql, len(names)).rows(values)
    return statement.made(found)


@lru_cache(maxsize=MOST_TEXTS)
def _prepared(text: str, count: int) -> Prepared:
    names = _names(count)
    return Prepared(text, names, names)


@cache
def _names(count: int) -> list[str]:
    return [f"v{number}" for number in range(count)]


@cache
def _fields(model: type[Model], has_keys: bool) -> "list[Field[Any, Any]]":
    fields = [each for each in model._meta.concrete_fields if has_keys or not each.primary_key]
    if any(hasattr(each, "get_placeholder") for each in fields):
        raise TypeError(f"{model.__name__} has a column whose values are no plain parameters")
    return fields


@cache
def _insert(model: type[Model], given: tuple[str, ...], found: tuple[tuple[str, str], ...]) -> str:
    """given: columns whose values come as arrays, one for each; found: of others, as SQL."""
    quote = connection.ops.quote_name
    fields = {str(each.column): each for each in model._meta.concrete_fields}
    into = ", ".join(quote(each) for each in (*given, *(column for column, _sql in found)))
    arrays = ", ".join(_array(fields[each]) for each in given)
    names = ", ".join(f"c{place}" for place in range(len(given)))
    values = ", ".join([names, *(sql for _column, sql in found)])
    key = quote(str(model._meta.pk.column))
    return (
        f"INSERT INTO {quote(model._meta.db_table)} ({into}) SELECT {values} "  # noqa: S608 - names of ours
        f"FROM ROWS FROM ({arrays}) WITH ORDINALITY AS given({names}, place) ORDER BY place "
        f"RETURNING {key}"
    )


def _sent(field: "Field[Any, Any]", values: list[Any]) -> Any:
    """The one parameter that has a column's values.

    Those of JSON as one JSON: of an array of such each quotation mark would be doubled, one by one.
    """
    if isinstance(field, JSONField):
        return connection.ops.adapt_json_value(values, field.encoder)
    return [field.get_db_prep_save(each, connection) for each in values]


def _array(field: "Field[Any, Any]") -> str:
    """SQL for the values of `_sent`, a row each; a text that is too long the column refuses."""
    target = field.target_field if field.is_relation else field  # type: ignore[attr-defined]  # of a foreign key
    if isinstance(target, JSONField):
        if field.null:
            raise TypeError(f"{field}: NULL and JSON's null would be the same")
        return "jsonb_array_elements(%s::jsonb)"
    is_text = isinstance(target, CharField | TextField)
    return f"unnest(%s::{'text' if is_text else field.db_type(connection)}[])"
