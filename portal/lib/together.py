"""Several statements sent to the database as one, for paths whose number of queries matters.

Each part is a queryset, or a statement that writes. Rows come back as JSON and are made what they
would have been: rows of models with what `select_related` names, or tuples of plain values. All
parts see the database as it was when the statement began, also the writes of one another's.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

from .row_makers import column_names, maker


@dataclass(frozen=True)
class Rows:
    """A part that is answered by rows of its model.

    related: paths of foreign keys, the nearer first ("unit", "delegation__unit"), as
    `select_related` would follow them; also: annotations, as JSON has their values; only: the
    columns that are read of what is related besides its key ("unit__path"), all where it is empty.
    Whoever reads another asks for it, as with Django's `only`.
    """

    queryset: QuerySet[Any]
    related: Sequence[str] = ()
    also: Sequence[str] = ()
    only: Sequence[str] = ()


@dataclass(frozen=True)
class Values:
    """A part that is answered by tuples: the fields (paths), or what annotations are called.

    The values are JSON's: numbers, texts, booleans, lists; a moment comes as a text.
    """

    queryset: QuerySet[Any]
    names: Sequence[str]


@dataclass(frozen=True)
class Written:
    """A part that writes and ends in RETURNING; answered by tuples of what that names.

    The caller holds the locks of the rows: parts are carried out in no certain order.
    """

    sql: str
    parameters: Sequence[Any]


@dataclass(frozen=True)
class Stated:
    """A part that only reads, in SQL of its own; answered by tuples of JSON's values."""

    sql: str
    parameters: Sequence[Any] = ()


@dataclass(frozen=True)
class Named:
    """What other parts find under a name, as a table of these columns; it answers nothing itself.

    Worked out once, however many parts read it. fields: paths, one for each column; none where
    it is SQL of its own.
    """

    name: str
    columns: Sequence[str]
    queryset: QuerySet[Any] | Stated
    fields: Sequence[str] = ()


Part = Rows | Values | Written | Stated | Named


def together(*parts: Part) -> list[list[Any]]:
    """The answers in the order of the parts; one query, or none where nothing can be found."""
    return Statement.of(parts).answers()


@dataclass(frozen=True)
class _Asked:
    """The SQL of a part; width: how many columns it has, None for one in SQL of its own."""

    sql: str
    parameters: Sequence[Any]
    width: int | None
    writes: bool = False
    # Of a part that others read, with its columns.
    name: str = ""

    @property
    def comes_first(self) -> bool:
        return self.writes or bool(self.name)


# More a function of PostgreSQL does not take.
MOST_ARGUMENTS = 100


@dataclass(frozen=True)
class Statement:
    """Parts as one statement, and how the rows of each are made; nothing has been asked yet.

    sql: None where nothing can be found. makers: of all parts, each of all its rows; are_asked:
    which of them are in it.
    """

    sql: str | None
    parameters: tuple[Any, ...]
    makers: tuple[Callable[[list[list[Any]]], list[Any]], ...]
    are_asked: tuple[bool, ...]

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Self:
        asked = [_asked(part) for part in parts]
        there = [each for each in asked if each is not None]
        return cls(
            sql=_one(there) if there else None,
            # In the order of the text: what has a name stands before all else.
            parameters=tuple(
                value
                for each in sorted(there, key=lambda one: not one.comes_first)
                for value in each.parameters
            ),
            makers=tuple(_maker(part) for part in parts),
            are_asked=tuple(each is not None and not each.name for each in asked),
        )

    def answers(self) -> list[list[Any]]:
        """The answers in the order of the parts."""
        if self.sql is None:
            return self.nothing()
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.parameters)
            return self.made(cursor.fetchone())

    def nothing(self) -> list[list[Any]]:
        """The answers where nothing can be found."""
        return [[] for _part in self.makers]

    def made(self, row: Sequence[str | None]) -> list[list[Any]]:
        """The answers from the one row that the statement finds."""
        found, answers = iter(row), []
        for make, is_asked in zip(self.makers, self.are_asked, strict=True):
            text = next(found) if is_asked else None
            answers.append(make([_listed(each) for each in json.loads(text)] if text else []))
        return answers


def _one(statements: Sequence[_Asked]) -> str:
    """Only what has a name can write. What reads has none: PostgreSQL goes through the whole
    statement for each name, and of twenty that would be most of the time it takes."""
    named, answers = [], []
    for number, each in enumerate(statements):
        if each.name:
            named.append(f"{each.name} AS MATERIALIZED ({each.sql})")
            continue
        columns = "" if each.width is None else ", ".join(map(_column, range(each.width)))
        rows = f"part{number}"
        if each.writes:
            named.append(f"{rows} AS ({each.sql})")
        else:
            rows = f"({each.sql}) {rows}" + (f"({columns})" if columns else "")
        is_listed = each.width is not None and each.width <= MOST_ARGUMENTS
        row = f"json_build_array({columns})" if is_listed else f"part{number}"
        # Who makes a list of rows keeps the order in which it reads them.
        answers.append(f"(SELECT json_agg({row}) FROM {rows})::text")  # noqa: S608 - names of ours
    names = f"WITH {', '.join(named)} " if named else ""
    return f"{names}SELECT {', '.join(answers)}"


def _listed(row: list[Any] | dict[str, Any]) -> list[Any]:
    return row if isinstance(row, list) else list(row.values())


def _column(number: int) -> str:
    return f"c{number}"


def _asked(part: Part) -> _Asked | None:
    """None: it finds nothing, whatever the database holds."""
    if isinstance(part, Written | Stated):
        return _Asked(part.sql, part.parameters, None, isinstance(part, Written))
    if isinstance(part, Named):
        rows = part.queryset
        if isinstance(rows, Stated):
            sql, parameters = rows.sql, tuple(rows.parameters)
        else:
            sql, parameters = rows.values_list(*part.fields).query.sql_with_params()
        name = f"{part.name}({', '.join(part.columns)})"
        return _Asked(sql, parameters, None, name=name)
    names = part.names if isinstance(part, Values) else _names_of(part)
    try:
        sql, parameters = part.queryset.values_list(*names).query.sql_with_params()
    except EmptyResultSet:
        return None
    return _Asked(sql, parameters, len(names))


def _names_of(part: Rows) -> list[str]:
    return [*column_names(part.queryset.model, part.related, part.only), *part.also]


def _maker(part: Part) -> Callable[[list[list[Any]]], list[Any]]:
    """What makes the answers of rows; what these are put in order by may follow what was asked."""
    if isinstance(part, Rows):
        return maker(part.queryset.model, part.related, part.only, part.also)
    width = len(part.names) if isinstance(part, Values) else None
    return lambda rows: [tuple(row[:width]) for row in rows]
