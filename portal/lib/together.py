"""Several statements sent to the database as one, for paths whose number of queries matters.

Each part is a queryset, or a statement that writes. Rows come back as JSON and are made what they
would have been: rows of models with what `select_related` names, or tuples of plain values. All
parts see the database as it was when the statement began, also the writes of one another's.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Self, cast

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import (
    BooleanField,
    CharField,
    Field,
    ForeignKey,
    IntegerField,
    Model,
    QuerySet,
    TextField,
)
from django.db.models.sql import UpdateQuery


@dataclass(frozen=True)
class Rows:
    """A part that is answered by rows of its model.

    related: paths of foreign keys, the nearer first ("unit", "delegation__unit"), as
    `select_related` would follow them; also: annotations, as JSON has their values.
    """

    queryset: QuerySet[Any]
    related: Sequence[str] = ()
    also: Sequence[str] = ()


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


Part = Rows | Values | Written


def updating(queryset: QuerySet[Any], **values: Any) -> Written:
    """`queryset.update(…)` as a part; answered by a tuple for each row that was changed."""
    query = cast(UpdateQuery, queryset.query.chain(UpdateQuery))
    query.add_update_values(values)
    sql, parameters = query.get_compiler(connection=connection).as_sql()
    return Written(f"{sql} RETURNING 1", parameters)


def together(*parts: Part) -> list[list[Any]]:
    """The answers in the order of the parts; one query, or none where nothing can be found."""
    return Statement.of(parts).answers()


@dataclass(frozen=True)
class _Asked:
    """The SQL of a part; width: how many columns it has, None for one that writes."""

    sql: str
    parameters: Sequence[Any]
    width: int | None


@dataclass(frozen=True)
class Statement:
    """Parts as one statement, and how the rows of each are made; nothing has been asked yet.

    sql: None where nothing can be found. makers: of all parts; are_asked: which of them are in it.
    """

    sql: str | None
    parameters: tuple[Any, ...]
    makers: tuple[Callable[[list[Any]], Any], ...]
    are_asked: tuple[bool, ...]

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Self:
        asked = [_asked(part) for part in parts]
        there = [each for each in asked if each is not None]
        return cls(
            sql=_one(there) if there else None,
            parameters=tuple(value for each in there for value in each.parameters),
            makers=tuple(_maker(part) for part in parts),
            are_asked=tuple(each is not None for each in asked),
        )

    def answers(self, parameters: Sequence[Any] | None = None) -> list[list[Any]]:
        """The answers in the order of the parts. parameters: other ones than its own."""
        if self.sql is None:
            return [[] for _part in self.makers]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, self.parameters if parameters is None else parameters)
            found = iter(cursor.fetchone())
        answers = []
        for make, is_asked in zip(self.makers, self.are_asked, strict=True):
            text = next(found) if is_asked else None
            answers.append([make(list(each.values())) for each in json.loads(text)] if text else [])
        return answers


def _one(statements: Sequence[_Asked]) -> str:
    """Each part has a name, as only there can something be written."""
    parts, answers = [], []
    for number, each in enumerate(statements):
        columns = "" if each.width is None else f"({', '.join(map(_column, range(each.width)))})"
        parts.append(f"part{number}{columns} AS ({each.sql})")
        # Who makes a list of rows keeps the order in which it reads them.
        answers.append(f"(SELECT json_agg(part{number}) FROM part{number})::text")  # noqa: S608 - a number
    return f"WITH {', '.join(parts)} SELECT {', '.join(answers)}"


def _column(number: int) -> str:
    return f"c{number}"


def _asked(part: Part) -> _Asked | None:
    """None: it finds nothing, whatever the database holds."""
    if isinstance(part, Written):
        return _Asked(part.sql, part.parameters, None)
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
    names = [f"{path}{field.attname}" for path, model in models for field in _fields(model)]
    return [*names, *part.also]


def _fields(model: type[Model]) -> Iterable["Field[Any, Any]"]:
    return model._meta.concrete_fields


def _maker(part: Part) -> Callable[[list[Any]], Any]:
    """What makes the answer of a row; what it is put in order by may follow what was asked for."""
    if isinstance(part, Rows):
        models = tuple(_models(part.queryset.model, part.related))
        kinds = tuple(_kind(path, model) for path, model in models)
        return partial(_made, kinds, tuple(part.also))
    width = len(part.names) if isinstance(part, Values) else None
    return lambda row: tuple(row[:width])


@dataclass(frozen=True)
class _Kind:
    """Rows of a model among the columns of an answer: where they hang, and what becomes of values.

    converted: (place, what makes it of JSON's value) of those that JSON has no value for.
    """

    above: str
    name: str
    path: str
    model: type[Model]
    names: list[str]
    key: int
    converted: tuple[tuple[int, Callable[[Any], Any]], ...]


@cache
def _kind(path: str, model: type[Model]) -> _Kind:
    above, _sep, name = path[:-2].rpartition("__")
    fields = list(_fields(model))
    names = [field.attname for field in fields]
    return _Kind(
        f"{above}__" if above else "", name, path, model, names,
        names.index(model._meta.pk.attname),
        tuple((at, field.to_python) for at, field in enumerate(fields) if not _is_json(field)),
    )  # fmt: skip


def _is_json(field: "Field[Any, Any]") -> bool:
    """Whether a value of the column is the same in JSON."""
    while isinstance(field, ForeignKey):
        field = field.target_field
    return isinstance(field, IntegerField | CharField | TextField | BooleanField)


def _made(kinds: Sequence[_Kind], also: Sequence[str], row: list[Any]) -> Any:
    made: dict[str, Model | None] = {}
    begin = 0
    for kind in kinds:
        end = begin + len(kind.names)
        made[kind.path] = each = _instance(kind, row[begin:end])
        begin = end
        if kind.path:
            holder = made[kind.above]
            if holder is not None:
                setattr(holder, kind.name, each)
    for name, value in zip(also, row[begin:], strict=False):
        setattr(made[""], name, value)
    return made[""]


def _instance(kind: _Kind, values: list[Any]) -> Model | None:
    """None where an outer join found nothing."""
    if values[kind.key] is None:
        return None
    for at, convert in kind.converted:
        values[at] = convert(values[at])
    return kind.model.from_db(connection.alias, kind.names, values)
