"""Floors of pages: one query for the rows that a page shows, one plain table of its cells."""

from pathlib import Path
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import F, OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine
from django.views.decorators.http import require_safe

from quotas.models import Account, Reading, RequestLine
from quotas.states import LineState

# An engine of their own: no context processor of Remit's. Templates are compiled once.
_engine = Engine(dirs=[str(Path(__file__).with_name("templates"))])
MOST_ROWS = 500


@login_required
@require_safe
def request_rows(request: HttpRequest, count: int) -> HttpResponse:
    """As many open requests as a page shows, the newest, with the cells of a queue and no more.

    Each with project, unit, requester, what it asks for, where, and the balance it is on top of.
    """
    rows = (
        RequestLine.objects.filter(state=LineState.OPEN)
        .select_related("request__requester", "project__unit", "offering__resource",
                        "offering__zone__region")
        .only("wanted", "balance_seen", "level", "request__reason", "request__submitted_at",
              "request__requester__name", "project__name", "project__unit__name",
              "offering__resource__name", "offering__zone__name", "offering__zone__region__name")
        # The other way round the planner may look for open ones past all that ever were.
        .order_by("-request_id")[: min(count, MOST_ROWS)]
    )  # fmt: skip
    return _table("requests.html", rows)


@login_required
@require_safe
def quota_rows(request: HttpRequest, slug: str) -> HttpResponse:
    """What a project has of each offering, and what of its first limit is used and reserved."""
    reading = Reading.objects.filter(
        target__project=OuterRef("project"), limit__contributions__offering=OuterRef("offering")
    ).order_by("limit")
    rows = (
        Account.objects.filter(project__slug=slug)
        .select_related("project", "offering__resource", "offering__zone__region")
        .only("balance", "project__slug", "offering__slug", "offering__resource__name",
              "offering__zone__name", "offering__zone__region__name")
        .annotate(used=Subquery(reading.values("used")[:1]),
                  reserved=Subquery(reading.values("reserved")[:1]))
        .annotate(free=F("balance") - F("used") - F("reserved"))
        .order_by("offering_id")
    )  # fmt: skip
    return _table("quota.html", rows)


def nothing(request: HttpRequest, **where: object) -> HttpResponse:
    """Where the floors' links lead."""
    return HttpResponse(status=204)


def _table(name: str, rows: QuerySet[Any]) -> HttpResponse:
    return HttpResponse(_engine.get_template(name).render(Context({"rows": rows})))
