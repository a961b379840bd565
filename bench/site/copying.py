"""Rows on their way into tables: text of COPY, a bounded number of them in memory."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import JSONField, Model
from django.db.models.fields import NOT_PROVIDED

NULL = "\\N"
AT_ONCE = 4_000_000  # characters
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


class Sheet:
    """Rows of one table. columns: those that a row gives; others have their model's default."""

    def __init__(self, model: type[Model], columns: tuple[str, ...]) -> None:
        self.model, self.count = model, 0
        self._lines: list[str] = []
        self._size = 0
        constants = _constants(model, columns)
        names = ", ".join(f'"{each}"' for each in (*columns, *constants))
        self._sql = f'COPY "{model._meta.db_table}" ({names}) FROM STDIN'
        self._end = "".join(f"\t{each}" for each in constants.values()) + "\n"

    def add(self, *values: Any) -> None:
        self.line("\t".join([encoded(each) for each in values]))

    def line(self, text: str) -> None:
        """A row whose values are encoded already, with tabs between."""
        self._lines.append(text + self._end)
        self.count += 1
        self._size += len(text)
        if self._size >= AT_ONCE:
            self.flush()

    def flush(self) -> None:
        if self._lines:
            with connection.cursor() as cursor, cursor.copy(self._sql) as copy:
                copy.write("".join(self._lines))
            self._lines.clear()
            self._size = 0


class Sheets:
    """All tables that are written, by their models."""

    def __init__(self) -> None:
        self._sheets: dict[tuple[type[Model], tuple[str, ...]], Sheet] = {}

    def of(self, model: type[Model], *columns: str) -> Sheet:
        return self._sheets.setdefault((model, columns), Sheet(model, columns))

    def flush(self) -> None:
        for each in self._sheets.values():
            each.flush()

    @property
    def counts(self) -> dict[type[Model], int]:
        found: dict[type[Model], int] = {}
        for (model, _columns), sheet in self._sheets.items():
            found[model] = found.get(model, 0) + sheet.count
        return found


def encoded(value: Any) -> str:
    """A value as COPY reads it; a list is an array of numbers or of words."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return json.dumps(value, separators=(",", ":")).translate(_ESCAPES)
    if isinstance(value, list | tuple):
        return "{" + ",".join(f'"{each}"' for each in value) + "}"
    return str(value)


def _constants(model: type[Model], given: tuple[str, ...]) -> dict[str, str]:
    """{column: its default as text} of those that neither a row nor the database gives."""
    found = {}
    for field in model._meta.concrete_fields:
        column = str(field.column)
        if column in given or field.primary_key or field.db_default is not NOT_PROVIDED:
            continue
        value = None if field.null else field.get_default()
        if isinstance(field, JSONField):
            found[column] = json.dumps(value)
        else:
            found[column] = encoded(value)
    return found
