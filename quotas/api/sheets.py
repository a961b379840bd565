"""Lists as CSV, for people with a spreadsheet: one row each, nested values in columns of their own.

Texts that a spreadsheet would carry out as a formula are marked as texts; numbers stay numbers.
Nothing is held but one page: rows go out as they are read.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.drainage import get_override
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

BETWEEN = "; "
# What begins a formula (also as wide characters), at the start of a cell or of what some
# spreadsheet would take for one, as separators differ from country to country.
_FORMULA = re.compile("(^|[;,|\t\r\n\"'])(\\s*)(?=[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20])")
Path = tuple[str, ...]


class Sheet(JSONRenderer):
    """Accepts text/csv; rows are written by `lines`, and only a refusal is rendered here."""

    media_type = "text/csv"
    format = "csv"


def columns(shape: serializers.BaseSerializer[Any], names: Iterable[str]) -> list[Path]:
    """The paths of the values of these fields: ("project", "slug")."""
    fields = getattr(shape, "fields", {})
    return [path for name in names for path in _paths(fields[name], name, shape)]


def header(paths: Sequence[Path]) -> list[str]:
    return [".".join(path) for path in paths]


def cells(row: Mapping[str, Any], paths: Sequence[Path]) -> list[Any]:
    return [_cell(row, path) for path in paths]


def lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Each row as a line of the file."""
    writer = csv.writer(_Line())
    return (writer.writerow(row) for row in rows)


def streamed(
    request: Request,
    paths: Sequence[Path],
    pages: Iterator[Iterable[Mapping[str, Any]]],
    headers: Mapping[str, str],
) -> StreamingHttpResponse:
    """A file of all rows of these pages, of which there is one at least, called as the list is."""
    # What is wrong is told before the first byte is sent.
    first = next(pages)
    told = ((cells(each, paths) for each in page) for page in chain([first], pages))
    body = lines(chain([header(paths)], chain.from_iterable(told)))
    match = request._request.resolver_match
    name = (match.url_name if match and match.url_name else "list").removeprefix("api_")
    return StreamingHttpResponse(
        body,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"', **headers},
    )


class _Line:
    """Gives back what is written, instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def _paths(field: Any, name: str, shape: Any) -> Iterator[Path]:
    inner = _inner(field, name, shape)
    if inner is None or not getattr(inner, "fields", None):
        yield (name,)
        return
    for each, value in inner.fields.items():
        for path in _paths(value, each, inner):
            yield (name, *path)


def _inner(field: Any, name: str, shape: Any) -> Any:
    """The shape of a nested value, or of each in a list of them; None: a plain value."""
    if isinstance(field, serializers.SerializerMethodField):
        told = get_override(getattr(shape, field.method_name or f"get_{name}"), "field")
        field = told() if isinstance(told, type) else told
    if isinstance(field, serializers.ListSerializer):
        field = field.child
    return field if isinstance(field, serializers.BaseSerializer) else None


def _cell(value: Any, path: Path) -> Any:
    found = list(_values(value, path))
    if len(found) == 1:
        return _plain(found[0])
    return BETWEEN.join(str(_plain(each)) for each in found)


def _values(value: Any, path: Path) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _values(each, path)
    elif path and isinstance(value, Mapping):
        yield from _values(value.get(path[0]), path[1:])
    else:
        yield value


def _plain(value: Any) -> Any:
    """A cell: a number as it is, all else a text that is none but a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else str(value)
    return _FORMULA.sub(r"\1'\2", text)
