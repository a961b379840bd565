"""Where a reader of a list stands: after a row, in an order, forwards or backwards.

Rows are found by what they are ordered by, never counted off: a page costs the same wherever it
stands, and whoever follows `next` sees each row of before once.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, Self

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import DataError
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _

from portal.lib.errors import Invalid


@dataclass(frozen=True)
class Cursor:
    """The values of the row that was last seen. It is opaque for whoever sends it back."""

    values: tuple[str | int, ...]
    is_back: bool = False

    @classmethod
    def read(cls, text: str, order: "Order") -> Self:
        """Raises Invalid: it may have been changed by hand and hold anything."""
        try:
            found = json.loads(base64.urlsafe_b64decode(text.encode()))
            values, is_back = found["at"], found["back"]
            is_one = isinstance(values, list) and len(values) == len(order.columns)
        except (ValueError, TypeError, KeyError, binascii.Error, RecursionError) as error:
            raise wrong_cursor() from error
        if not is_one or not isinstance(is_back, bool):
            raise wrong_cursor()
        for each in values:
            is_value = isinstance(each, str | int) and not isinstance(each, bool)
            if not is_value or (isinstance(each, str) and not each.isprintable()):
                raise wrong_cursor()
        return cls(tuple(values), is_back)

    @classmethod
    def at(cls, row: Model, order: "Order", *, is_back: bool = False) -> Self:
        values = (getattr(row, name) for name in order.columns)
        told = (each if isinstance(each, int | str) else each.isoformat() for each in values)
        return cls(tuple(told), is_back)

    def __str__(self) -> str:
        said = json.dumps({"at": self.values, "back": self.is_back}, separators=(",", ":"))
        return base64.urlsafe_b64encode(said.encode()).decode()


def wrong_cursor() -> Invalid:
    return Invalid({"cursor": [_("Follow `next` as it was given.")]})


@dataclass(frozen=True)
class Order:
    """Columns, all in one direction; together they are unique."""

    columns: tuple[str, ...]
    is_downwards: bool

    @classmethod
    def of(cls, model: type[Model], asked: str) -> Self:
        name = asked.removeprefix("-")
        columns = (name,) if _is_unique(model, name) else (name, "pk")
        return cls(columns, asked.startswith("-"))

    def cut(self, rows: QuerySet[Any], cursor: Cursor | None, count: int) -> list[Any]:
        """So many rows after the cursor, or before it, the nearest to it first."""
        is_downwards = self.is_downwards != (cursor is not None and cursor.is_back)
        try:
            if cursor is not None:
                rows = rows.filter(self._beyond(cursor.values, "lt" if is_downwards else "gt"))
            return list(self.put(rows, is_downwards=is_downwards)[:count])
        except (ValueError, ValidationError, DataError, OverflowError) as error:
            if cursor is None:
                raise
            raise wrong_cursor() from error

    def put(self, rows: QuerySet[Any], *, is_downwards: bool | None = None) -> QuerySet[Any]:
        """The rows in this order, or the other way round."""
        is_down = self.is_downwards if is_downwards is None else is_downwards
        return rows.order_by(*(f"-{each}" if is_down else each for each in self.columns))

    def _beyond(self, values: tuple[str | int, ...], side: str) -> Q:
        first, *rest = self.columns
        if not rest:
            return Q(**{f"{first}__{side}": values[0]})
        # The first column alone is a range that its index knows.
        same_or = Q(**{f"{first}__{side}": values[0]}) | Q(**{f"{rest[0]}__{side}": values[1]})
        return Q(**{f"{first}__{side}e": values[0]}) & same_or


def _is_unique(model: type[Model], name: str) -> bool:
    if name in ("id", "pk"):
        return True
    try:
        return bool(getattr(model._meta.get_field(name), "unique", False))
    except FieldDoesNotExist:  # an annotation
        return False
