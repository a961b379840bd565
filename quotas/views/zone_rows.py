"""The rows of a form about quota by zone, as there may be more of them than fit on a screen."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, Protocol, TypeVar

from quotas.forms import LineInput
from quotas.models import Offering, Zone

# From so many rows on, zones that nobody is about to change are folded.
FOLDED_FROM = 24


class Ask(Protocol):
    @property
    def offering(self) -> Offering: ...


class Row(Protocol):
    """A row of such a form: what it is about, and what was typed."""

    @property
    def ask(self) -> Any: ...

    @property
    def input(self) -> LineInput: ...


R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class ZoneRows(Generic[R]):
    """A zone and its rows, in the catalogue's order."""

    zone: Zone
    rows: Sequence[R]
    is_open: bool

    @property
    def names(self) -> str:
        """What is had there: "vCPU, RAM, Instances"."""
        return ", ".join(row.ask.offering.resource.name for row in self.rows)


def by_zone(rows: Sequence[R]) -> list[ZoneRows[R]]:
    """The zones of the rows. Open where there is quota, a wish or an error; if that is nowhere,
    the first, and all where all are few."""
    groups = [
        (zone, list(found)) for zone, found in groupby(rows, key=lambda row: row.ask.offering.zone)
    ]
    is_short = len(rows) < FOLDED_FROM
    opened = [is_short or any(map(_is_of_interest, found)) for _zone, found in groups]
    if opened and not any(opened):
        opened[0] = True
    return [
        ZoneRows(zone, found, is_open)
        for (zone, found), is_open in zip(groups, opened, strict=True)
    ]


def _is_of_interest(row: Row) -> bool:
    has_quota = bool(getattr(row.ask, "quota", 0) or getattr(row.ask, "pending_number", None))
    return has_quota or bool(row.input.text.strip() or row.input.error)
