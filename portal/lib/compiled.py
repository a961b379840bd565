"""Statements whose SQL is made once in a process; from call to call only their values differ.

Django makes the SQL of a queryset anew each time. Where conditions are deep that takes longer than
the database takes to answer, so what is asked at every request is built once, with slots. The
server plans it once for each connection (prepared.py).
"""

from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from inspect import Parameter, signature
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Model, QuerySet
from django.db.models.query import get_related_populators
from django.db.models.sql.compiler import SQLCompiler

from .locks import require_transaction
from .prepared import Prepared
from .together import Part, Statement

Answers = list[list[Any]]
Planned = TypeVar("Planned")
# Of one function; what callers choose, as an order or the size of a page, may shape a statement.
MOST_SHAPES = 256


class Slot(Expression):
    """Stands in a condition for a value that is known only when the statement is carried out."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        return "%s", [self]


def compiled(build: Callable[..., Sequence[Part]]) -> Callable[..., Answers]:
    """Make of a function that builds parts one that answers them as `together` does.

    What is passed by position shapes the SQL and is hashable. What is passed by keyword is a value:
    the function is given a slot for it, to compare columns with, and may not look at it. None is
    no such value, as nothing equals NULL, unless the parameter says `= None`: then it is NULL.
    """
    return _compiled(build, is_kept=True)


def compiled_each(build: Callable[..., Sequence[Part]]) -> Callable[..., Answers]:
    """As `compiled`, but planned for the values of each call, where these decide which is best."""
    return _compiled(build, is_kept=False)


def _compiled(
    build: Callable[..., Sequence[Part]], *, is_kept: bool
) -> Callable[..., Answers]:  # fmt: skip
    names, nullable = _slots(build), _nullable(build)

    @lru_cache(maxsize=MOST_SHAPES)
    @_with_every_slot(names, attrgetter("statement.parameters"))
    def plan(*shape: Hashable) -> _Plan:
        return _Plan.of(build(*shape, **{name: Slot(name) for name in names}), is_kept=is_kept)

    @wraps(build)
    def ask(*shape: Hashable, **values: Any) -> Answers:
        return plan(*shape).answers(_given(values, nullable))

    return ask


def compiled_rows(
    build: Callable[..., QuerySet[Any]], *, ending: str = ""
) -> Callable[..., list[Any]]:
    """As `compiled`, of a function that builds a queryset of models: the rows themselves.

    For rows that are locked, so it is asked inside a transaction. ending: what follows the
    statement, as FOR SHARE, which Django lacks.
    """
    names, nullable = _slots(build), _nullable(build)

    @lru_cache(maxsize=MOST_SHAPES)
    @_with_every_slot(names, attrgetter("parameters"))
    def plan(*shape: Hashable) -> _RowsPlan:
        return _RowsPlan.of(build(*shape, **{name: Slot(name) for name in names}), ending)

    @wraps(build)
    def ask(*shape: Hashable, **values: Any) -> list[Any]:
        require_transaction()
        return plan(*shape).rows(_given(values, nullable))

    return ask


def compiled_sql(
    build: Callable[..., QuerySet[Any, Any]],
) -> Callable[..., tuple[str, list[Any]]]:
    """As `compiled`: the SQL of a queryset and its parameters, for a statement around it."""
    names, nullable = _slots(build), _nullable(build)

    @lru_cache(maxsize=MOST_SHAPES)
    @_with_every_slot(names, itemgetter(1))
    def plan(*shape: Hashable) -> tuple[str, tuple[Any, ...]]:
        queryset = build(*shape, **{name: Slot(name) for name in names})
        sql, parameters = queryset.query.sql_with_params()
        return sql, tuple(parameters)

    @wraps(build)
    def ask(*shape: Hashable, **values: Any) -> tuple[str, list[Any]]:
        sql, parameters = plan(*shape)
        return sql, _bound(parameters, _given(values, nullable))

    return ask


def _slots(build: Callable[..., Any]) -> tuple[str, ...]:
    kinds = signature(build).parameters.values()
    return tuple(each.name for each in kinds if each.kind is Parameter.KEYWORD_ONLY)


def _nullable(build: Callable[..., Any]) -> frozenset[str]:
    kinds = signature(build).parameters.values()
    return frozenset(each.name for each in kinds if each.default is None)


def _given(values: dict[str, Any], nullable: frozenset[str]) -> dict[str, Any]:
    for name, value in values.items():
        if value is None and name not in nullable:
            raise TypeError(f"{name} is None, and nothing equals NULL")
    return values


def _with_every_slot(
    names: Collection[str], parameters_of: Callable[[Any], Sequence[Any]]
) -> Callable[[Callable[..., Planned]], Callable[..., Planned]]:
    """Raises TypeError where a value would have no effect. Only of what has one shape: another may
    do without."""

    def checked(plan: Callable[..., Planned]) -> Callable[..., Planned]:
        def of(*shape: Hashable) -> Planned:
            found = plan(*shape)
            there = {each.name for each in parameters_of(found) if isinstance(each, Slot)}
            if not shape and (lost := set(names) - there):
                raise TypeError(f"the statement does not ask for {', '.join(sorted(lost))}")
            return found

        return of

    return checked


@dataclass(frozen=True)
class _Plan:
    """A statement with slots among its parameters."""

    statement: Statement
    prepared: Prepared | None

    @classmethod
    def of(cls, parts: Sequence[Part], *, is_kept: bool) -> "_Plan":
        made = Statement.of(parts)
        if made.sql is None:
            return cls(made, None)
        return cls(made, _prepared(made.sql, made.parameters, is_kept=is_kept))

    def answers(self, values: dict[str, Any]) -> Answers:
        if self.prepared is None:
            return self.statement.nothing()
        (found,) = self.prepared.rows(values)
        return self.statement.made(found)


@dataclass(frozen=True)
class _RowsPlan:
    """A statement whose rows are models, and what becomes of their columns.

    own: the places of the model's own, and what they are called; related: Django's makers of what
    `select_related` names; converted: (place, what its value goes through).
    """

    model: type[Model]
    own: tuple[slice, list[str]]
    related: Sequence[Any]
    converted: Sequence[tuple[int, Sequence[Any], Expression]]
    parameters: tuple[Any, ...]
    prepared: Prepared

    @classmethod
    def of(cls, queryset: QuerySet[Any], ending: str) -> "_RowsPlan":
        compiler: Any = queryset.query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        if compiler.has_extra_select or compiler.annotation_col_map:
            raise TypeError(
                "what rows are put in order by, or say besides, is none of their columns"
            )
        select, shape = compiler.select, compiler.klass_info
        columns = shape["select_fields"]
        own = slice(columns[0], columns[-1] + 1)
        converters = compiler.get_converters(each[0] for each in select)
        return cls(
            model=queryset.model,
            own=(own, [each[0].target.attname for each in select[own]]),
            related=get_related_populators(shape, select, connection.alias),  # type: ignore[call-arg]  # of Django 6
            converted=[(place, *each) for place, each in converters.items()],
            parameters=tuple(parameters),
            prepared=_prepared(f"{sql} {ending}".rstrip(), parameters),
        )

    def rows(self, values: dict[str, Any]) -> list[Any]:
        return [self._row(list(each)) for each in self.prepared.rows(values)]

    def _row(self, values: list[Any]) -> Model:
        for place, converters, expression in self.converted:
            for convert in converters:
                values[place] = convert(values[place], expression, connection)
        own, names = self.own
        made = self.model.from_db(connection.alias, names, values[own])
        for each in self.related:
            each.populate(values, made)
        return made


def _prepared(sql: str, parameters: Sequence[Any], *, is_kept: bool = True) -> Prepared:
    names = [each.name if isinstance(each, Slot) else None for each in parameters]
    return Prepared(sql, parameters, names, is_kept=is_kept)


def _bound(parameters: Sequence[Any], values: dict[str, Any]) -> list[Any]:
    return [values[each.name] if isinstance(each, Slot) else each for each in parameters]
