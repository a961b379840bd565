"""Long work through the API: started by a verb on many things, followed here."""

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from portal.lib.access import shows
from projects.queries.viewers import Viewer
from quotas.models import Job
from quotas.queries.jobs import item_rows, items_of, job_rows, visible_jobs
from quotas.states import ItemState

from .asked import filters, one, viewer_in
from .describe import LIST, READ, operation
from .doors import api_view
from .fields import Filters
from .pages import answer_page, page_of
from .shapes.jobs import JobItemSerializer, JobSerializer

TAG = "jobs"


class ItemFilters(Filters):
    state = serializers.ChoiceField(choices=ItemState.values, required=False)


@shows("own")
@operation(
    "list_jobs", "List the jobs you started",
    answers=page_of(JobSerializer, "-id", "id"), refuses=LIST,
    tag=TAG, about="The newest first; operators and auditors see those of all.",
)  # fmt: skip
@api_view(["GET"])
def job_list(request: Request) -> HttpResponseBase:
    filters(request)
    viewer = viewer_in(request)
    return answer_page(
        request, visible_jobs(viewer), JobSerializer,
        made=lambda page: job_rows(page, viewer.now),
    )  # fmt: skip


@shows("job")
@operation("get_job", "Show a job and how far it is", answers=JobSerializer, refuses=READ, tag=TAG)
@api_view(["GET"])
def job_detail(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    return Response(_shown(viewer, one(visible_jobs(viewer), pk=pk)))


@shows("job")
@operation(
    "list_job_items", "List what became of each item of a job",
    answers=page_of(JobItemSerializer, "id", "-id"),
    refuses=(*LIST, 404), tag=TAG, filters=[ItemFilters],
)  # fmt: skip
@api_view(["GET"])
def job_items(request: Request, pk: int) -> HttpResponseBase:
    asked = filters(request, ItemFilters)
    viewer = viewer_in(request)
    job = one(visible_jobs(viewer), pk=pk)
    return answer_page(
        request, items_of(job, asked.get("state", "")), JobItemSerializer,
        context=lambda page: {
            "subjects": {row.item.pk: row.subject for row in item_rows(page, viewer)}
        },
    )  # fmt: skip


def answer_started(request: Request, viewer: Viewer, job: Job) -> Response:
    """202: the work goes on by itself; Location is where to follow it."""
    where = reverse("api_job", [job.pk], request=request)
    return Response(_shown(viewer, job), status=202, headers={"Location": where})


def _shown(viewer: Viewer, job: Job) -> dict[str, object]:
    return dict(JobSerializer(job_rows([job], viewer.now)[0]).data)
