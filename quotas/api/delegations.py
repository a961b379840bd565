"""Who may do what: the delegations one may see, handing on, deputies, and taking back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import Forbidden, Invalid
from projects.actions.delegations import Terms
from projects.models import Delegation, Unit, User
from projects.queries.delegations import visible_delegations
from projects.queries.viewers import Viewer, live_delegations
from projects.rules import may_hand_on
from projects.states import Power, TokenScope
from quotas.actions.bounds import Bound
from quotas.actions.delegations import examine, hand_on, name_deputy
from quotas.actions.handing import hand_on_preview
from quotas.actions.reissue import plan, reissue, revoke_seen
from quotas.models import DelegationBound, Resource, Zone
from quotas.queries.delegates import Delegate, delegate_of_key
from quotas.queries.hanging import hanging_from
from quotas.views.revoke import revocable

from .asked import body, filters, one, viewer_in
from .describe import LIST, READ, WRITE, Etag, operation
from .doors import api_view
from .fields import Filters
from .pages import answer_page, page_of
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
from .shapes.people import DelegationSerializer
from .versions import check_match, tagged

TAG = "delegations"
# Terms never change: a delegation has two versions.
GIVEN, ENDED = "1", "2"
STALE = (*WRITE, 412)


class DelegationFilters(Filters):
    unit = serializers.SlugField(required=False)
    under = serializers.SlugField(required=False, help_text="That unit and all below it.")
    power = serializers.ChoiceField(choices=Power.values, required=False)
    parent = serializers.IntegerField(  # type: ignore[assignment]  # a filter
        required=False, help_text="What was handed on from it."
    )
    live = serializers.BooleanField(required=False, help_text="In force now, or not.")


@needs(TokenScope.DELEGATE)
@shows("own")
@operation(
    "list_delegations", "List the delegations you may see", answers=page_of(DelegationSerializer),
    refuses=LIST, tag=TAG, filters=[DelegationFilters],
    about="Those that you hold or gave, and those of the units that you decide for.",
)  # fmt: skip
@operation(
    "hand_on", "Hand on a part of what you hold", method="POST", body=DelegationInput,
    answers=DelegationSerializer, status=201, refuses=WRITE, tag=TAG,
    about="Whatever goes beyond the parent is refused with every field at once; `facts` say the "
    "dimension of the first and how far one may go.",
)  # fmt: skip
@api_view(["GET", "POST"])
def delegation_list(request: Request) -> Response:
    viewer = viewer_in(request)
    if request.method == "POST":
        _must_hand_on(viewer)
        parent, terms, bounds, __ = _read(request, viewer)
        with _named("delegate"):
            made = hand_on(
                parent=parent, grantor=viewer.user, terms=terms, bounds=bounds, now=viewer.now
            )
        return tagged(_told(viewer, [made.pk])[0], _version(made), status=201)
    return answer_page(
        request, _filtered(_delegations(viewer), filters(request, DelegationFilters), viewer),
        DelegationSerializer, ordering="id", context=lambda page: _live(viewer, page),
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
    parent, terms, bounds, delegate = _read(request, viewer)
    refused = examine(
        parent=parent, grantor=viewer.user, terms=terms, bounds=bounds, now=viewer.now
    )
    if refused is not None:
        with _named("delegate"):
            raise refused
    preview = hand_on_preview(parent, terms, bounds, delegate.size, viewer.now)
    return Response(HandOnPreviewSerializer(preview).data)


@shows("hand on")
@operation(
    "name_deputy", "Let somebody stand in for you", method="POST", body=DeputyInput,
    answers=DeputiesSerializer, status=201, refuses=WRITE, tag=TAG,
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
    with _named("person"):
        done = name_deputy(
            holder=viewer.user, user=user, starts_at=sent["starts_at"] or viewer.now,
            ends_at=sent["ends_at"], delegations=sent["delegations"], now=viewer.now,
        )  # fmt: skip
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
    parent = _own(viewer, body(request, TakeOverInput)["parent"])
    moves = plan(delegation=found, parent=parent, actor=viewer.user, now=viewer.now)
    told = {"seen": hanging_from(found, viewer).seen, "moves": moves}
    return Response(TakeOverSerializer(told).data)


@shows("take back")
@operation(
    "reissue_delegation", "Take a delegation back and let what is below go on", method="POST",
    body=ReissueInput, answers=ReissuedSerializer, refuses=STALE, tag=TAG, etag=Etag.CHECKS,
    about="Each below it is made again, with `replaces`; what is used of its totals goes along.",
)  # fmt: skip
@api_view(["POST"])
def delegation_reissue(request: Request, pk: int) -> Response:
    viewer = viewer_in(request)
    found = revocable(viewer, pk)
    sent = body(request, ReissueInput)
    check_match(request, _version(found), _("It was revoked meanwhile."))
    done = reissue(
        delegation=found, parent=_own(viewer, sent["parent"]), actor=viewer.user,
        trim=sent["trim"], why=sent["reason"], seen=sent["seen"], now=viewer.now,
    )  # fmt: skip
    made = list(_delegations(viewer).filter(pk__in=[each.pk for each in done.made]))
    told = {"made": made, "left_out": done.left_out}
    return Response(ReissuedSerializer(told, context=_live(viewer, made)).data)


def _version(delegation: Delegation) -> str:
    return GIVEN if delegation.revoked_at is None else ENDED


def _read(request: Request, viewer: Viewer) -> tuple[Delegation, Terms, list[Bound], Delegate]:
    """What a body hands on, and to whom; raises Invalid, and Forbidden for others' delegations."""
    sent = body(request, DelegationInput)
    parent = _own(viewer, sent["parent"])
    errors: dict[str, list[str]] = {}
    unit = Unit.objects.filter(slug=sent["unit"]).first()
    if unit is None:
        errors["unit"] = [_("There is no such unit.")]
    to = sent["delegate"]
    delegate = delegate_of_key(f"{to['kind']}:{to['id']}", viewer.now)
    if delegate is None:
        errors["delegate"] = [_("There is no such person or group.")]
    bounds, unknown = _bounds(sent["bounds"])
    errors |= unknown
    if errors or unit is None or delegate is None:
        raise Invalid(errors)
    holder = delegate.holder
    terms = Terms(
        unit=unit,
        powers=[Power(each) for each in sent["powers"]],
        starts_at=sent["starts_at"] or viewer.now,
        ends_at=sent["ends_at"],
        depth=sent["depth"],
        user=holder if isinstance(holder, User) else None,
        group=None if isinstance(holder, User) else holder,
        purpose=sent["purpose"],
    )
    return parent, terms, bounds, delegate


