"""Several statements sent to the database as one, for paths whose number of queries matters.

Each part is a queryset, or a statement that writes. Rows come back as JSON and are made what they
would have been: rows of models with what `select_related` names, or tuples of plain values. All
parts see the database as it was when the statement began, also the writes of one another's.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any, Self

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import (
    BooleanField,
    CharField,
    DateField,
    DateTimeField,
    DecimalField,
    Field,
    ForeignKey,
    GenericIPAddressField,
    IntegerField,
    JSONField,
    Model,
    QuerySet,
    TextField,
    UUIDField,
)
from django.db.models.base import ModelState


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
    names = part.names if isinstance(part, Values) else _field_names(part)
    try:
        sql, parameters = part.queryset.values_list(*names).query.sql_with_params()
    except EmptyResultSet:
        return None
    return _Asked(sql, parameters, len(names))


def _models(model: type[Model], related: Sequence[str]) -> list[tuple[str, type[Model]]]:
    """(path, model) of the rows themselves and of what is related."""
    found: list[tuple[str, type[Model]]] = [("", model)]
    for path in related:
        at = model
        for name in path.split("__"):
            at = at._meta.get_field(name).related_model  # type: ignore[assignment]  # a foreign key's
        found.append((f"{path}__", at))
    return found


def _field_names(part: Rows) -> list[str]:
    models = _models(part.queryset.model, part.related)
    names = [
        f"{path}{field.attname}"
        for path, model in models
        for field in _fields(path, model, part.only)
    ]
    return [*names, *part.also]


def _fields(path: str, model: type[Model], only: Sequence[str]) -> list["Field[Any, Any]"]:
    """The columns that are read of rows, or of what hangs on them by a path."""
    fields = model._meta.concrete_fields
    if not path or not only:
        return list(fields)
    return [each for each in fields if each.primary_key or f"{path}{each.attname}" in only]


def _maker(part: Part) -> Callable[[list[list[Any]]], list[Any]]:
    """What makes the answers of rows; what these are put in order by may follow what was asked."""
    if isinstance(part, Rows):
        model: type[Model] = part.queryset.model
        return partial(
            _made, _kinds_of(model, tuple(part.related), tuple(part.only)), tuple(part.also)
        )
    width = len(part.names) if isinstance(part, Values) else None
    return lambda rows: [tuple(row[:width]) for row in rows]


@dataclass(frozen=True)
class _Kind:
    """Rows of a model among the columns of an answer: where they hang, and what becomes of values.

    field: what leads there, None for the rows themselves. converted: (place, what makes it of
    JSON's value) of those that JSON has no value for.
    """

    above: str
    field: "Field[Any, Any] | None"
    path: str
    model: type[Model]
    names: list[str]
    key: int
    converted: tuple[tuple[int, Callable[[Any], Any]], ...]


@cache
def _kinds_of(
    model: type[Model], related: tuple[str, ...], only: tuple[str, ...]
) -> tuple[_Kind, ...]:
    return tuple(_kinds(model, related, only))


def _kinds(model: type[Model], related: Sequence[str], only: Sequence[str]) -> Iterator[_Kind]:
    models = dict(_models(model, related))
    for path, at in models.items():
        above, _sep, name = path[:-2].rpartition("__")
        above = f"{above}__" if above else ""
        fields = _fields(path, at, only)
        names = [field.attname for field in fields]
        yield _Kind(
            above,
            models[above]._meta.get_field(name) if path else None,  # type: ignore[arg-type]  # a column
            path, at, names, names.index(at._meta.pk.attname),
            tuple((at, convert) for at, field in enumerate(fields) if (convert := _of_json(field))),
        )  # fmt: skip


# A float has as many digits that are certain.
MOST_DIGITS = 15


def _of_json(field: "Field[Any, Any]") -> Callable[[Any], Any] | None:
    """What makes a value of the column of JSON's; None: it is the same.

    Raises TypeError for a kind of field that JSON may not carry as it is. A field of our own says
    by `is_read_from_json` that its `to_python` does.
    """
    while isinstance(field, ForeignKey):
        field = field.target_field
    if isinstance(
        field, IntegerField | CharField | TextField | BooleanField | JSONField | ArrayField
    ):
        return None
    if isinstance(field, DateTimeField):
        # As `to_python` of a moment that PostgreSQL wrote: there are hundreds on a page.
        return datetime.fromisoformat
    is_carried = (
        isinstance(field, DateField | UUIDField | GenericIPAddressField)
        or (
            isinstance(field, DecimalField) and (field.max_digits or MOST_DIGITS + 1) <= MOST_DIGITS
        )
        or getattr(field, "is_read_from_json", False)
    )
    if not is_carried:
        raise TypeError(f"{field}: JSON does not carry a {type(field).__name__}; ask for `Values`")
    return field.to_python


def _made(kinds: Sequence[_Kind], also: Sequence[str], rows: list[list[Any]]) -> list[Any]:
    """Rows of models. What many of them hang on, as a zone, is one object that they share."""
    top, *others = kinds
    width, alias = len(top.names), connection.alias
    shared, found = dict[tuple[str, Any], Model](), []
    for row in rows:
        one = _instance(top, row[:width], alias)
        made: dict[str, Model | None] = {"": one}
        begin = width
        for kind in others:
            end = begin + len(kind.names)
            key = row[begin + kind.key]
            each = shared.get((kind.path, key))
            # None where an outer join found nothing.
            if each is None and key is not None:
                each = shared[kind.path, key] = _instance(kind, row[begin:end], alias)
            made[kind.path] = each
            begin = end
            holder = made[kind.above]
            if holder is not None:
                kind.field.set_cached_value(holder, each)  # type: ignore[union-attr]  # a relation
        if also:
            vars(one).update(zip(also, row[begin:], strict=False))
        found.append(one)
    return found


def _instance(kind: _Kind, values: list[Any], alias: str) -> Model:
    """As `Model.from_db`, past `__init__` and its signals, to which nothing of ours listens."""
    for at, convert in kind.converted:
        if values[at] is not None:
            values[at] = convert(values[at])
    made = kind.model.__new__(kind.model)
    state = made._state = ModelState()
    state.adding, state.db = False, alias
    vars(made).update(zip(kind.names, values, strict=True))
    return made
