"""At which shares of its limits a project's people are told."""

from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.models import Project
from quotas.actions.thresholds import STALE_WORDS, set_thresholds, thresholds_of
from quotas.models import UsageThresholds
from quotas.queries.crossings import open_crossings

from .asked import body, viewer_in, visible_project
from .describe import READ, WRITE, Etag, operation
from .doors import api_view
from .shapes.thresholds import ThresholdsInput, ThresholdsSerializer
from .versions import check_match, tagged

TAG = "projects"


@shows("ask")
@operation(
    "get_thresholds", "Tell at which shares of its limits a project's people are told",
    answers=ThresholdsSerializer, refuses=READ, tag=TAG, etag=Etag.GIVES,
    about="And which limits are close now: each share is told once, and again only after use "
    "fell well below it. For whoever sees the project.",
)  # fmt: skip
@operation(
    "set_thresholds", "Set at which shares of its limits a project's people are told",
    method="PUT", body=ThresholdsInput, answers=ThresholdsSerializer, refuses=WRITE, tag=TAG,
    etag=Etag.CHECKS,
    about="By its owners and managers, beside those of the site. It holds from the next reading "
    "on.",
)  # fmt: skip
@api_view(["GET", "PUT"])
def project_thresholds(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    thresholds = thresholds_of(project)
    if request.method == "PUT":
        sent = body(request, ThresholdsInput)
        sentence = STALE_WORDS % {"project": project.name}
        is_asked = check_match(request, thresholds.version, sentence)
        thresholds = set_thresholds(
            project=project, percents=sent["percents"],
            version=thresholds.version if is_asked else None, actor=viewer.user, now=viewer.now,
        )  # fmt: skip
    return _answer(project, thresholds)


def _answer(project: Project, thresholds: UsageThresholds) -> Response:
    context = {"crossings": open_crossings(project)}
    return tagged(ThresholdsSerializer(thresholds, context=context).data, thresholds.version)
