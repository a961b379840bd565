"""Addresses of an endpoint's pages, one that is paused, and people who repair."""

from datetime import timedelta

from django.urls import reverse
from django.utils import timezone

from projects.models import Delegation
from projects.states import REPAIRING
from quotas.actions import endpoints
from quotas.models import DelegationBound, Endpoint, Zone
from quotas.tests.site import Site

NOVA = "nova-geneva"


def url(name: str, slug: str = NOVA) -> str:
    return reverse(f"endpoint_{name}", args=[slug])


def repairs(site: Site, name: str, *zones: str, unit: str = "org") -> None:
    """Let somebody of the cast repair in these zones of a unit."""
    since = timezone.now() - timedelta(hours=1)
    held = Delegation.objects.create(
        user=site.people[name], powers=list(REPAIRING), unit=site.units[unit],
        starts_at=since, created_at=since,
    )  # fmt: skip
    for slug in zones:
        DelegationBound.objects.create(delegation=held, zone=Zone.objects.get(slug=slug))


def pause(site: Site, slug: str = NOVA, reason: str = "New <b>disks</b>") -> None:
    endpoint = Endpoint.objects.get(slug=slug)
    now = timezone.now()
    endpoints.pause(
        endpoint=endpoint, reason=reason, until=now + timedelta(hours=30), actor=site.otto, now=now
    )
