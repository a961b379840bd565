"""Drift through the API: what differs, how much was looked at, restore, ignore, adopt."""

from django.db.models import QuerySet
from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.queries.viewers import Viewer
from quotas.actions import drift as verbs
from quotas.actions import limit_adoption
from quotas.actions.repairs import check_retry
from quotas.models import Drift
from quotas.queries.changes import changed_drift
from quotas.queries.drift import (
    ENDED,
    IGNORED,
    SHOWN,
    coverage,
    drifts,
    shown_as,
    unanswered,
    visible_drifts,
)
from quotas.queries.repairers import Repairs, readable_endpoints, readable_targets
from quotas.states import DriftKind

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .fields import Filters, Slug
from .jobs import answer_started
from .operations import ACT, reader_of
from .pages import answer_page, page_of
from .requests import proof_for, visible_decisions
from .shapes.drift import (
    AdoptInput,
    CoverageSerializer,
    DriftSerializer,
    IgnoreInput,
    ManyDriftInput,
    ManyIgnoreInput,
    UnansweredSerializer,
)
from .shapes.jobs import JobSerializer
from .shapes.requests import DecisionSerializer, NothingInput
from .versions import tagged, text_matched

TAG = "drift"
STARTED = "Done as a job: follow the address in Location. Each refusal is its item's words."


class DriftFilters(Filters):
    show = serializers.ChoiceField(
        choices=[SHOWN, IGNORED, ENDED], default=SHOWN, help_text="Which list."
    )
    kind = serializers.ChoiceField(choices=DriftKind.values, required=False)
    endpoint = Slug(required=False)
    project = Slug(required=False)


@shows("own")
@operation(
    "list_drift", "List where clouds differ from what was applied",
    answers=page_of(DriftSerializer, "id", "-id", changed=changed_drift),
    refuses=LIST, tag=TAG, filters=[DriftFilters],
    about="Of the projects that you see. How much was looked at says /drift/coverage/.",
)  # fmt: skip
@api_view(["GET"])
def drift_list(request: Request) -> HttpResponseBase:
    viewer = viewer_in(request)
    asked = filters(request, DriftFilters)
    rows = visible_drifts(viewer).filter(shown_as(asked["show"], viewer.now))
    for name, column in (
        ("kind", "kind"), ("endpoint", "target__endpoint__slug"),
        ("project", "target__project__slug"),
    ):  # fmt: skip
        if name in asked:
            rows = rows.filter(**{column: asked[name]})
    return answer_page(
        request, rows, DriftSerializer,
        context=lambda _page: {"repairs": Repairs(viewer)},
    )  # fmt: skip


@shows("project")
@operation(
    "get_drift", "Show one drift", answers=DriftSerializer, refuses=READ, tag=TAG,
    etag=Etag.GIVES,
)  # fmt: skip
@api_view(["GET"])
def drift_detail(request: Request, pk: int) -> Response:
    return _answer(viewer_in(request), pk)


@shows("operations")
@operation(
    "list_coverage", "List how much of each service was looked at",
    answers=page_of(CoverageSerializer, "slug", "-slug"), refuses=(*LIST, 403), tag=TAG,
)  # fmt: skip
@api_view(["GET"])
def coverage_list(request: Request) -> HttpResponseBase:
    filters(request)
    viewer = reader_of(viewer_in(request))
    endpoints = readable_endpoints(viewer).select_related("region")
    return answer_page(
        request, endpoints, _CoverageOf,
        context=lambda page: {"found": {each.endpoint.pk: each
                                        for each in coverage(page, viewer.now)}},
    )  # fmt: skip


class _CoverageOf(CoverageSerializer):
    """A row of the page is an endpoint; what goes out is its coverage."""

    def to_representation(self, instance: object) -> dict[str, object]:
        return super().to_representation(self.context["found"][instance.pk])  # type: ignore[attr-defined]  # an endpoint


@shows("operations")
@operation(
    "list_unanswered", "List what did not answer when it was last looked at",
    answers=page_of(UnansweredSerializer, "id", "-id"), refuses=(*LIST, 403), tag=TAG,
)  # fmt: skip
@api_view(["GET"])
def unanswered_list(request: Request) -> HttpResponseBase:
    filters(request)
    targets = readable_targets(reader_of(viewer_in(request)))
    return answer_page(request, unanswered(targets), UnansweredSerializer)


