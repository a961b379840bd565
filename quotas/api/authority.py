"""Why something was allowed, what bounds an amount, and where deciders are missing."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from quotas.models import Offering
from quotas.queries.coverage import coverage_of
from quotas.queries.explain import explain
from quotas.queries.proofs import visible_decisions, why_allowed

from .asked import filters, one, viewer_in, visible_project
from .describe import READ, operation
from .doors import api_view
from .fields import Filters
from .shapes.authority import ExplanationSerializer, WhyAllowedSerializer
from .shapes.coverage import DeciderCoverageSerializer


class ExplainFilters(Filters):
    offering = serializers.CharField(help_text="The offering's slug.")


@shows("project")
@operation(
    "get_decision_why", "Tell why a decision was allowed", answers=WhyAllowedSerializer,
    refuses=READ, tag="decisions",
    about="Its stored proof with the names of now: chain, terms, what was consumed before and "
    "after, and whether it still agrees with history. Terms and figures only for those who see "
    "the unit's.",
)  # fmt: skip
@api_view(["GET"])
def decision_why(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = one(visible_decisions(viewer), pk=pk)
    return Response(WhyAllowedSerializer(why_allowed(viewer, found)).data)


@shows("project")
@operation(
    "explain_quota", "Tell what the most is, and why", answers=ExplanationSerializer,
    refuses=(*READ, 422), tag="projects", filters=[ExplainFilters],
    about="Envelope, remit, service and zone, the tightest first, each with who can help; for "
    "who decides, what they may grant.",
)  # fmt: skip
@api_view(["GET"])
def quota_explain(request: Request, slug: str) -> Response:
    viewer = viewer_in(request)
    project = visible_project(viewer, slug)
    asked = filters(request, ExplainFilters)
    offerings = Offering.objects.select_related("resource", "zone__region")
    offering = one(offerings, slug=asked["offering"])
    return Response(ExplanationSerializer(explain(viewer, project, offering)).data)


@shows("coverage")
@operation(
    "get_decider_coverage", "Tell where deciders are missing", answers=DeciderCoverageSerializer,
    refuses=(401, 403, 406, 503), tag="delegations",
    about="Units with fewer than two people who decide, lines that wait for nobody, authority "
    "that ends soon or was held by who left, deciders who do not come, groups that grew, rules "
    "that nobody stands behind: of the units that you audit, or decide for and can hand on.",
)  # fmt: skip
@api_view(["GET"])
def decider_coverage(request: Request) -> Response:
    return Response(DeciderCoverageSerializer(coverage_of(viewer_in(request))).data)
