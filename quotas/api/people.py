"""Who: the caller, the groups one may see, the units with their envelopes."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from projects.models import Group, Unit
from projects.queries.groups import visible_groups
from projects.queries.viewers import Viewer
from projects.rules import may_choose_groups, may_see_figures
from quotas.models import Account
from quotas.queries.accounts import envelope_fills
from quotas.queries.changes import changed_groups, changed_units
from quotas.queries.delegates import group_sizes

from .asked import filters, one, viewer_in
from .describe import LIST, READ, operation
from .doors import api_view
from .fields import Filters, Slug
from .pages import answer_page, page_of
from .shapes.catalogue import room
from .shapes.ledger import UnitDetail
from .shapes.people import GroupSerializer, Me, UnitSerializer


class UnitFilters(Filters):
    under = Slug(required=False, help_text="A unit's slug: that one and all below it.")


@shows("own")
@operation("get_me", "Show who calls", answers=Me, refuses=(401, 406, 503), tag="people")
@api_view(["GET"])
def me(request: Request) -> Response:
    return Response(Me(viewer_in(request)).data)


class GroupFilters(Filters):
    name = serializers.CharField(required=False, max_length=200, help_text="A part of its name.")
    external_id = serializers.CharField(required=False, max_length=200)


@shows("own")
@operation(
    "list_groups", "List the groups you may see",
    answers=page_of(GroupSerializer, "name", "-name", changed=changed_groups),
    refuses=LIST, tag="people", filters=[GroupFilters],
    about="Your own, and those with a role in a project or a delegation that you may see; all, "
    "with how many are in them, for who can hand on to one, operates or audits.",
)  # fmt: skip
@api_view(["GET"])
def group_list(request: Request) -> HttpResponseBase:
    asked, viewer = filters(request, GroupFilters), viewer_in(request)
    may_choose = may_choose_groups(viewer)
    rows = Group.objects.all() if may_choose else visible_groups(viewer)
    if "name" in asked:
        rows = rows.filter(name__icontains=asked["name"])
    if "external_id" in asked:
        rows = rows.filter(external_id=asked["external_id"])

    def sizes(page: Sequence[Group]) -> dict[str, Any]:
        ids = [each.pk for each in page]
        return {"sizes": group_sizes(ids, viewer.now) if may_choose else None}

    return answer_page(request, rows, GroupSerializer, context=sizes)


@shows("catalogue")
@operation(
    "list_units", "List the units",
    answers=page_of(UnitSerializer, "path", "-path", changed=changed_units),
    refuses=LIST, tag="units",
    filters=[UnitFilters], about="The organisation's tree, in the order of its paths.",
)  # fmt: skip
@api_view(["GET"])
def unit_list(request: Request) -> HttpResponseBase:
    asked = filters(request, UnitFilters)
    rows = Unit.objects.select_related("parent")
    if "under" in asked:
        top = Unit.objects.filter(slug=asked["under"]).first()
        rows = rows.under(top.path) if top else rows.none()
    return answer_page(request, rows, UnitSerializer)


@shows("catalogue")
@operation(
    "get_unit", "Show a unit and its envelopes", answers=UnitDetail, refuses=READ, tag="units",
    about="Envelopes are figures for those who decide for the unit, words for everybody else.",
)  # fmt: skip
@api_view(["GET"])
def unit_detail(request: Request, slug: str) -> Response:
    return unit_answer(viewer_in(request), one(Unit.objects.select_related("parent"), slug=slug))


def unit_answer(viewer: Viewer, unit: Unit) -> Response:
    """A unit with its envelopes, as the person may see them."""
    envelopes = _envelopes(unit, viewer)
    return Response(UnitDetail(unit, context={"envelopes": envelopes}).data)


def _envelopes(unit: Unit, viewer: Viewer) -> list[dict[str, object]]:
    accounts = list(
        Account.objects.filter(unit=unit)
        .select_related("unit", "offering")
        .order_by("offering__slug")
    )
    fills = envelope_fills(accounts)
    with_figures = may_see_figures(viewer, unit.path)
    return [
        {"offering": each.offering.slug, "room": room(fills[each.pk], with_figures=with_figures)}
        for each in accounts
    ]
