"""Use over time, day by day: of a project, of a unit with all below it, of a zone."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request

from portal.lib.access import shows
from portal.lib.errors import Forbidden, NotVisible
from quotas.models import UsagePeak, Zone
from quotas.queries.unit_usage import capacities_of, drawables_of, usage_rows
from quotas.rules import may_see_zone_fill

from .asked import filters, one, viewer_in, visible_project
from .describe import LIST, operation
from .doors import api_view
from .fields import Filters, Slug
from .pages import answer_page, page_of
from .shapes.usage import UnitUsageSerializer, UsageDaySerializer, ZoneUsageSerializer
from .units import reader_of_figures


class DayFilters(Filters):
    endpoint = Slug(required=False)
    key = serializers.CharField(required=False, max_length=255, help_text="Of the limit.")
    since = serializers.DateField(required=False, help_text="The first day.")
    until = serializers.DateField(required=False, help_text="The last day.")


COLUMNS = {
    "endpoint": "limit__endpoint__slug", "key": "limit__key", "since": "day__gte",
    "until": "day__lte",
}  # fmt: skip


@shows("project")
@operation(
    "list_usage_days", "List what a project used, day by day", tag="projects",
    answers=page_of(UsageDaySerializer, "-day", "day"), refuses=(*LIST, 404),
    filters=[DayFilters],
    about="The highest use of each limit on each day on which it was seen.",
)  # fmt: skip
@api_view(["GET"])
def project_usage_days(request: Request, slug: str) -> HttpResponseBase:
    asked = filters(request, DayFilters)
    project = visible_project(viewer_in(request), slug)
    rows = UsagePeak.objects.filter(target__project=project).select_related("limit__endpoint")
    return answer_page(request, _narrowed(rows, asked), UsageDaySerializer)


@shows("figures")
@operation(
    "list_unit_usage", "List what the projects of a unit used, day by day", tag="units",
    answers=page_of(UnitUsageSerializer, "-day", "day"), refuses=(*LIST, 403, 404),
    filters=[DayFilters],
    about="Of the unit and all below it, by the tree as it stood on that day.",
)  # fmt: skip
@api_view(["GET"])
def unit_usage(request: Request, slug: str) -> HttpResponseBase:
    asked = filters(request, DayFilters)
    _viewer, unit = reader_of_figures(request, slug)
    return answer_page(request, _narrowed(usage_rows(unit), asked), UnitUsageSerializer)


@shows("figures")
@operation(
    "list_zone_usage", "List what all projects used in a zone, day by day", tag="catalogue",
    answers=page_of(ZoneUsageSerializer, "-day", "day"), refuses=(*LIST, 403, 404),
    filters=[DayFilters],
    about="Of the limits that count the zone alone, else of those that count it together with "
    "others: use, promises and capacity of all these zones then.",
)  # fmt: skip
@api_view(["GET"])
def zone_usage(request: Request, zone_id: str) -> HttpResponseBase:
    asked, viewer = filters(request, DayFilters), viewer_in(request)
    region, dot, slug = zone_id.partition(".")
    if not dot:
        raise NotVisible(_("There is no such thing."))
    zone = one(Zone.objects.select_related("region"), region__slug=region, slug=slug)
    if not may_see_zone_fill(viewer):
        raise Forbidden(_("The figures of zones are for those who decide, fund or audit."))
    things = drawables_of(zone)
    rows = _narrowed(usage_rows(None, [each.limit for each in things]), asked)

    def behind(page: Sequence[Any]) -> dict[str, Any]:
        shown = {each.limit_id for each in page}
        return {"capacity": capacities_of([each for each in things if each.limit.pk in shown])}

    return answer_page(request, rows, ZoneUsageSerializer, context=behind)


def _narrowed(rows: QuerySet[Any], asked: dict[str, Any]) -> QuerySet[Any]:
    return rows.filter(**{COLUMNS[name]: value for name, value in asked.items()})
