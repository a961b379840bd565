"""All that happened to a project or a request, in pages or as a file, as their pages tell it."""

from django.http import HttpResponseBase
from rest_framework.request import Request

from portal.lib.access import shows
from quotas.queries.timeline_events import events_of_project, events_of_request, told

from .asked import filters, viewer_in, visible_project, visible_request
from .describe import LIST, operation
from .doors import api_view
from .pages import answer_page, page_of
from .shapes.timelines import TimelineEntrySerializer


@shows("project")
@operation(
    "list_project_timeline", "List all that happened to a project", tag="projects",
    answers=page_of(TimelineEntrySerializer, "-id", "id"), refuses=(*LIST, 404),
    about="What was asked, written, decided, delivered and done, each with a sentence in your "
    "language. As CSV it is the whole of it.",
)  # fmt: skip
@api_view(["GET"])
def project_timeline(request: Request, slug: str) -> HttpResponseBase:
    filters(request)
    rows = events_of_project(visible_project(viewer_in(request), slug))
    return answer_page(request, rows, TimelineEntrySerializer, made=told)


@shows("project")
@operation(
    "list_request_timeline", "List all that happened to a request", tag="requests",
    answers=page_of(TimelineEntrySerializer, "id", "-id"), refuses=(*LIST, 404),
    about="What was asked, written and decided, and what services said of what was granted.",
)  # fmt: skip
@api_view(["GET"])
def request_timeline(request: Request, pk: int) -> HttpResponseBase:
    filters(request)
    rows = events_of_request(visible_request(viewer_in(request), pk))
    return answer_page(request, rows, TimelineEntrySerializer, made=told)
