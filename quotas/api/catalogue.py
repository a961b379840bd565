"""The catalogue: regions, zones, resources, offerings with their room, presets."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from portal.lib.access import shows
from portal.lib.errors import NotVisible
from projects.queries.viewers import Viewer
from quotas.models import Offering, Preset, Region, Resource, Zone, ZoneKind
from quotas.queries.accounts import zone_fills
from quotas.rules import may_see_zone_fill

from .asked import filters, one, viewer_in
from .describe import LIST, READ, operation
from .doors import api_view
from .fields import Filters, Slug
from .pages import answer_page, page_of
from .shapes.catalogue import (
    OfferingSerializer,
    PresetSerializer,
    RegionSerializer,
    ResourceSerializer,
    ZoneSerializer,
)

TAG = "catalogue"


class ZoneFilters(Filters):
    region = Slug(required=False)
    kind = serializers.ChoiceField(choices=ZoneKind.values, required=False)


class OfferingFilters(Filters):
    region = Slug(required=False)
    resource = Slug(required=False)


@shows("catalogue")
@operation(
    "list_regions",
    "List the regions",
    answers=page_of(RegionSerializer, "slug", "-slug"),
    refuses=LIST,
    tag=TAG,
)
@api_view(["GET"])
def region_list(request: Request) -> HttpResponseBase:
    filters(request)
    return answer_page(request, Region.objects.all(), RegionSerializer)


@shows("catalogue")
@operation("get_region", "Show a region", answers=RegionSerializer, refuses=READ, tag=TAG)
@api_view(["GET"])
def region_detail(request: Request, slug: str) -> Response:
    return Response(RegionSerializer(one(Region.objects.all(), slug=slug)).data)


@shows("catalogue")
@operation(
    "list_zones", "List the zones",
    answers=page_of(ZoneSerializer, "id", "-id"), refuses=LIST, tag=TAG,
    filters=[ZoneFilters],
)  # fmt: skip
@api_view(["GET"])
def zone_list(request: Request) -> HttpResponseBase:
    asked = filters(request, ZoneFilters)
    rows = Zone.objects.select_related("region")
    if "region" in asked:
        rows = rows.filter(region__slug=asked["region"])
    if "kind" in asked:
        rows = rows.filter(kind=asked["kind"])
    return answer_page(request, rows, ZoneSerializer)


@shows("catalogue")
@operation("get_zone", "Show a zone", answers=ZoneSerializer, refuses=READ, tag=TAG)
@api_view(["GET"])
def zone_detail(request: Request, zone_id: str) -> Response:
    region, dot, slug = zone_id.partition(".")
    if not dot:
        raise NotVisible(_("There is no such thing."))
    zones = Zone.objects.select_related("region")
    return Response(ZoneSerializer(one(zones, region__slug=region, slug=slug)).data)


@shows("catalogue")
@operation(
    "list_resources",
    "List what is counted",
    answers=page_of(ResourceSerializer, "slug", "-slug"),
    refuses=LIST,
    tag=TAG,
)
@api_view(["GET"])
def resource_list(request: Request) -> HttpResponseBase:
    filters(request)
    return answer_page(request, Resource.objects.all(), ResourceSerializer)


@shows("catalogue")
@operation("get_resource", "Show a resource", answers=ResourceSerializer, refuses=READ, tag=TAG)
@api_view(["GET"])
def resource_detail(request: Request, slug: str) -> Response:
    return Response(ResourceSerializer(one(Resource.objects.all(), slug=slug)).data)


@shows("catalogue")
@operation(
    "list_offerings", "List what can be asked for",
    answers=page_of(OfferingSerializer, "slug", "-slug"), refuses=LIST,
    tag=TAG, filters=[OfferingFilters],
    about="Every resource in every zone, with its room: a word for everybody, figures for those "
    "who decide, fund or audit.",
)  # fmt: skip
@api_view(["GET"])
def offering_list(request: Request) -> HttpResponseBase:
    asked, viewer, rows = filters(request, OfferingFilters), viewer_in(request), _offerings()
    if "region" in asked:
        rows = rows.filter(zone__region__slug=asked["region"])
    if "resource" in asked:
        rows = rows.filter(resource__slug=asked["resource"])
    return answer_page(
        request,
        rows,
        OfferingSerializer,
        context=lambda page: _fills(viewer, page),
    )


@shows("catalogue")
@operation("get_offering", "Show an offering", answers=OfferingSerializer, refuses=READ, tag=TAG)
@api_view(["GET"])
def offering_detail(request: Request, slug: str) -> Response:
    offering = one(_offerings(), slug=slug)
    context = _fills(viewer_in(request), [offering])
    return Response(OfferingSerializer(offering, context=context).data)


@shows("catalogue")
@operation(
    "list_presets",
    "List the presets",
    answers=page_of(PresetSerializer, "slug", "-slug"),
    refuses=LIST,
    tag=TAG,
)
@api_view(["GET"])
def preset_list(request: Request) -> HttpResponseBase:
    filters(request)
    return answer_page(request, _presets(), PresetSerializer)


@shows("catalogue")
@operation("get_preset", "Show a preset", answers=PresetSerializer, refuses=READ, tag=TAG)
@api_view(["GET"])
def preset_detail(request: Request, slug: str) -> Response:
    return Response(PresetSerializer(one(_presets(), slug=slug)).data)


def _offerings() -> QuerySet[Offering]:
    return Offering.objects.select_related("zone__region", "resource")


def _presets() -> QuerySet[Preset]:
    return Preset.objects.select_related("region").prefetch_related("lines__offering")


def _fills(viewer: Viewer, offerings: Sequence[Offering]) -> dict[str, Any]:
    ids = [each.pk for each in offerings]
    return {
        "fills": zone_fills(ids, timezone.localdate(viewer.now)),
        "with_figures": may_see_zone_fill(viewer),
    }
