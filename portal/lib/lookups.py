"""Conditions that make the database look rows up by their keys, however many rows a table has.

`column IN (SELECT …)` is a join: for somebody who has much the planner reads the other table
whole, sooner than a thousand times by its key, and so what they wait for grows with the site.
An array is found first and each of its keys looked up.
"""

from collections.abc import Collection
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    BigIntegerField,
    BooleanField,
    F,
    Field,
    Func,
    OuterRef,
    Q,
    QuerySet,
    TextField,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast


class IsAnyOf(Func):
    """`value = ANY(array)`, which Django's lookups cannot say of a column."""

    arg_joiner = " = ANY("
    template = "(%(expressions)s))"
    output_field = BooleanField()


def is_of(column: str, keys: Any, kind: "Field[Any, Any] | None" = None) -> IsAnyOf:
    """The condition that the column is one of an array's: a slot of a compiled statement.

    kind: what the array is of, if not of ids.
    """
    return IsAnyOf(F(column), Cast(keys, ArrayField(kind or BigIntegerField())))


class _Given(Func):
    """An array of what is known already, found as a subquery's is."""

    template = "ARRAY(SELECT unnest(%(expressions)s))"


def is_one_of_many(column: str, keys: Any, kind: "Field[Any, Any] | None" = None) -> IsAnyOf:
    """`is_of` for hundreds of keys: told how many there are, the planner reads the table whole."""
    array = ArrayField(kind or BigIntegerField())
    return IsAnyOf(F(column), _Given(Cast(keys, array), output_field=array))


class _IsFrom(Func):
    arg_joiner = " ~>=~ "
    template = "(%(expressions)s)"
    output_field = BooleanField()


class _IsBefore(_IsFrom):
    arg_joiner = " ~<~ "


class _Next(Func):
    """What comes after all that begins with a path: that ends in "/", and "0" is the next."""

    template = "(left(%(expressions)s, -1) || '0')"
    output_field = TextField()


def is_below(lower: str, upper: Combinable) -> Q:
    """The condition that the column's path begins with another, known only as it is asked.

    For that LIKE would not use the index of paths.
    """
    return Q(_IsFrom(F(lower), upper)) & Q(_IsBefore(F(lower), _Next(upper)))


class _BeginsWithAny(Func):
    arg_joiner = " ^@ ANY("
    template = "(%(expressions)s))"
    output_field = BooleanField()


def begins_with_any(column: str, texts: Any) -> _BeginsWithAny:
    """The condition that the column begins with one of an array's: looked at row by row."""
    return _BeginsWithAny(F(column), Cast(texts, ArrayField(TextField())))


class _Single(Func):
    """An array of one number."""

    template = "ARRAY[%(expressions)s]"
    output_field = ArrayField(BigIntegerField())


def is_among(
    column: str, keys: QuerySet[Any, Any] | Collection[int] | Collection[str]
) -> IsAnyOf | Q:
    """The condition that the column is one of the keys: values, or a queryset of one value each.

    The queryset refers to nothing of the query that it stands in, so it is asked once.
    """
    if isinstance(keys, QuerySet):
        return IsAnyOf(F(column), ArraySubquery(keys))
    values = sorted(keys)
    if not values:
        return Q(pk__in=[])  # nothing at all, as Django knows without asking
    array = ArrayField(TextField() if isinstance(values[0], str) else BigIntegerField())
    return IsAnyOf(F(column), _Given(Value(values, array), output_field=array))


def is_the(column: str, key: OuterRef) -> IsAnyOf:
    """The condition that the column is that value of the query around, for a look at each row.

    With `=` the planner may look at all rows instead, once, expecting many around.
    """
    return IsAnyOf(F(column), _Single(key))
