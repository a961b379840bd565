"""The queue through the API: what waits for the caller, narrowed, and many decided at once."""

from functools import partial

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.models import ProjectKind
from projects.queries.viewers import Viewer
from quotas.actions.bulk import check_decides_somewhere, decide_many
from quotas.actions.shown import Shown
from quotas.models import DecisionKind, QuotaRequest
from quotas.queries.queue_heads import first_by_number
from quotas.queries.queue_wishes import MOST_DAYS, Wanted
from quotas.queries.waiting import waiting
from quotas.states import AssignmentKind, Direction

from .asked import body, filters, viewer_in
from .cursors import Order
from .describe import LIST, WRITE, operation
from .doors import api_view
from .fields import Filters, NumberInAddress, Slug
from .jobs import answer_started
from .pages import answer_page, page_of
from .requests import lines_for
from .shapes.jobs import JobSerializer
from .shapes.queue import DecideManyInput
from .shapes.requests import QuotaRequestSerializer

TAG = "decisions"


class QueueFilters(Filters):
    unit = Slug(required=False, help_text="That unit and all below it.")
    zone = NumberInAddress(required=False, min_value=1, max_value=2**31 - 1)
    resource = Slug(required=False)
    kind = serializers.ChoiceField(choices=ProjectKind.values, required=False)
    task = serializers.ChoiceField(choices=AssignmentKind.values, required=False)
    endorsed = serializers.ChoiceField(choices=["yes", "no"], required=False)
    direction = serializers.ChoiceField(choices=Direction.values, required=False)
    days = NumberInAddress(
        required=False, min_value=1, max_value=MOST_DAYS, help_text="Asked at least so long ago."
    )
    text = serializers.CharField(
        required=False, max_length=100, help_text="Of a project, a requester or a number."
    )


@shows("own")
@operation(
    "list_queue", "List what waits for your decision",
    answers=page_of(QuotaRequestSerializer, "id", "-id"),
    refuses=LIST, tag=TAG, filters=[QueueFilters],
    about="Requests with an open line that waits for you, by number.",
)  # fmt: skip
@api_view(["GET"])
def queue_list(request: Request) -> HttpResponseBase:
    wanted = Wanted.read(filters(request, QueueFilters))
    viewer = viewer_in(request)
    return answer_page(
        request, waiting(viewer, wanted), QuotaRequestSerializer,
        context=lambda page: lines_for(viewer, page),
        first=partial(_first, viewer) if viewer.place is None and not wanted.is_narrowed else None,
    )  # fmt: skip


def _first(viewer: Viewer, order: Order, count: int) -> list[QuotaRequest]:
    return first_by_number(viewer, count, is_downwards=order.is_downwards)


@shows("decides")
@operation(
    "decide_many", "Decide many requests at once", method="POST", body=DecideManyInput,
    answers=JobSerializer, status=202, refuses=WRITE, tag=TAG,
    about="Starts a job with one result each: as asked, declined or returned. What you saw goes "
    "with each request: one that has changed since is refused and not decided.",
)  # fmt: skip
@api_view(["POST"])
def queue_decide(request: Request) -> Response:
    viewer = viewer_in(request)
    check_decides_somewhere(viewer)
    sent = body(request, DecideManyInput)
    job = decide_many(
        kind=DecisionKind(sent["verb"]),
        shown=[Shown(each["id"], each["version"], each["seen"]) for each in sent["requests"]],
        reason=sent["reason"], actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return answer_started(request, viewer, job)
