"""What a load does to the database, as lines that a person reads before saying yes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db.models import Model

from .problems import Problems

ADDED, CHANGED, RETIRED = "+", "~", "−"
Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Change:
    """One line of the diff: a sign, what kind of thing, which one, and how."""

    sign: str
    kind: str
    what: str
    how: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {self.kind} {self.what}" + (f": {self.how}" if self.how else "")


@dataclass
class Changes:
    """Everything that a load did, and notes about what it left alone."""

    found: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, sign: str, kind: str, what: str, how: str = "") -> None:
        self.found.append(Change(sign, kind, what, how))

    def count(self, sign: str) -> int:
        return sum(each.sign == sign for each in self.found)

    def summary(self) -> str:
        """ "12 added, 1 changed, 0 retired"."""
        return (
            f"{self.count(ADDED)} added, {self.count(CHANGED)} changed, "
            f"{self.count(RETIRED)} retired"
        )


class Writer:
    """Makes rows as a file says they are, and writes down what that changed."""

    def __init__(self, changes: Changes, problems: Problems) -> None:
        self.changes = changes
        self.problems = problems

    def put(
        self,
        kind: str,
        what: str,
        row: Row | None,
        model: type[Row],
        key: Mapping[str, Any],
        fields: Mapping[str, Any],
        *,
        how: str | None = "",
    ) -> tuple[Row, frozenset[str]]:
        """The row, made or brought up to date, and which fields were not so before.

        key: what finds the row and never changes; how: said of a new row, None where its
        parent's line says it all.
        """
        if row is None:
            made = model._default_manager.create(**key, **fields)
            if how is not None:
                self.changes.add(ADDED, kind, what, how)
            return made, frozenset(fields)
        differ = {name: value for name, value in fields.items() if getattr(row, name) != value}
        if differ:
            how = ", ".join(
                f"{name} {_shown(getattr(row, name))} → {_shown(value)}"
                for name, value in differ.items()
            )
            for name, value in differ.items():
                setattr(row, name, value)
            row.save(update_fields=list(differ))
            self.changes.add(CHANGED, kind, what, how)
        return row, frozenset(differ)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    return repr(value) if isinstance(value, str) else str(value)


def listed(names: Iterable[str], most: int = 3) -> str:
    """ "a, b, c and 4 more"."""
    known = sorted(names)
    rest = len(known) - most
    return ", ".join(known[:most]) + (f" and {rest} more" if rest > 0 else "")
