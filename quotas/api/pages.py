"""Lists: a cursor, a capped size, an order, chosen fields, what changed since, as JSON or CSV.

All of it stands here once: a list says what its rows are and what its `Listing` declares.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from portal.lib.errors import Invalid
from projects.queries.eras import check_stands
from projects.queries.events import Place, Window, horizon

from . import sheets
from .cursors import Cursor, Order
from .listing import (
    MAX_PAGE_SIZE,
    PAGE_SIZE,
    SINCE,
    UNTIL,
    Changed,
    Listing,
    Shape,
    listing_in,
    names_of,
    read_size,
)
from .showing import show_all

Context = Callable[[Sequence[Any]], Mapping[str, Any]]
Made = Callable[[Sequence[Any]], Sequence[Any]]
# So many rows from the beginning of an order.
First = Callable[[Order, int], list[Any]]


def page_of(shape: Shape, *orders: str, changed: Changed | None = None) -> Listing:
    """What `operation` says a list answers; see Listing."""
    return Listing(shape, orders, changed)


def answer_page(
    request: Request,
    rows: QuerySet[Any],
    shape: Shape,
    *,
    ordering: str = "",
    context: Context | None = None,
    made: Made | None = None,
    first: First | None = None,
) -> HttpResponseBase:
    """One page of `rows`, or with `Accept: text/csv` all of them.

    ordering: where the list declares none. context(rows of the page) → for the shape;
    made(rows of the page) → what the shape shows of each, in the same order. first: a quicker way
    to the first page of the same rows, for all that is asked of them but what changed.
    """
    listing = listing_in(request) or Listing(shape)
    order = Order.of(rows.model, _order(request, listing) or ordering)
    shown = _Shown(shape, chosen(request), context, made)
    shown.check()
    until = _until(request, listing)
    if until is not None and SINCE in request.query_params:
        window = Window(_since(request.query_params[SINCE]), until)
        rows = rows.filter(listing.changed(window))  # type: ignore[misc]  # it has a marker
        first = None
    text = request.query_params.get("cursor", "")
    cursor = Cursor.read(text, order) if text else None
    size = _size(request)
    if request.accepted_renderer.format == sheets.Sheet.format:
        return _sheet(request, rows, order, cursor, shown, until)
    if first is not None and cursor is None:
        found = first(order, read_size(size) + 1)[: size + 1]
    else:
        found = order.cut(rows, cursor, size + 1)
    return _page(request, found, order, cursor, shown, until, size)


def chosen(request: Request) -> tuple[str, ...] | None:
    """The fields that were asked for, None: all."""
    text = request.query_params.get("fields")
    return None if text is None else tuple(dict.fromkeys(text.split(",")))


def check_fields(shape: Shape, names: Sequence[str] | None) -> None:
    """Raise Invalid, naming those there are, where a shape lacks one of these fields."""
    if names is not None:
        check_names(names, dict.fromkeys(names_of(shape)))


def check_names(names: Sequence[str] | None, known: Mapping[str, Any]) -> None:
    """Raise Invalid, naming those there are, where a field is not among the known."""
    unknown = [each for each in names or () if each not in known]
    if unknown:
        words = {"unknown": unknown[0][:60], "known": ", ".join(known)}
        sentence = _("There is no field %(unknown)s here. There are: %(known)s.") % words
        raise Invalid({"fields": [sentence]})


def narrowed(request: Request, answer: Response) -> Response:
    """The answer about one thing with the fields that were asked for alone."""
    names = chosen(request)
    if names is None:
        return answer
    if isinstance(answer.data, list):
        shape = getattr(answer.data, "serializer", None)
        check_names(names, getattr(getattr(shape, "child", None), "fields", {}))
        answer.data = [{name: each[name] for name in names} for each in answer.data]
    elif answer.data is not None:
        check_names(names, answer.data)
        answer.data = {name: answer.data[name] for name in names}
    return answer


@dataclass(frozen=True)
class _Shown:
    """How rows become what is sent."""

    shape: Shape
    names: tuple[str, ...] | None
    context: Context | None
    made: Made | None

    def check(self) -> None:
        check_fields(self.shape, self.names)

    def of(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        context = self.context(rows) if self.context else {}
        return show_all(self.shape, self.made(rows) if self.made else rows, context, self.names)

    @property
    def paths(self) -> list[sheets.Path]:
        shape = self.shape()
        return sheets.columns(shape, self.names or tuple(shape.fields))  # type: ignore[attr-defined]  # a list's rows have fields


def _page(
    request: Request,
    found: list[Any],
    order: Order,
    cursor: Cursor | None,
    shown: _Shown,
    until: Place | None,
    size: int,
) -> Response:
    has_more, found = len(found) > size, found[:size]
    is_back = cursor is not None and cursor.is_back
    if is_back:
        found.reverse()
    has_next, has_previous = (True, has_more) if is_back else (has_more, cursor is not None)

    def link(is_there: bool, row: int, *, is_back: bool) -> str | None:
        if not is_there or not found:
            return None
        at = Cursor.at(found[row], order, is_back=is_back)
        url = replace_query_param(request.build_absolute_uri(), "cursor", str(at))
        return url if until is None else replace_query_param(url, UNTIL, str(until))

    body = {
        "next": link(has_next, -1, is_back=False),
        "previous": link(has_previous, 0, is_back=True),
        "results": shown.of(found),
    }
    return Response(body if until is None else body | {UNTIL: str(until)})


def _sheet(
    request: Request,
    rows: QuerySet[Any],
    order: Order,
    cursor: Cursor | None,
    shown: _Shown,
    until: Place | None,
) -> HttpResponseBase:
    headers = {} if until is None else {"Updated-Until": str(until)}
    pages = _all_pages(rows, order, cursor, shown)
    return sheets.streamed(request, shown.paths, pages, headers)


def _all_pages(
    rows: QuerySet[Any], order: Order, cursor: Cursor | None, shown: _Shown
) -> Iterator[list[dict[str, Any]]]:
    """Page after page until nothing comes; at least one, which may be empty."""
    while True:
        found = order.cut(rows, cursor, MAX_PAGE_SIZE)
        yield shown.of(found)
        if len(found) < MAX_PAGE_SIZE:
            return
        cursor = Cursor.at(found[-1], order, is_back=cursor is not None and cursor.is_back)


def _size(request: Request) -> int:
    text = request.query_params.get("page_size", str(PAGE_SIZE))
    if not (text.isascii() and text.isdigit() and int(text[:9])):
        raise Invalid({"page_size": [_("Give a whole number above 0.")]})
    return min(int(text[:9]), MAX_PAGE_SIZE)


def _order(request: Request, listing: Listing) -> str:
    """The order that was asked for, or the list's own; "" where it declares none."""
    asked = request.query_params.get("order")
    if asked is not None and asked not in listing.orders:
        there_are = _("There are: %(orders)s.") % {"orders": ", ".join(listing.orders)}
        raise Invalid({"order": [_("There is no such order here.") + " " + there_are]})
    return asked or (listing.orders[0] if listing.orders else "")


def _until(request: Request, listing: Listing) -> Place | None:
    """Up to where this list tells of changes, the same for all its pages; None: it tells none."""
    if listing.changed is None:
        return None
    text = request.query_params.get(UNTIL)
    if text is None:
        return horizon()
    try:
        return Place.read(text)
    except ValueError as error:
        raise Invalid({UNTIL: [_("Follow `next` as it was given.")]}) from error


def _since(text: str) -> Any:
    """A place in the record, or a moment with its zone."""
    try:
        place = Place.read(text)
    except ValueError:
        pass
    else:
        check_stands(place)
        return place
    try:
        # In an address "+" is a space.
        moment = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        moment = None
    # Nothing is recorded before; what is far ahead cannot be told in every zone.
    if moment is None or moment.tzinfo is None or not 1970 <= moment.year < 9000:
        sentence = _(
            "Send `updated_until` back as an answer gave it, or a moment with its time zone."
        )
        raise Invalid({SINCE: [sentence]})
    return moment
