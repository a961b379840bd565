"""Who may repair what: the powers `pause endpoint` and `retry deliveries`, and their zones.

Bounds of these powers name zones; what resource a bound is about does not matter here, as
an endpoint is stopped or written to as a whole. A pause concerns everybody at the endpoint
and no project in particular, so for it the zones count and the unit of the delegation does
not. A retry is of one project's target: there the project must lie in the subtree too.
Operators repair everything; auditors read everything.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from django.db.models import Q, QuerySet

from projects.queries.viewers import Viewer
from projects.rules import may_repair_somewhere
from projects.states import REPAIRING, Power
from quotas.models import Contribution, Endpoint, Target, Zone

from .authority import Mandate, mandates_held


@dataclass(frozen=True)
class Zones:
    """The zones that somebody may repair; `ids` None: all of them."""

    ids: frozenset[int] | None

    def __contains__(self, zone_id: int) -> bool:
        return self.ids is None or zone_id in self.ids


@dataclass(frozen=True)
class Repairs:
    """What a person may read and repair now; for pages about many rows.

    Nothing is asked of the database before it is needed: at most three queries for a
    repairer, none for anybody else but where zones are named.
    """

    viewer: Viewer

    @cached_property
    def mandates(self) -> list[Mandate]:
        return mandates_held(self.viewer) if may_repair_somewhere(self.viewer) else []

    @cached_property
    def zones_at(self) -> dict[int, frozenset[int]]:
        """{endpoint id: ids of the zones that it serves}, of every endpoint that serves one."""
        return zones_by_endpoint()

    def zones(self, power: Power, unit_path: str | None = None) -> Zones:
        """The zones of all mandates for a power together; in a unit, if one is named.

        What concerns a whole endpoint is not a service account's: its place is a unit.
        """
        place = self.viewer.place
        if place is not None and (unit_path is None or not self.viewer.reaches(unit_path)):
            return Zones(frozenset())
        found: set[int] = set()
        for mandate in self.mandates:
            if not _has(mandate, power, unit_path):
                continue
            ids = _zone_ids(mandate)
            if ids is None:
                return Zones(None)
            found |= ids
        return Zones(frozenset(found))

    def covers(self, endpoint: Endpoint, power: Power) -> bool:
        """Whether all that the endpoint serves lies in the person's zones for a power."""
        return self._within(endpoint.pk, [self.zones(power)])

    def may_pause(self, endpoint: Endpoint) -> bool:
        return self.viewer.is_operator or self.covers(endpoint, Power.PAUSE_ENDPOINT)

    def may_retry(self, target: Target) -> bool:
        """target: with its project and the project's unit."""
        path = target.project.unit.path
        return self.viewer.is_operator or self._within(
            target.endpoint_id, [self.zones(Power.RETRY_DELIVERIES, path)]
        )

    def may_read_words(self, endpoint: Endpoint, unit_path: str) -> bool:
        """Whether the person reads, in its own words, what it said of a project of that unit."""
        return self.viewer.sees_everything or self._within(
            endpoint.pk, [self.zones(power, unit_path) for power in REPAIRING]
        )

    def may_read_words_of(self, endpoint: Endpoint) -> bool:
        """Whether the person reads what the service says about itself, as when it is silent."""
        return self.viewer.sees_everything or any(
            self.covers(endpoint, power) for power in REPAIRING
        )

    def may_read(self, endpoint: Endpoint) -> bool:
        """Whether the person reads about the endpoint: it serves one of their zones at all."""
        return self.viewer.sees_everything or endpoint.pk in self.readable_ids

    @cached_property
    def readable_ids(self) -> list[int]:
        """Of the endpoints that serve a zone of the person's, for those who see no others."""
        zones = [self.zones(power) for power in REPAIRING]
        return [
            endpoint_id
            for endpoint_id, served in self.zones_at.items()
            if any(zone_id in each for each in zones for zone_id in served)
        ]

    def unrepaired(self, zones: Iterable[Zone]) -> list[Zone]:
        """Of some zones, those that the person repairs by neither power."""
        own = [self.zones(power) for power in REPAIRING]
        return [zone for zone in zones if not any(zone.pk in each for each in own)]

    def targets(self, *powers: Power) -> QuerySet[Target]:
        """The targets within one of these powers' zones and subtrees."""
        condition = Q(pk__in=[])
        for power in powers:
            held = [each.delegation for each in self.mandates if _has(each, power, None)]
            for path in self.viewer.clipped(held):
                zones = self.zones(power, path)
                endpoint_ids = [each for each in self.zones_at if self._within(each, [zones])]
                condition |= Q(project__unit__path__startswith=path, endpoint__in=endpoint_ids)
        return Target.objects.filter(condition)

    def _within(self, endpoint_id: int, choices: Iterable[Zones]) -> bool:
        """Whether all that it serves lies in one of these; one that serves nothing is nobody's."""
        served = self.zones_at.get(endpoint_id, frozenset())
        return bool(served) and any(
            all(zone_id in zones for zone_id in served) for zones in choices
        )


