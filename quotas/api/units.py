"""What is done to units: envelopes changed, units moved and retired; each foreseen before."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Forbidden
from projects.models import Unit
from projects.queries.viewers import Viewer
from projects.rules import may_see_figures
from quotas.actions import unit_changes
from quotas.actions.envelopes import change, offerings_named
from quotas.actions.foresight import Effect, effects_of
from quotas.actions.funding import check_changes, check_holder, check_living, look
from quotas.models import EnvelopeAct, Offering
from quotas.queries.changes import changed_acts
from quotas.queries.envelopes import acts_of, fundable, rest_of, standings
from quotas.queries.unit_changes import move_of, retirement_of

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, WRITE, operation
from .doors import api_view
from .dry_run import acts_at_hand, told
from .pages import answer_page, page_of
from .people import unit_answer
from .rehearsals import rehearse, wants_plan
from .shapes.dry_run import EnvelopesPlan
from .shapes.ledger import UnitDetail
from .shapes.requests import NothingInput
from .shapes.units import (
    ChangeInput,
    ChangePreviewInput,
    EffectsSerializer,
    EnvelopeActSerializer,
    EnvelopeActsSerializer,
    EnvelopeDetail,
    MoveInput,
    MovePreviewInput,
    MoveSerializer,
    RetireInput,
    RetirementSerializer,
    StandingOf,
)

TAG = "units"
CHANGE = (*WRITE, 412)


@shows("figures")
@operation(
    "list_envelopes", "List what a unit has and could have of each offering", tag=TAG,
    answers=page_of(StandingOf, "slug", "-slug"), refuses=(*LIST, 403, 404),
    about="Declared or not, with what pays it. `seen` goes back with change_envelopes.",
)  # fmt: skip
@api_view(["GET"])
def envelope_list(request: Request, slug: str) -> HttpResponseBase:
    filters(request)
    _viewer, unit = reader_of_figures(request, slug)

    def found(page: Sequence[Offering]) -> dict[str, Any]:
        return {"standings": standings(unit, page)}

    return answer_page(request, fundable(unit), StandingOf, context=found)


@shows("figures")
@operation(
    "get_envelope", "Show an envelope, and where the rest of it is", tag=TAG,
    answers=EnvelopeDetail, refuses=(*READ, 403),
)  # fmt: skip
@api_view(["GET"])
def envelope_detail(request: Request, slug: str, offering: str) -> Response:
    viewer, unit = reader_of_figures(request, slug)
    asked = one(Offering.objects.select_related("resource", "zone__region"), slug=offering)
    rest = rest_of(viewer, unit, asked)
    return Response(EnvelopeDetail(standings(unit, [asked])[asked.pk], context={"rest": rest}).data)


@shows("figures")
@operation(
    "list_envelope_acts", "List what was done to a unit's envelopes", tag=TAG,
    answers=page_of(EnvelopeActSerializer, "-id", "id", changed=changed_acts),
    refuses=(*LIST, 403, 404),
)  # fmt: skip
@api_view(["GET"])
def act_list(request: Request, slug: str) -> HttpResponseBase:
    filters(request)
    _viewer, unit = reader_of_figures(request, slug)
    return answer_page(request, acts_of(unit), EnvelopeActSerializer)


@shows("fund")
@operation(
    "change_envelopes", "Declare, fund and take back envelopes", method="POST", tag=TAG,
    body=ChangeInput, answers=EnvelopeActsSerializer, refuses=CHANGE, plan=EnvelopesPlan,
    about="All or nothing. Paid from the nearest envelope above or the pool, whose holder you "
    "must be, too. 409 `no_room` says what is left, and where the rest is.",
)  # fmt: skip
@api_view(["POST"])
def envelopes_change(request: Request, slug: str) -> Response:
    viewer, unit = _fundable(request, slug)
    sent = body(request, ChangeInput)

    def act() -> list[EnvelopeAct]:
        return change(unit=unit, **sent, actor=viewer.user, now=viewer.now)

    if wants_plan(request):
        acts = rehearse(lambda: acts_at_hand(act()))
        effects = _effects(viewer, unit, sent["changes"])
        return told(EnvelopesPlan, {"acts": acts, "changes": effects})
    return Response(EnvelopeActsSerializer({"acts": act()}).data)


@shows("fund")
@operation(
    "preview_envelopes", "Show what changing envelopes would do", method="POST", tag=TAG,
    body=ChangePreviewInput, answers=EffectsSerializer, refuses=WRITE,
    about="Nothing is stored. `refusal` says why a change would be refused now.",
)  # fmt: skip
@api_view(["POST"])
def envelopes_preview(request: Request, slug: str) -> Response:
    viewer, unit = _fundable(request, slug)
    changes = body(request, ChangePreviewInput)["changes"]
    return Response(EffectsSerializer({"changes": _effects(viewer, unit, changes)}).data)


def _effects(viewer: Viewer, unit: Unit, changes: Mapping[str, int]) -> list[Effect]:
    offerings = offerings_named(changes)
    check_changes(changes, offerings)
    return effects_of(look(viewer, unit, list(offerings.values())), changes)


@shows("fund")
@operation(
    "move_unit", "Put a unit below another", method="POST", tag=TAG, body=MoveInput,
    answers=UnitDetail, refuses=CHANGE,
    about="With all that lies below it; envelopes and quota stay with their holders. It takes "
    "`manage envelopes` over both parents.",
)  # fmt: skip
@api_view(["POST"])
def unit_move(request: Request, slug: str) -> Response:
    viewer, unit = _holder(request, slug)
    sent = body(request, MoveInput)
    parent = one(Unit.objects.all(), slug=sent["parent"])
    unit_changes.move_unit(
        unit=unit, parent=parent, seen=sent["seen"], actor=viewer.user, now=viewer.now
    )
    return unit_answer(viewer, unit)


@shows("fund")
@operation(
    "preview_move", "Show what moving a unit would mean", method="POST", tag=TAG,
    body=MovePreviewInput, answers=MoveSerializer, refuses=WRITE,
)  # fmt: skip
@api_view(["POST"])
def move_preview(request: Request, slug: str) -> Response:
    viewer, unit = _holder(request, slug)
    parent = one(Unit.objects.all(), slug=body(request, MovePreviewInput)["parent"])
    unit_changes.check_move(viewer, unit, parent)
    return Response(MoveSerializer(move_of(unit, parent, viewer.now)).data)


@shows("fund")
@operation(
    "retire_unit", "Retire a unit", method="POST", tag=TAG, body=RetireInput, answers=UnitDetail,
    refuses=CHANGE,
    about="For good. What it holds goes to its parent, over which it takes `manage envelopes`; "
    "delegations over it end.",
)  # fmt: skip
@api_view(["POST"])
def unit_retire(request: Request, slug: str) -> Response:
    viewer, unit = _holder(request, slug)
    sent = body(request, RetireInput)
    unit_changes.retire_unit(unit=unit, **sent, actor=viewer.user, now=viewer.now)
    return unit_answer(viewer, unit)


@shows("fund")
@operation(
    "preview_retirement", "Show what retiring a unit would mean", method="POST", tag=TAG,
    body=NothingInput, answers=RetirementSerializer, refuses=WRITE,
)  # fmt: skip
@api_view(["POST"])
def retirement_preview(request: Request, slug: str) -> Response:
    viewer, unit = _holder(request, slug)
    body(request, NothingInput)
    unit_changes.check_retire(viewer, unit)
    return Response(RetirementSerializer(retirement_of(unit, viewer.now)).data)


def _unit(slug: str) -> Unit:
    return one(Unit.objects.select_related("parent"), slug=slug)


def reader_of_figures(request: Request, slug: str) -> tuple[Viewer, Unit]:
    """The caller and a unit, if they may see its figures; else Forbidden."""
    viewer, unit = viewer_in(request), _unit(slug)
    if not may_see_figures(viewer, unit.path):
        words = {"unit": unit.label}
        raise Forbidden(_("The figures of %(unit)s are for those who decide there.") % words)
    return viewer, unit


def _holder(request: Request, slug: str) -> tuple[Viewer, Unit]:
    viewer, unit = viewer_in(request), _unit(slug)
    check_holder(viewer, unit)
    return viewer, unit


def _fundable(request: Request, slug: str) -> tuple[Viewer, Unit]:
    viewer, unit = _holder(request, slug)
    check_living(unit)
    return viewer, unit
