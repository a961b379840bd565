"""Rows of models made of what JSON says of them, and of what hangs on them by foreign keys.

`Model.__init__` is most of what rows cost a page of hundreds: these are made past it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.contrib.postgres.fields import ArrayField
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
    TextField,
    UUIDField,
)
from django.db.models.base import ModelState


def column_names(model: type[Model], related: Sequence[str], only: Sequence[str]) -> list[str]:
    """The columns to ask for, as paths, in the order in which `maker` is given them."""
    return [
        f"{path}{field.attname}"
        for path, at in _models(model, related)
        for field in _fields(path, at, only)
    ]


def maker(
    model: type[Model], related: Sequence[str], only: Sequence[str], also: Sequence[str]
) -> Callable[[list[list[Any]]], list[Any]]:
    """What makes instances of lists of JSON's values: of `column_names`, then of `also`, which
    become attributes as they are.

    Raises TypeError for a kind of field that JSON may not carry as it is.
    """
    top, *others = _kinds(model, related, only)
    if not others and not also:
        return partial(_bare, top)
    return partial(_made, top, others, also)


def _models(model: type[Model], related: Sequence[str]) -> list[tuple[str, type[Model]]]:
    """(path, model) of the rows themselves and of what is related."""
    found: list[tuple[str, type[Model]]] = [("", model)]
    for path in related:
        at = model
        for name in path.split("__"):
            at = at._meta.get_field(name).related_model  # type: ignore[assignment]  # a foreign key's
        found.append((f"{path}__", at))
    return found


def _fields(path: str, model: type[Model], only: Sequence[str]) -> list["Field[Any, Any]"]:
    """The columns that are read of rows, or of what hangs on them by a path."""
    fields = model._meta.concrete_fields
    if not path or not only:
        return list(fields)
    return [each for each in fields if each.primary_key or f"{path}{each.attname}" in only]


@dataclass(frozen=True)
class _Kind:
    """Rows of a model among the columns of an answer: where they hang, and what becomes of values.

    holder: which of the kinds they hang on, and field what leads there; None for the rows
    themselves. key: the place of their key among their columns. converted: (place, what makes it of
    JSON's value) of those that JSON has no value for.
    """

    holder: int
    field: "Field[Any, Any] | None"
    model: type[Model]
    names: list[str]
    key: int
    converted: tuple[tuple[int, Callable[[Any], Any]], ...]


def _kinds(model: type[Model], related: Sequence[str], only: Sequence[str]) -> Iterator[_Kind]:
    models = dict(_models(model, related))
    paths = list(models)
    for path, at in models.items():
        above, _sep, name = path[:-2].rpartition("__")
        above = f"{above}__" if above else ""
        fields = _fields(path, at, only)
        names = [field.attname for field in fields]
        yield _Kind(
            paths.index(above),
            models[above]._meta.get_field(name) if path else None,  # type: ignore[arg-type]  # a column
            at, names, names.index(at._meta.pk.attname),
            tuple((at, convert) for at, field in enumerate(fields) if (convert := of_json(field))),
        )  # fmt: skip


# A float has as many digits that are certain.
MOST_DIGITS = 15
_AS_IT_IS = (IntegerField, CharField, TextField, BooleanField)


def of_json(field: "Field[Any, Any]") -> Callable[[Any], Any] | None:
    """What makes a value of the column of JSON's; None: it is the same.

    A field of our own says by `is_read_from_json` that its `to_python` does.
    """
    while isinstance(field, ForeignKey):
        field = field.target_field
    if isinstance(field, (*_AS_IT_IS, JSONField)):
        return None
    if isinstance(field, ArrayField) and isinstance(field.base_field, _AS_IT_IS):
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


def _bare(kind: _Kind, rows: list[list[Any]]) -> list[Any]:
    """Rows on which nothing hangs."""
    alias = connection.alias
    return [_instance(kind, row, alias) for row in rows]


def _made(
    top: _Kind, others: Sequence[_Kind], also: Sequence[str], rows: list[list[Any]]
) -> list[Any]:
    """Rows of models. What many of them hang on, as a zone, is one object that they share."""
    width, alias, found = len(top.names), connection.alias, []
    kinds = [(each, len(each.names), dict[Any, Model]()) for each in others]
    for row in rows:
        one = _instance(top, row[:width], alias)
        made: list[Model | None] = [one]
        begin = width
        for kind, kind_width, known in kinds:
            key = row[begin + kind.key]
            each = known.get(key)
            # None where an outer join found nothing.
            if each is None and key is not None:
                each = known[key] = _instance(kind, row[begin : begin + kind_width], alias)
            made.append(each)
            begin += kind_width
            holder = made[kind.holder]
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
