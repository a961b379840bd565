"""Lists in pages: a cursor, a capped size, and one shape for all of them."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.errors import Invalid

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200

Context = Callable[[Sequence[Any]], dict[str, Any]]


class Pages(CursorPagination):
    """Pages by cursor; whoever follows `next` sees each row of before once."""

    page_size = PAGE_SIZE
    max_page_size = MAX_PAGE_SIZE
    page_size_query_param = "page_size"

    def __init__(self, ordering: str) -> None:
        self.column = ordering

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> tuple[str, ...]:
        return (self.column,)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        # A cursor is opaque; one that was changed by hand may hold anything.
        except (NotFound, ValueError, ValidationError, DataError) as error:
            raise Invalid({"cursor": [_("Follow `next` as it was given.")]}) from error


def answer_page(
    request: Request,
    rows: QuerySet[Any],
    shape: type[serializers.BaseSerializer[Any]],
    *,
    ordering: str,
    context: Context | None = None,
) -> Response:
    """One page of `rows`, by a unique column. context(rows of the page) → for the shape."""
    paginator = Pages(ordering)
    found: list[Model] = paginator.paginate_queryset(rows, request) or []
    more = context(found) if context else {}
    return paginator.get_paginated_response(shape(found, many=True, context=more).data)


@cache
def page_of(shape: type[serializers.Serializer[Any]]) -> type[serializers.Serializer[Any]]:
    """The shape of a page of `shape`, for the API's document."""
    fields = {
        "next": serializers.URLField(
            allow_null=True, help_text="The next page; null on the last one."
        ),
        "previous": serializers.URLField(allow_null=True),
        "results": shape(many=True),
    }
    return type(
        f"{shape.__name__.removesuffix('Serializer')}Page", (serializers.Serializer,), fields
    )
