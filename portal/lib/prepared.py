"""Statements that the server plans once for each connection; from call to call only values differ.

Where a statement asks twenty things at once, planning takes longer than the answer. Driver and
server keep the plans: `prepare_threshold` (portal/connecting.py) says whether, and where it says
nothing, as behind a pooler, a statement is sent whole with its values in it, as any other.

What is known as the statement is made stands in its text, so that plans may rest on it, as on the
condition of a partial index. Values are not looked at for a plan: it is the one for any of them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg import ClientCursor, Connection, RawCursor, sql
from psycopg.types.numeric import Int8

# A place for a parameter, or a "%" that is meant.
_MARK = re.compile("%[s%]")


class Prepared:
    """A statement with places for values.

    parameters: in the order of its "%s"; names: which of them are values, None for the others.
    is_kept: whether one plan is for all values; else it is sent whole each time.
    """

    def __init__(
        self, text: str, parameters: Sequence[Any], names: Sequence[str | None], *,
        is_kept: bool = True,
    ) -> None:  # fmt: skip
        self._is_kept = is_kept
        self._asked = text
        self._parameters = tuple(parameters)
        self._names = tuple(names)
        # Each value once, however often the statement has it.
        self._values = tuple(dict.fromkeys(each for each in names if each is not None))
        self._prepared: bytes | None = None

    def rows(self, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """What the statement answers; nothing for one without RETURNING."""
        with connection.cursor() as cursor:
            self._get_ready(cursor, values)
            # Whoever counts or shows statements sees this one as it would be without a plan.
            cursor.execute(self._asked, self._bound(values))
            # `description` would make an object of each column.
            answer = cast("Any", cursor.cursor).pgresult
            return cursor.fetchall() if answer.nfields else []

    def _get_ready(self, cursor: CursorWrapper, values: Mapping[str, Any]) -> None:
        link = cast("Connection[Any]", cursor.cursor.connection)
        if not self._is_kept or link.prepare_threshold is None:
            return
        if self._prepared is None:
            self._prepared = self._made(link)
        sent = [_sent(values[each]) for each in self._values]
        cursor.cursor = PreparedCursor(link, self._prepared, sent)

    def _bound(self, values: Mapping[str, Any]) -> list[Any]:
        pairs = zip(self._parameters, self._names, strict=True)
        return [values[name] if name is not None else each for each, name in pairs]

    def _made(self, link: "Connection[Any]") -> bytes:
        """The text as the server gets it: `$1` for the first value, all else as it is."""
        places = {name: b"$%d" % number for number, name in enumerate(self._values, 1)}
        pairs = iter(zip(self._parameters, self._names, strict=True))
        made, end = list[bytes](), 0
        for mark in _MARK.finditer(self._asked):
            made.append(self._asked[end : mark.start()].encode())
            end = mark.end()
            if mark.group() == "%%":
                made.append(b"%")
                continue
            value, name = next(pairs)
            made.append(sql.Literal(value).as_bytes(link) if name is None else places[name])
        return b"".join([*made, self._asked[end:].encode()])


class PreparedCursor(RawCursor[Any]):
    """The driver's cursor of one prepared statement, with the values of one call.

    text: as the server has it.
    """

    def __init__(self, link: "Connection[Any]", text: bytes, values: Sequence[Any]) -> None:
        super().__init__(link)
        self.text = text
        self._sent = values

    def execute(self, query: Any, params: Any = None, **_options: Any) -> "PreparedCursor":
        super().execute(self.text, self._sent, prepare=True)
        if connection.queries_logged:
            # Where Django looks for what it logs.
            self._query = _Shown(ClientCursor(self.connection).mogrify(query, params).encode())  # type: ignore[assignment]
        return self


class _Shown(NamedTuple):
    query: bytes


def _sent(value: Any) -> Any:
    """The value as of one type, whatever it is: each set of types would be a plan of its own.

    A number is a bigint; the driver would take the smallest integer that holds it. A list of
    numbers is a text that the statement says the type of, as an empty one has none of its own.
    """
    if isinstance(value, list):
        if all(each is None or type(each) is int for each in value):
            return "{" + ",".join("NULL" if each is None else str(each) for each in value) + "}"
        return [_sent(each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return Int8(value)
    return value
