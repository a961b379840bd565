"""Services that cannot look into all of themselves now: what is told of use there is a least."""

from django.db.models import QuerySet

from quotas.models import Endpoint, Zone


def incomplete_services() -> QuerySet[Endpoint]:
    """All of them, the longest incomplete first."""
    return Endpoint.objects.filter(gaps_since__isnull=False).order_by("gaps_since", "slug")


def incomplete_in(zone: Zone) -> list[Endpoint]:
    """Those that count what is offered in a zone; one query."""
    rows = incomplete_services().filter(limits__contributions__offering__zone=zone)
    return list(rows.distinct())
