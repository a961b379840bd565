"""What the caller was told, what of it they have seen, and which requests they follow."""

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.outgoing.notices import mark_all_read, mark_read
from projects.states import TokenScope
from quotas.actions.watching import unwatch, watch
from quotas.queries.notices import notice_rows, notices_of

from .asked import body, filters, viewer_in, visible_request
from .describe import LIST, WRITE, operation
from .doors import api_view
from .fields import Filters, YesNoInAddress
from .pages import answer_page, page_of
from .scopes import needs
from .shapes.notices import NoticeSerializer, ReadInput, ReadSerializer
from .shapes.requests import NothingInput

TAG = "notices"


class NoticeFilters(Filters):
    unread = YesNoInAddress(default=False, help_text="Only what was not seen yet.")


@shows("own")
@operation(
    "list_notices", "List what you were told",
    answers=page_of(NoticeSerializer, "-id", "id"), refuses=LIST,
    tag=TAG, filters=[NoticeFilters],
    about="The newest first. Of what you may no longer see only that it was there.",
)  # fmt: skip
@api_view(["GET"])
def notice_list(request: Request) -> HttpResponseBase:
    asked, viewer = filters(request, NoticeFilters), viewer_in(request)
    rows = notices_of(viewer, is_unread=asked["unread"])
    return answer_page(
        request, rows, NoticeSerializer,
        made=lambda page: notice_rows(page, viewer),
    )  # fmt: skip


@needs(TokenScope.LISTEN)
@shows("own")
@operation(
    "read_notices", "Mark notices as seen", method="POST", body=ReadInput,
    answers=ReadSerializer, refuses=WRITE, tag=TAG,
)  # fmt: skip
@api_view(["POST"])
def notices_read(request: Request) -> Response:
    viewer = viewer_in(request)
    sent = body(request, ReadInput)
    if "newest" in sent:
        count = mark_all_read(newest=sent["newest"], actor=viewer.user, now=viewer.now)
    else:
        count = mark_read(ids=sent["ids"], actor=viewer.user, now=viewer.now)
    return Response(ReadSerializer({"count": count}).data)


@needs(TokenScope.LISTEN)
@shows("project")
@operation(
    "watch_request", "Be told of what happens to a request", method="POST", body=NothingInput,
    answers=None, status=204, refuses=WRITE, tag="requests",
    about="Who asked for it and who wrote on it is told anyway.",
)  # fmt: skip
@api_view(["POST"])
def request_watch(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = visible_request(viewer, pk)
    body(request, NothingInput)
    watch(quota_request=found, actor=viewer.user, now=viewer.now)
    return Response(status=204)


@needs(TokenScope.LISTEN)
@shows("project")
@operation(
    "unwatch_request", "Be told no more of a request", method="POST", body=NothingInput,
    answers=None, status=204, refuses=WRITE, tag="requests",
)  # fmt: skip
@api_view(["POST"])
def request_unwatch(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = visible_request(viewer, pk)
    body(request, NothingInput)
    unwatch(quota_request=found, actor=viewer.user)
    return Response(status=204)
