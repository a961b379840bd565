"""The record of acts, for programs that follow it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext_lazy
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.models import Event, Unit
from projects.queries.eras import check_stands
from projects.queries.events import (
    IsBefore,
    Place,
    feed,
    feed_seen,
    horizon,
    place_before,
    visible_events,
)
from projects.verbs import VERBS

from . import sheets
from .asked import filters, viewer_in
from .describe import LIST, operation
from .doors import api_view
from .fields import Filters, NumberInAddress, Slug
from .listing import MAX_PAGE_SIZE, PAGE_SIZE, fields_parameter, read_size
from .pages import check_fields, chosen
from .shapes.operations import EventSerializer, Feed
from .showing import show_all


class PlaceField(serializers.CharField):
    """Where a reader stands, as the feed wrote it."""

    default_error_messages = {"place": gettext_lazy("Send back `after` as the feed gave it.")}

    def to_internal_value(self, data: Any) -> Any:
        try:
            return Place.read(super().to_internal_value(data))
        except ValueError:
            self.fail("place")


class Verbs(serializers.CharField):
    """Verbs of the record, separated by commas."""

    default_error_messages = {
        "verb": gettext_lazy("There is no verb %(verb)s; docs/events.md names all.")
    }

    def to_internal_value(self, data: Any) -> Any:
        verbs = super().to_internal_value(data).split(",")
        for each in verbs:
            if each not in VERBS:
                raise serializers.ValidationError(
                    self.error_messages["verb"] % {"verb": each[:60]}, code="verb"
                )
        return verbs


class EventFilters(Filters):
    after = PlaceField(required=False, help_text="The `after` of the page before.")
    page_size = NumberInAddress(default=PAGE_SIZE, min_value=1, max_value=MAX_PAGE_SIZE)
    project = Slug(required=False)
    request = NumberInAddress(required=False, min_value=1, max_value=2**63 - 1)
    unit = Slug(
        required=False, help_text="Acts on this unit and all below it, and on projects there."
    )
    verb = Verbs(required=False, help_text="One or more of docs/events.md, separated by commas.")
    since = serializers.DateTimeField(
        required=False, help_text="Acts that began at this moment or later."
    )


@shows("own")
@operation(
    "list_events", "Follow the record of acts", answers=Feed, refuses=(*LIST, 410), tag="events",
    filters=[EventFilters, fields_parameter(EventSerializer)],
    about="Your own acts and those of what you may see, in the order of the record. Start "
    "without `after`, then send back the one of the page before: nothing is missed and "
    "nothing comes twice, also while others write. An act appears once every transaction "
    "that began before it is over. As CSV it is all that there is by now; the header `After` "
    "says where to read on.",
    has_sheet=True,
)  # fmt: skip
@api_view(["GET"])
def event_list(request: Request) -> HttpResponseBase:
    asked, viewer = filters(request, EventFilters), viewer_in(request)
    before: Place = asked.get("after", Place(0, 0))
    if "after" in asked:
        check_stands(before)
    names = chosen(request)
    check_fields(EventSerializer, names)
    is_sheet = request.accepted_renderer.format == sheets.Sheet.format
    if not is_sheet and viewer.place is None and asked.keys() <= {"after", "page_size"}:
        found = feed_seen(viewer, before, read_size(asked["page_size"]))
        return Response(_page(found[: asked["page_size"]], before, names))
    rows = _narrowed(visible_events(viewer), asked)
    if "since" in asked and "after" not in asked:
        # Where reading begins; from there on each page has its own place.
        before = place_before(asked["since"])
    if is_sheet:
        return _sheet(request, rows, before, names)
    return Response(_page(feed(rows, before, asked["page_size"]), before, names))


def _narrowed(rows: QuerySet[Event], asked: Mapping[str, Any]) -> QuerySet[Event]:
    if "project" in asked:
        rows = rows.filter(project__slug=asked["project"])
    if "request" in asked:
        rows = rows.filter(subject_kind="request", subject_id=asked["request"])
    if "unit" in asked:
        rows = rows.filter(_in_unit(asked["unit"]))
    if "verb" in asked:
        rows = rows.filter(verb__in=asked["verb"])
    return rows.filter(at__gte=asked["since"]) if "since" in asked else rows


def _page(found: Sequence[Event], before: Place, names: Sequence[str] | None) -> dict[str, Any]:
    """These events as a Feed, and where to read on after them, or after `before` if none came."""
    after = Place(found[-1].xid, found[-1].pk) if found else before
    return {"results": show_all(EventSerializer, found, names=names), "after": str(after)}


def _sheet(
    request: Request, rows: QuerySet[Event], before: Place, names: Sequence[str] | None
) -> HttpResponseBase:
    """All up to what is known as it begins."""
    tip = max(before, horizon())

    def pages() -> Iterator[list[dict[str, Any]]]:
        place, found = before, [Event()] * MAX_PAGE_SIZE
        while len(found) == MAX_PAGE_SIZE:
            found = feed(rows.filter(IsBefore.of(tip)), place, MAX_PAGE_SIZE)
            page = _page(found, place, names)
            place = Place.read(page["after"])
            yield page["results"]

    paths = sheets.columns(EventSerializer(), names or tuple(EventSerializer().fields))
    return sheets.streamed(request, paths, pages(), {"After": str(tip)})


def _in_unit(slug: str) -> Q:
    """The condition on an event that it is about a unit, what is below it, or a project there."""
    top = Unit.objects.filter(slug=slug).first()
    if top is None:
        return Q(pk__in=[])
    return Q(unit__path__startswith=top.path) | Q(project__unit__path__startswith=top.path)
