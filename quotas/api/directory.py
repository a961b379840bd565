"""What the directory said, when, and what of it was not believed."""

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.queries.directory import directory_standing, run_rows, runs

from .asked import filters
from .describe import LIST, READ, operation
from .doors import api_view
from .pages import answer_page, page_of
from .persons import people_reader
from .shapes.persons import DirectoryRunSerializer, DirectorySerializer

TAG = "people"


@shows("people")
@operation(
    "get_directory", "Tell how old what the directory said is", answers=DirectorySerializer,
    refuses=(*READ, 403), tag=TAG, about="For operators and auditors.",
)  # fmt: skip
@api_view(["GET"])
def directory_state(request: Request) -> Response:
    people_reader(request)
    return Response(DirectorySerializer(directory_standing()).data)


@shows("people")
@operation(
    "list_directory_runs", "List the readings of the directory",
    answers=page_of(DirectoryRunSerializer, "-id", "id"), refuses=(*LIST, 403), tag=TAG,
    about="The newest first, each with what it changed, and the parts that were left as they "
    "are as too many would have gone at once: an operator has these done by the command.",
)  # fmt: skip
@api_view(["GET"])
def run_list(request: Request) -> HttpResponseBase:
    people_reader(request)
    filters(request)
    return answer_page(request, runs(), DirectoryRunSerializer, made=run_rows)
