"""Closing Nova of the small site, and people who repair in some of its zones."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from projects.models import Delegation, User
from projects.queries.viewers import Viewer
from projects.states import REPAIRING, Power
from quotas.actions import endpoints
from quotas.models import Contribution, DelegationBound, Endpoint, Limit, Offering, Zone
from quotas.tests.site import NOW, Site

HOUR = timedelta(hours=1)
REASON = "Database upgrade"


def nova(site: Site) -> Endpoint:
    found = site.endpoints["nova-geneva"]
    found.refresh_from_db()
    return found


def close(site: Site, verb: str = "pause", name: str = "nova-geneva", **changes: Any) -> Endpoint:
    terms = {
        "endpoint": site.endpoints[name], "reason": REASON, "until": None, "actor": site.otto,
        "now": NOW,
    }  # fmt: skip
    return getattr(endpoints, verb)(**(terms | changes))


def repairer(
    site: Site,
    *zones: str,
    unit: str = "org",
    powers: Collection[Power] = REPAIRING,
    parent: Delegation | None = None,
) -> User:
    """Somebody who repairs in these zones of a unit; no zone named: in all of them."""
    rosa, _made = User.objects.get_or_create(subject="rosa", name="Rosa", password="!")
    held = Delegation.objects.create(
        user=rosa, powers=list(powers), unit=site.units[unit], parent=parent,
        ancestors=parent.chain_ids if parent else [], grantor=site.otto if parent else None,
        starts_at=NOW - HOUR, created_at=NOW,
    )  # fmt: skip
    for slug in zones or (None,):
        zone = Zone.objects.get(slug=slug) if slug else None
        DelegationBound.objects.create(delegation=held, zone=zone)
    return rosa


def share_nova(site: Site) -> Zone:
    """A second compute zone, which feeds the same limit of the same Nova."""
    first = site.vcpu.zone
    other = Zone.objects.create(
        region=first.region, slug="compute-b", name="compute-b", kind="compute"
    )
    offering = Offering.objects.create(
        slug="geneva.compute-b.vcpu", zone=other, resource=site.vcpu.resource
    )
    limit = Limit.objects.get(endpoint=site.endpoints["nova-geneva"], key="cores")
    Contribution.objects.create(offering=offering, limit=limit)
    return other


def viewer(person: User) -> Viewer:
    return Viewer.of(person, NOW)
