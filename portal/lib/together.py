"""Several statements sent to the database as one, for paths whose number of queries matters.

Each part is a queryset, or a statement that writes. Rows come back as JSON and are made what they
would have been: rows of models with what `select_related` names, or tuples of plain values. All
parts see the database as it was when the statement began, also the writes of one another's.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Field, Model, QuerySet
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
    statements = [_statement(part) for part in parts]
    asked = [each for each in statements if each is not None]
    if not asked:
        return [[] for _part in parts]
    with connection.cursor() as cursor:
        cursor.execute(_one(asked), [each for sql in asked for each in sql.parameters])
        found = iter(cursor.fetchone())
    answers = []
    for part, statement in zip(parts, statements, strict=True):
        text = None if statement is None else next(found)
        rows = [list(each.values()) for each in json.loads(text)] if text else []
        answers.append([_made(part, row) for row in rows])
    return answers


@dataclass(frozen=True)
class _Statement:
    """The SQL of a part; width: how many columns it has, None for one that writes."""

    sql: str
    parameters: Sequence[Any]
    width: int | None


def _one(statements: Sequence[_Statement]) -> str:
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


def _statement(part: Part) -> _Statement | None:
    """None: it finds nothing, whatever the database holds."""
    if isinstance(part, Written):
        return _Statement(part.sql, part.parameters, None)
    names = part.names if isinstance(part, Values) else _field_names(part)
    try:
        sql, parameters = part.queryset.values_list(*names).query.sql_with_params()
    except EmptyResultSet:
        return None
    return _Statement(sql, parameters, len(names))


def _models(part: Rows) -> list[tuple[str, type[Model]]]:
    """(path, model) of the rows themselves and of what is related."""
    found: list[tuple[str, type[Model]]] = [("", part.queryset.model)]
    for path in part.related:
        model = part.queryset.model
        for name in path.split("__"):
            model = model._meta.get_field(name).related_model
        found.append((f"{path}__", model))
    return found


def _field_names(part: Rows) -> list[str]:
    names = [
        f"{path}{field.attname}" for path, model in _models(part) for field in _fields(model)
    ]  # fmt: skip
    return [*names, *part.also]


def _fields(model: type[Model]) -> Iterable["Field[Any, Any]"]:
    return model._meta.concrete_fields


def _made(part: Part, row: list[Any]) -> Any:
    # What it is put in order by may follow what was asked for.
    if not isinstance(part, Rows):
        return tuple(row[: len(part.names)] if isinstance(part, Values) else row)
    values = iter(row)
    made: dict[str, Model | None] = {}
    for path, model in _models(part):
        fields = list(_fields(model))
        each = _instance(model, fields, list(islice(values, len(fields))))
        made[path] = each
        if path:
            above, _sep, name = path[:-2].rpartition("__")
            holder = made[f"{above}__" if above else ""]
            if holder is not None:
                setattr(holder, name, each)
    for name, value in zip(part.also, values, strict=False):
        setattr(made[""], name, value)
    return made[""]


def _instance(
    model: type[Model], fields: Sequence["Field[Any, Any]"], values: Sequence[Any]
) -> Model | None:
    """None where an outer join found nothing."""
    by_name = dict(zip((field.attname for field in fields), values, strict=True))
    if by_name[model._meta.pk.attname] is None:
        return None
    converted = [field.to_python(value) for field, value in zip(fields, values, strict=True)]
    return model.from_db(connection.alias, list(by_name), converted)
