"""Asking who may repair: refusals that name the zone outside, and who can act there instead."""

from collections.abc import Collection
from datetime import datetime
from itertools import groupby

from django.utils.translation import gettext as _

from portal.lib.errors import Forbidden, NotVisible
from portal.lib.locks import share
from projects.models import Delegation, User
from projects.queries.viewers import Viewer, visible_projects
from projects.states import REPAIRING, Power
from quotas.models import Endpoint, Target, Zone
from quotas.queries.repairers import Repairs, zones_outside, zones_served


def held_viewer(actor: User, now: datetime) -> Viewer:
    """Who the actor is, with the delegations they repair by held until the transaction ends.

    Looked at once more after the lock: one of them may have been revoked meanwhile.
    """
    found = Viewer.of(actor, now)
    links = {
        link
        for each in found.delegations
        if set(REPAIRING) & set(each.powers)
        for link in each.chain_ids
    }
    if not links:
        return found
    share(Delegation, links)
    return Viewer.of(actor, now)


def check_read(viewer: Viewer, endpoint: Endpoint) -> None:
    """Raise Forbidden unless the person may read about the endpoint at all."""
    if Repairs(viewer).may_read(endpoint):
        return
    words = {"name": endpoint.name, "zones": zone_names(zones_served(endpoint))}
    if not words["zones"]:
        raise Forbidden(_("%(name)s serves no zone yet: it is for operators alone.") % words)
    raise Forbidden(
        _("%(name)s serves %(zones)s, which you do not repair: ask the operators.") % words,
        endpoint=endpoint.slug,
    )


def check_pause(viewer: Viewer, endpoint: Endpoint) -> None:
    """Raise Forbidden unless the person may pause, restrict and resume the endpoint."""
    if Repairs(viewer).may_pause(endpoint):
        return
    if not viewer.paths(Power.PAUSE_ENDPOINT):
        raise Forbidden(
            _("Only operators, and those who hold the power to pause an endpoint, can do this.")
        )
    raise _outside(viewer, Power.PAUSE_ENDPOINT, endpoint)


def check_retry_at(viewer: Viewer, endpoint: Endpoint) -> None:
    """Raise Forbidden unless the person may have something tried again at the endpoint.

    Which projects' targets, `repairable_targets` says.
    """
    if viewer.is_operator:
        return
    repairs = Repairs(viewer)
    if repairs.covers(endpoint, Power.RETRY_DELIVERIES):
        return
    if not viewer.paths(Power.RETRY_DELIVERIES):
        raise Forbidden(
            _("Only operators, and those who hold the power to retry deliveries, can do this.")
        )
    raise _outside(viewer, Power.RETRY_DELIVERIES, endpoint)


def check_retry(viewer: Viewer, target: Target) -> None:
    """Raise Forbidden unless the person may have the target tried again, or left out.

    NotVisible where they may not even know of its project: a refusal would name it.
    target: with its endpoint, its project and the project's unit.
    """
    if Repairs(viewer).may_retry(target):
        return
    check_retry_at(viewer, target.endpoint)
    if not visible_projects(viewer).filter(pk=target.project_id).exists():
        raise NotVisible(_("There is no such target."))
    raise Forbidden(
        _("You repair within %(yours)s, and %(project)s is in %(unit)s: operators can do this.")
        % {
            "yours": ", ".join(path.rstrip("/").upper() for path in viewer.paths(*REPAIRING)),
            "project": target.project.name,
            "unit": target.project.unit.label,
        },
        project=target.project.slug,
    )


def _outside(viewer: Viewer, power: Power, endpoint: Endpoint) -> Forbidden:
    if not zones_served(endpoint):
        return Forbidden(
            _("%(name)s serves no zone yet: it is for operators alone.") % {"name": endpoint.name}
        )
    zones = zones_outside(viewer, power, endpoint)
    return Forbidden(
        _("%(name)s also serves %(zones)s, which you do not repair: operators can do this.")
        % {"name": endpoint.name, "zones": zone_names(zones)},
        endpoint=endpoint.slug,
        zones=[f"{zone.region.slug}.{zone.slug}" for zone in zones],
    )


def zone_names(zones: Collection[Zone]) -> str:
    """Zones as a sentence names them: "compute-a, compute-b in geneva, storage-a in lyon"."""
    words = _("%(zones)s in %(region)s")
    groups = groupby(zones, key=lambda zone: zone.region.name)
    return ", ".join(
        words % {"zones": ", ".join(zone.name for zone in group), "region": region}
        for region, group in groups
    )
