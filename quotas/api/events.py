"""The record of acts, for programs that follow it."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.queries.events import Place, feed, visible_events

from .asked import filters, viewer_in
from .describe import LIST, operation
from .doors import api_view
from .fields import Filters
from .pages import MAX_PAGE_SIZE, PAGE_SIZE
from .shapes.operations import Feed


class PlaceField(serializers.CharField):
    """Where a reader stands, as the feed wrote it."""

    default_error_messages = {"place": _("Send back `after` as the feed gave it.")}

    def to_internal_value(self, data: Any) -> Any:
        try:
            return Place.read(super().to_internal_value(data))
        except ValueError:
            self.fail("place")


class EventFilters(Filters):
    after = PlaceField(required=False, help_text="The `after` of the page before.")
    page_size = serializers.IntegerField(default=PAGE_SIZE, min_value=1, max_value=MAX_PAGE_SIZE)
    project = serializers.SlugField(required=False)
    request = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


@shows("own")
@operation(
    "list_events", "Follow the record of acts", answers=Feed, refuses=LIST, tag="events",
    filters=[EventFilters],
    about="Your own acts and those of what you may see, in the order of the record. Start "
    "without `after`, then send back the one of the page before: nothing is missed and "
    "nothing comes twice, also while others write. An act appears once every transaction "
    "that began before it is over.",
)  # fmt: skip
@api_view(["GET"])
def event_list(request: Request) -> Response:
    asked, rows = filters(request, EventFilters), visible_events(viewer_in(request))
    if "project" in asked:
        rows = rows.filter(project__slug=asked["project"])
    if "request" in asked:
        rows = rows.filter(subject_kind="request", subject_id=asked["request"])
    found = feed(rows, asked.get("after"), asked["page_size"])
    before = asked.get("after", Place(0, 0))
    after = Place(found[-1].xid, found[-1].pk) if found else before
    return Response(Feed({"results": found, "after": str(after)}).data)