def _has(mandate: Mandate, power: Power, unit_path: str | None) -> bool:
    if unit_path is None:
        return all(power in link.powers for link in mandate.chain)
    return mandate.covers(unit_path, power)


def _zone_ids(mandate: Mandate) -> frozenset[int] | None:
    """The zones that every link of the chain names; None: no link names any."""
    allowed: frozenset[int] | None = None
    for link in mandate.chain:
        rows = mandate.bounds[link.pk]
        if any(row.zone_id is None for row in rows):
            continue
        named = frozenset(row.zone_id for row in rows if row.zone_id is not None)
        allowed = named if allowed is None else allowed & named
    return allowed


def zones_by_endpoint() -> dict[int, frozenset[int]]:
    """{endpoint id: ids of the zones of the offerings that feed its limits}; one query.

    An identity endpoint serves the zones of all services behind it: nothing there goes on
    without it. Retired offerings count, as what was promised of them is still enforced.
    """
    found: dict[int, set[int]] = defaultdict(set)
    rows = Contribution.objects.order_by().values_list(
        "limit__endpoint", "limit__endpoint__identity", "offering__zone"
    )
    for endpoint_id, identity_id, zone_id in rows.distinct():
        found[endpoint_id].add(zone_id)
        if identity_id is not None:
            found[identity_id].add(zone_id)
    return {endpoint_id: frozenset(zones) for endpoint_id, zones in found.items()}


def zones_served(endpoint: Endpoint) -> list[Zone]:
    """The zones that an endpoint serves, in their order, with their regions."""
    own = Q(offerings__contributions__limit__endpoint=endpoint)
    behind = Q(offerings__contributions__limit__endpoint__identity=endpoint)
    ids = Zone.objects.filter(own | behind).order_by().values("pk")
    return list(Zone.objects.filter(pk__in=ids).select_related("region"))


def zones_outside(
    viewer: Viewer, power: Power, endpoint: Endpoint, unit_path: str | None = None
) -> list[Zone]:
    """The zones of an endpoint that the person's mandates for a power do not cover."""
    if viewer.is_operator:
        return []
    within = Repairs(viewer).zones(power, unit_path)
    return [zone for zone in zones_served(endpoint) if zone.pk not in within]


def may_pause(viewer: Viewer, endpoint: Endpoint) -> bool:
    """Pause, restrict and resume it."""
    return Repairs(viewer).may_pause(endpoint)


def may_retry(viewer: Viewer, target: Target) -> bool:
    """Have it tried again, left out, restored; target: with its project and its unit."""
    return Repairs(viewer).may_retry(target)


def readable_endpoints(viewer: Viewer) -> QuerySet[Endpoint]:
    """The endpoints whose page the person may read: those that serve a zone of theirs."""
    if viewer.sees_everything:
        return Endpoint.objects.all()
    return Endpoint.objects.filter(pk__in=Repairs(viewer).readable_ids)


def readable_targets(viewer: Viewer) -> QuerySet[Target]:
    """The targets of which the person reads what the service said, in its own words.

    For a repairer: all that the endpoint serves lies in their zones, the project in the
    subtree. A shared endpoint's words could be about the zone of others.
    """
    if viewer.sees_everything:
        return Target.objects.all()
    return Repairs(viewer).targets(*REPAIRING)


def repairable_targets(viewer: Viewer) -> QuerySet[Target]:
    """The targets that the person may have tried again."""
    if viewer.is_operator:
        return Target.objects.all()
    return Repairs(viewer).targets(Power.RETRY_DELIVERIES)
