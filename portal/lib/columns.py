"""Rows of models from statements written by hand: for paths where the ORM takes longer than the
database.

`columns_of(Target, "target")` is what to select, `instance_of(Target, values)` what it makes.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model

M = TypeVar("M", bound=Model)


@cache
def columns_of(model: type[Model], alias: str) -> str:
    """All columns of a model's table, under this name of it, in the order of its fields."""
    quote = connection.ops.quote_name
    return ", ".join(f"{alias}.{quote(str(each.column))}" for each in model._meta.concrete_fields)


@cache
def width_of(model: type[Model]) -> int:
    """How many columns that is."""
    return len(model._meta.concrete_fields)


def instance_of(model: type[M], values: Sequence[Any]) -> M | None:
    """The row of these columns; None where an outer join found nothing: its key is null."""
    names, key, converters = _shape(model)
    if values[key] is None:
        return None
    made = list(values)
    for place, convert in converters:
        made[place] = convert(made[place], None, connection)
    return model.from_db(connection.alias, names, made)


@cache
def _shape(model: type[Model]) -> tuple[list[str], int, list[tuple[int, Any]]]:
    """The attributes, the place of the key, and what the values of some places go through."""
    fields = model._meta.concrete_fields
    converters = [
        (place, field.from_db_value)
        for place, field in enumerate(fields)
        if hasattr(field, "from_db_value")
    ]
    key = next(place for place, field in enumerate(fields) if field.primary_key)
    return [field.attname for field in fields], key, converters