def _bounds(rows: Sequence[dict[str, Any]]) -> tuple[list[Bound], dict[str, list[str]]]:
    resources = {each.slug: each for each in Resource.objects.all()}
    zones = {f"{each.region.slug}.{each.slug}": each
             for each in Zone.objects.select_related("region")}  # fmt: skip
    bounds, errors = [], {}
    for index, row in enumerate(rows):
        resource, zone = resources.get(row["resource"]), zones.get(row["zone"])
        if row["resource"] is not None and resource is None:
            errors[f"bounds.{index}"] = [_("There is no such resource.")]
        elif row["zone"] is not None and zone is None:
            errors[f"bounds.{index}"] = [_("There is no such zone.")]
        bounds.append(Bound(**row | {"resource": resource, "zone": zone}))
    return bounds, errors


@contextmanager
def _named(field: str) -> Iterator[None]:
    """The domain's "user" is called by the field that was sent."""
    try:
        yield
    except Invalid as error:
        errors = {field if name == "user" else name: each for name, each in error.errors.items()}
        raise Invalid(errors, error.sentence, **error.facts) from error


def _must_hand_on(viewer: Viewer) -> None:
    if not may_hand_on(viewer):
        raise Forbidden(_("You hold nothing that can be handed on."))


def _own(viewer: Viewer, pk: int) -> Delegation:
    found = next((each for each in viewer.delegations if each.pk == pk), None)
    if found is None:
        raise Forbidden(_("You do not hold that delegation now."), delegation=pk)
    return found


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
