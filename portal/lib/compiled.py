"""Statements whose SQL is made once in a process; from call to call only their values differ.

Django makes the SQL of a queryset anew each time. Where conditions are deep that takes longer than
the database takes to answer, so what is asked at every request is built once, with slots.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from inspect import Parameter, signature
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression
from django.db.models.sql.compiler import SQLCompiler

from .together import Part, Statement

Answers = list[list[Any]]
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
    the function is given a slot for it, to compare columns with, and may not look at it.
    """
    kinds = signature(build).parameters.values()
    names = tuple(each.name for each in kinds if each.kind is Parameter.KEYWORD_ONLY)

    @lru_cache(maxsize=MOST_SHAPES)
    def plan(*shape: Hashable) -> _Plan:
        return _Plan.of(build(*shape, **{name: Slot(name) for name in names}))

    @wraps(build)
    def ask(*shape: Hashable, **values: Any) -> Answers:
        return plan(*shape).answers(values)

    return ask


@dataclass(frozen=True)
class _Plan:
    """A statement and, for each of its parameters, the name of the value or None: it is fixed."""

    statement: Statement
    names: tuple[str | None, ...]

    @classmethod
    def of(cls, parts: Sequence[Part]) -> "_Plan":
        statement = Statement.of(parts)
        names = (each.name if isinstance(each, Slot) else None for each in statement.parameters)
        return cls(statement, tuple(names))

    def answers(self, values: dict[str, Any]) -> Answers:
        fixed = self.statement.parameters
        return self.statement.answers(
            [
                each if name is None else values[name]
                for name, each in zip(self.names, fixed, strict=True)
            ]
        )
