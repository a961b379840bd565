"""Who may do what: the delegations one may see, handing on, deputies, and taking back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Forbidden, Invalid
from projects.models import Delegation, Unit, User
from projects.queries.delegations import visible_delegations
from projects.queries.viewers import Viewer, live_delegations
from projects.rules import may_hand_on
from projects.states import Power, TokenScope
from quotas.actions.delegations import Deputies, examine, hand_on, name_deputy
from quotas.actions.handing import hand_on_preview
from quotas.actions.reissue import Reissued, plan, reissue, revoke_seen
from quotas.models import DelegationBound
from quotas.queries.changes import changed_delegations
from quotas.queries.hanging import hanging_from
from quotas.views.revoke import revocable

from .asked import body, filters, one, viewer_in
from .delegation_input import in_words, named, own_delegation, read_terms
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .dry_run import open_count, told
from .fields import Filters, NumberInAddress, Slug, YesNoInAddress
from .pages import answer_page, page_of
from .rehearsals import rehearse, wants_plan
from .scopes import needs
from .shapes.delegations import (
    DelegationInput,
    DeputiesSerializer,
    DeputyInput,
    HandOnPreviewSerializer,
    HangingSerializer,
    ReissuedSerializer,
    ReissueInput,
    RevokeInput,
    TakeOverInput,
    TakeOverSerializer,
)
from .shapes.dry_run import DelegationsPlan, DeputiesPlan, HandOnPlan, ReissuePlan
from .shapes.people import DelegationSerializer
from .versions import check_match, tagged

TAG = "delegations"
# Terms never change: a delegation has two versions.
GIVEN, ENDED = "1", "2"
STALE = (*WRITE, 412)


class DelegationFilters(Filters):
    unit = Slug(required=False)
    under = Slug(required=False, help_text="That unit and all below it.")
    power = serializers.ChoiceField(choices=Power.values, required=False)
    parent = NumberInAddress(  # type: ignore[assignment]  # a filter
        required=False, help_text="What was handed on from it."
    )
    live = YesNoInAddress(required=False, help_text="In force now, or not.")


@needs(TokenScope.DELEGATE)
@shows("own")
@operation(
    "list_delegations", "List the delegations you may see",
    answers=page_of(DelegationSerializer, "id", "-id", changed=changed_delegations),
    refuses=LIST, tag=TAG, filters=[DelegationFilters],
    about="Those that you hold or gave, and those of the units that you decide for.",
)  # fmt: skip
@operation(
    "hand_on", "Hand on a part of what you hold", method="POST", body=DelegationInput,
    answers=DelegationSerializer, status=201, refuses=WRITE, tag=TAG, plan=HandOnPlan,
    about="Whatever goes beyond the parent is refused with every field at once; `facts` say the "
    "dimension of the first and how far one may go.",
)  # fmt: skip
@api_view(["GET", "POST"])
def delegation_list(request: Request) -> HttpResponseBase:
    viewer = viewer_in(request)
    if request.method == "POST":
        _must_hand_on(viewer)
        read = read_terms(request, viewer)

        def act() -> Delegation:
            parent, terms, bounds, __ = read
            with named("delegate"):
                return hand_on(
                    parent=parent, grantor=viewer.user, terms=terms, bounds=bounds, now=viewer.now
                )

        if wants_plan(request):
            found = rehearse(lambda: _planned(viewer, [act()]))
            return told(HandOnPlan, found.rows | in_words(read, viewer), **found.context)
        made = act()
        return tagged(_told(viewer, [made.pk])[0], _version(made), status=201)
    return answer_page(
        request, _filtered(_delegations(viewer), filters(request, DelegationFilters), viewer),
        DelegationSerializer, context=lambda page: _live(viewer, page),
    )  # fmt: skip


@shows("delegation")
@operation(
    "get_delegation", "Show a delegation", answers=DelegationSerializer, refuses=READ, tag=TAG,
    etag=Etag.GIVES,
)  # fmt: skip
@api_view(["GET"])
def delegation_detail(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = one(_delegations(viewer), pk=pk)
    shown = DelegationSerializer(found, context=_live(viewer, [found])).data
    return tagged(shown, _version(found))


@shows("hand on")
@operation(
    "preview_hand_on", "See what handing on would do", method="POST", body=DelegationInput,
    answers=HandOnPreviewSerializer, refuses=WRITE, tag=TAG,
    about="Refused as handing it on would be. Nothing is stored.",
)  # fmt: skip
@api_view(["POST"])
def delegation_preview(request: Request) -> Response:
    viewer = viewer_in(request)
    _must_hand_on(viewer)
    parent, terms, bounds, delegate = read_terms(request, viewer)
    refused = examine(
        parent=parent, grantor=viewer.user, terms=terms, bounds=bounds, now=viewer.now
    )
    if refused is not None:
        with named("delegate"):
            raise refused
    preview = hand_on_preview(parent, terms, bounds, delegate.size, viewer.now)
    return Response(HandOnPreviewSerializer(preview).data)


@shows("hand on")
@operation(
    "name_deputy", "Let somebody stand in for you", method="POST", body=DeputyInput,
    answers=DeputiesSerializer, status=201, refuses=WRITE, tag=TAG, plan=DeputiesPlan,
    about="With all terms, for one or all of your delegations. What cannot be handed on is left "
    "out, with whom to ask; 409 where nothing is left.",
)  # fmt: skip
@api_view(["POST"])
def deputy_new(request: Request) -> Response:
    viewer = viewer_in(request)
    _must_hand_on(viewer)
    sent = body(request, DeputyInput)
    user = User.objects.filter(public_id=sent["person"]).first()
    if user is None:
        raise Invalid({"person": [_("There is no such person.")]})

    def act() -> Deputies:
        with named("person"):
            return name_deputy(
                holder=viewer.user, user=user, starts_at=sent["starts_at"] or viewer.now,
                ends_at=sent["ends_at"], delegations=sent["delegations"], now=viewer.now,
            )  # fmt: skip

    if wants_plan(request):
        return _plan_of_several(viewer, DeputiesPlan, act)
    done = act()
    made = list(_delegations(viewer).filter(pk__in=[each.pk for each in done.made]))
    told = DeputiesSerializer(
        {"made": made, "left_out": done.left_out}, context=_live(viewer, made)
    )
    return Response(told.data, status=201)


@shows("take back")
@operation(
    "get_hanging", "Show what hangs from a delegation", answers=HangingSerializer,
    refuses=(*READ, 403, 409), tag=TAG, about="What revoking it would end or move.",
)  # fmt: skip
@api_view(["GET"])
def delegation_hanging(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    return Response(HangingSerializer(hanging_from(revocable(viewer, pk), viewer)).data)


@shows("take back")
@operation(
    "revoke_delegation", "Take a delegation back", method="POST", body=RevokeInput,
    answers=DelegationSerializer, refuses=STALE, tag=TAG, etag=Etag.CHECKS,
    about="With all below it. 412 where what hangs from it is not what you saw.",
)  # fmt: skip
@api_view(["POST"])
def delegation_revoke(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = revocable(viewer, pk)
    sent = body(request, RevokeInput)
    check_match(request, _version(found), _("It was revoked meanwhile."))
    revoke_seen(
        delegation=found, actor=viewer.user, why=sent["reason"], seen=sent["seen"], now=viewer.now
    )
    return tagged(_told(viewer, [pk])[0], ENDED)


@shows("take back")
@operation(
    "preview_reissue", "See what would go on under one of yours", method="POST",
    body=TakeOverInput, answers=TakeOverSerializer, refuses=WRITE, tag=TAG,
    about="Nothing is stored.",
)  # fmt: skip
@api_view(["POST"])
def reissue_preview(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = revocable(viewer, pk)
    parent = own_delegation(viewer, body(request, TakeOverInput)["parent"])
    moves = plan(delegation=found, parent=parent, actor=viewer.user, now=viewer.now)
    told = {"seen": hanging_from(found, viewer).seen, "moves": moves}
    return Response(TakeOverSerializer(told).data)


@shows("take back")
@operation(
    "reissue_delegation", "Take a delegation back and let what is below go on", method="POST",
    body=ReissueInput, answers=ReissuedSerializer, refuses=STALE, tag=TAG, etag=Etag.CHECKS,
    plan=ReissuePlan,
    about="Each below it is made again, with `replaces`; what is used of its totals goes along.",
)  # fmt: skip
@api_view(["POST"])
def delegation_reissue(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = revocable(viewer, pk)
    sent = body(request, ReissueInput)
    check_match(request, _version(found), _("It was revoked meanwhile."))
    parent = own_delegation(viewer, sent["parent"])

    def act() -> Reissued:
        return reissue(
            delegation=found, parent=parent, actor=viewer.user, trim=sent["trim"],
            why=sent["reason"], seen=sent["seen"], now=viewer.now,
        )  # fmt: skip

    if wants_plan(request):
        return _plan_of_several(viewer, ReissuePlan, act)
    done = act()
    made = list(_delegations(viewer).filter(pk__in=[each.pk for each in done.made]))
    told = {"made": made, "left_out": done.left_out}
    return Response(ReissuedSerializer(told, context=_live(viewer, made)).data)


def _version(delegation: Delegation) -> str:
    return GIVEN if delegation.revoked_at is None else ENDED


@dataclass(frozen=True)
class _Planned:
    """What would be made, read as it was there; and what its shape needs beside it."""

    rows: dict[str, Any]
    context: dict[str, Any]


def _planned(viewer: Viewer, done: Sequence[Delegation]) -> _Planned:
    ids = {each.pk for each in done}
    made = list(_delegations(viewer).filter(pk__in=ids).order_by("pk"))
    rows = {"made": made, "open_count": open_count(made)}
    return _Planned(rows, {**_live(viewer, made), "made": ids})


def _plan_of_several(
    viewer: Viewer, shape: type[DelegationsPlan], act: Callable[[], Deputies | Reissued]
) -> Response:
    """What would be made of several at once, and what is left out."""

    def run() -> tuple[_Planned, Deputies | Reissued]:
        done = act()
        return _planned(viewer, done.made), done

    planned, done = rehearse(run)
    return told(shape, planned.rows | {"left_out": done.left_out}, **planned.context)


def _must_hand_on(viewer: Viewer) -> None:
    if not may_hand_on(viewer):
        raise Forbidden(_("You hold nothing that can be handed on."))


def _filtered(
    rows: QuerySet[Delegation], asked: dict[str, Any], viewer: Viewer
) -> QuerySet[Delegation]:
    if "unit" in asked:
        rows = rows.filter(unit__slug=asked["unit"])
    if "under" in asked:
        top = Unit.objects.filter(slug=asked["under"]).first()
        rows = rows.filter(unit__path__startswith=top.path) if top else rows.none()
    if "power" in asked:
        rows = rows.filter(powers__contains=[asked["power"]])
    if "parent" in asked:
        rows = rows.filter(parent=asked["parent"])
    if "live" in asked:
        live = Q(pk__in=live_delegations(viewer.now))
        rows = rows.filter(live if asked["live"] else ~live)
    return rows


def _told(viewer: Viewer, ids: Sequence[int]) -> list[Any]:
    rows = list(_delegations(viewer).filter(pk__in=ids))
    return list(DelegationSerializer(rows, many=True, context=_live(viewer, rows)).data)


def _delegations(viewer: Viewer) -> QuerySet[Delegation]:
    bounds = DelegationBound.objects.select_related("resource", "zone__region").order_by("pk")
    return (
        visible_delegations(viewer)
        .select_related("grantor", "user", "group", "unit")
        .prefetch_related(Prefetch("bounds", bounds))
    )


def _live(viewer: Viewer, page: Sequence[Delegation]) -> dict[str, Any]:
    live = live_delegations(viewer.now).filter(pk__in=[each.pk for each in page])
    return {"live": set(live.values_list("pk", flat=True))}
