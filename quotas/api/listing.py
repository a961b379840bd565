"""What a list of the API can do, declared once: the view and the API's document read the same."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from django.db.models import Q
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from projects.queries.events import Window

Shape = type[serializers.BaseSerializer[Any]]
# The condition on a row that it changed within a part of the record.
Changed = Callable[[Window], Q]

PAGE_SIZE = 50
MAX_PAGE_SIZE = 200
# Each number of rows that are read would be a statement of its own in every connection.
READ_SIZES = (PAGE_SIZE, 100, MAX_PAGE_SIZE)
SINCE, UNTIL = "updated_since", "updated_until"


def read_size(size: int) -> int:
    """How many rows a statement that is compiled reads for a page of so many."""
    return next(each for each in READ_SIZES if size <= each)


@dataclass(frozen=True)
class Listing:
    """A list in pages: what a row looks like, in which orders it is read, what follows changes.

    orders: columns that are never null, the first is the list's own; "-" is downwards. None:
    only the one that the view names. changed: None where the record does not tell of each change.
    """

    shape: Shape
    orders: tuple[str, ...] = ()
    changed: Changed | None = None

    @property
    def page(self) -> type[serializers.Serializer[Any]]:
        return _page(self.shape, self.changed is not None)  # type: ignore[arg-type]  # a class

    @property
    def parameters(self) -> list[OpenApiParameter]:
        """What may be asked of it beside its filters."""
        found = [
            OpenApiParameter("cursor", description="As `next` and `previous` have it."),
            OpenApiParameter(
                "page_size",
                {"type": "integer", "minimum": 1, "default": PAGE_SIZE},
                description=f"Rows in a page; more than {MAX_PAGE_SIZE} are never sent.",
            ),
            fields_parameter(self.shape),
        ]
        if self.orders:
            found.append(
                OpenApiParameter(
                    "order", enum=self.orders,
                    description=f"`-` is downwards. Left out: `{self.orders[0]}`.",
                )
            )  # fmt: skip
        if self.changed is not None:
            found += [
                OpenApiParameter(
                    SINCE,
                    description="Only what changed since: the `updated_until` of your last "
                    "answer, or a moment for the first one (rather a little more is sent then).",
                ),
                OpenApiParameter(UNTIL, description="As `next` has it."),
            ]
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the parameters."""
        return frozenset(each.name for each in self.parameters)


def names_of(shape: Shape) -> tuple[str, ...]:
    """The names of a shape's values."""
    return tuple(shape().fields) if issubclass(shape, serializers.Serializer) else ()


def fields_parameter(shape: Shape | None = None) -> OpenApiParameter:
    """`fields`, for the API's document."""
    names = names_of(shape) if shape is not None else ()
    about = "Only these values are worked out and sent, separated by commas"
    return OpenApiParameter(
        "fields", {"type": "array", "items": {"type": "string"}}, style="form", explode=False,
        description=f"{about}: {', '.join(f'`{each}`' for each in names)}." if names
        else f"{about}.",
    )  # fmt: skip


@cache
def _page(shape: Shape, is_followed: bool) -> type[serializers.Serializer[Any]]:
    fields: dict[str, Any] = {
        "next": serializers.URLField(
            allow_null=True, help_text="The next page; null on the last one."
        ),
        "previous": serializers.URLField(allow_null=True),
        "results": shape(many=True),
    }
    if is_followed:
        fields[UNTIL] = serializers.CharField(
            help_text="Send it as `updated_since` to be told what changed after this answer."
        )
    name = shape.__name__.removesuffix("Serializer") + ("FollowedPage" if is_followed else "Page")
    return type(name, (serializers.Serializer,), fields)


CSV = (200, "text/csv")
CSV_TYPE = OpenApiTypes.STR


def listing_in(request: Request) -> Listing | None:
    """What the list that is asked declares."""
    found: Listing | None = getattr(request.parser_context["view"], "listing", None)
    return found