@shows("operate")
@operation(
    "restore_drift", "Have what is wanted put in force again", method="POST", body=NothingInput,
    answers=DriftSerializer, refuses=ACT, tag=TAG, etag=Etag.CHECKS,
    about="The target is due at once. 409 with what helps instead where it cannot be restored.",
)  # fmt: skip
@api_view(["POST"])
def drift_restore(request: Request, pk: int) -> Response:
    viewer, drift = _repairable(request, pk)
    body(request, NothingInput)
    seen = text_matched(request, drift.version)
    verbs.restore(drift=drift, version=seen, actor=viewer.user, now=viewer.now)
    return _answer(viewer, pk)


@shows("operate")
@operation(
    "ignore_drift", "Leave it as it is until a day is over", method="POST", body=IgnoreInput,
    answers=DriftSerializer, refuses=ACT, tag=TAG, etag=Etag.CHECKS,
    about="Today ends an earlier word.",
)  # fmt: skip
@api_view(["POST"])
def drift_ignore(request: Request, pk: int) -> Response:
    viewer, drift = _repairable(request, pk)
    sent = body(request, IgnoreInput)
    seen = text_matched(request, drift.version)
    verbs.ignore(drift=drift, **sent, version=seen, actor=viewer.user, now=viewer.now)
    return _answer(viewer, pk)


@shows("decide")
@operation(
    "adopt_drift", "Make the limit that was set outside the quota", method="POST",
    body=AdoptInput, answers=DecisionSerializer, refuses=(*WRITE, 412), tag=TAG,
    about="A decision like any other, by a request in your name: it needs the power, within "
    "its bounds, and room. Nothing is written in the cloud.",
)  # fmt: skip
@api_view(["POST"])
def drift_adopt(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    drift = one(visible_drifts(viewer), pk=pk)
    limit_adoption.may_adopt(viewer, drift.target.project)
    sent = body(request, AdoptInput)
    decision = limit_adoption.adopt(drift=drift, **sent, actor=viewer.user, now=viewer.now)
    found = one(visible_decisions(viewer), pk=decision.pk)
    return Response(DecisionSerializer(found, context=proof_for(viewer)).data)


@shows("operate")
@operation(
    "restore_many_drifts", "Restore many", method="POST", body=ManyDriftInput, status=202,
    answers=JobSerializer, refuses=ACT, tag=TAG, about=STARTED,
)  # fmt: skip
@api_view(["POST"])
def drifts_restore(request: Request) -> Response:
    viewer = viewer_in(request)
    verbs.check_repairer(viewer)
    sent = body(request, ManyDriftInput)
    ids = _readable_ids(viewer, sent["drift"])
    job = verbs.restore_many(drift_ids=ids, actor=viewer.user, now=viewer.now)
    return answer_started(request, viewer, job)


@shows("operate")
@operation(
    "ignore_many_drifts", "Ignore many until a day is over", method="POST",
    body=ManyIgnoreInput, status=202, answers=JobSerializer, refuses=ACT, tag=TAG, about=STARTED,
)  # fmt: skip
@api_view(["POST"])
def drifts_ignore(request: Request) -> Response:
    viewer = viewer_in(request)
    verbs.check_repairer(viewer)
    sent = body(request, ManyIgnoreInput)
    job = verbs.ignore_many(
        drift_ids=_readable_ids(viewer, sent["drift"]), until_on=sent["until_on"],
        reason=sent["reason"], actor=viewer.user, now=viewer.now,
    )  # fmt: skip
    return answer_started(request, viewer, job)


def _readable(viewer: Viewer) -> QuerySet[Drift]:
    return drifts().filter(target__in=readable_targets(viewer))


def _readable_ids(viewer: Viewer, ids: list[int]) -> list[int]:
    return list(_readable(viewer).filter(pk__in=ids).values_list("pk", flat=True))


def _repairable(request: Request, pk: int) -> tuple[Viewer, Drift]:
    viewer = reader_of(viewer_in(request))
    drift = one(visible_drifts(viewer), pk=pk)
    check_retry(viewer, drift.target)
    return viewer, drift


def _answer(viewer: Viewer, pk: int) -> Response:
    found = one(visible_drifts(viewer), pk=pk)
    shown = DriftSerializer(found, context={"repairs": Repairs(viewer)}).data
    return tagged(shown, found.version)
