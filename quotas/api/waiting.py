"""Why a request still waits, reminding those who decide, and how long a unit lets one wait."""

from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.models import Unit
from projects.queries.patience import patience_of
from quotas.actions.endorse import endorse
from quotas.actions.nudge import nudge
from quotas.actions.unit_settings import STALE_WORDS, check_may_set, set_waiting, waiting_set
from quotas.models import Decision
from quotas.queries.waiting_for import waiting_of

from .asked import body, changeable_request, decidable_request, one, viewer_in, visible_request
from .describe import READ, WRITE, Etag, operation
from .doors import api_view
from .examples import DECISION, ENDORSE
from .requests import answer_request
from .shapes.dry_run import RequestPlan
from .shapes.requests import DecisionSerializer, NothingInput, QuotaRequestSerializer
from .shapes.waiting import (
    EndorseInput,
    UnitWaitingInput,
    UnitWaitingSerializer,
    WhyWaitingSerializer,
)
from .verbs import answer_deciding
from .versions import check_match, tagged, version_seen


@shows("project")
@operation(
    "get_request_waiting", "Tell why a request still waits", answers=WhyWaitingSerializer,
    refuses=READ, tag="requests",
    about="Each open line: whom it waits for, since when, what comes next, and what rules say.",
)  # fmt: skip
@api_view(["GET"])
def request_waiting(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    return Response(WhyWaitingSerializer(waiting_of(visible_request(viewer, pk), viewer)).data)


@shows("ask")
@operation(
    "nudge_request", "Remind those who decide, politely", method="POST", body=NothingInput,
    answers=QuotaRequestSerializer, refuses=WRITE, tag="requests",
    about="At most once a working day: 409 `too_soon` says from when on (`at`).",
)  # fmt: skip
@api_view(["POST"])
def request_nudge(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = changeable_request(viewer, pk)
    body(request, NothingInput)
    nudge(quota_request=found, actor=viewer.user, now=viewer.now)
    return answer_request(viewer, pk)


@shows("decide")
@operation(
    "endorse_request", "Recommend what to grant to those who may", method="POST",
    body=EndorseInput, answers=DecisionSerializer, refuses=WRITE, tag="decisions",
    sent=ENDORSE, answered=DECISION, etag=Etag.NEEDS, plan=RequestPlan,
    about="For lines that are more than the caller may grant; they stay open.",
)  # fmt: skip
@api_view(["POST"])
def request_endorse(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = decidable_request(viewer, pk)
    sent = body(request, EndorseInput)

    def act() -> Decision:
        return endorse(
            quota_request=found, endorsed=sent["endorsed"],
            version=version_seen(request, sent.get("version"), found.version),
            reason=sent["reason"], actor=viewer.user, now=viewer.now,
        )  # fmt: skip

    return answer_deciding(request, viewer, found, act)


@shows("unit settings")
@operation(
    "get_unit_waiting", "Tell how long requests wait in a unit", answers=UnitWaitingSerializer,
    refuses=READ, tag="units", etag=Etag.GIVES,
)  # fmt: skip
@operation(
    "set_unit_waiting", "Set how long requests wait in a unit", method="PUT",
    body=UnitWaitingInput, answers=UnitWaitingSerializer, refuses=WRITE, tag="units",
    about="In working days, for what is sent from now on; what waits already keeps its dates.",
    etag=Etag.CHECKS,
)  # fmt: skip
@api_view(["GET", "PUT"])
def unit_waiting(request: Request, slug: str) -> Response:
    unit = one(Unit.objects.all(), slug=slug)
    if request.method == "PUT":
        viewer = viewer_in(request)
        check_may_set(viewer, unit)
        sent = body(request, UnitWaitingInput)
        is_asked = check_match(request, _version(unit), STALE_WORDS % {"unit": unit.label})
        unit = set_waiting(
            unit=unit, **sent, seen=waiting_set(unit) if is_asked else None, actor=viewer.user,
            now=viewer.now,
        )  # fmt: skip
    patience = patience_of([unit.path])[unit.path]
    shown = UnitWaitingSerializer(unit, context={"patience": patience}).data
    return tagged(shown, _version(unit))


def _version(unit: Unit) -> str:
    """What is set, as a word: `2-5`; x: as above it."""
    return "-".join("x" if days is None else str(days) for days in waiting_set(unit))
