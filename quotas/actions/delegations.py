"""Handing authority on together with its bounds: how much may be given, of what, where."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.lib.amounts import MAX_AMOUNT, format_amount
from portal.lib.errors import Conflict, Invalid
from portal.lib.locks import lock
from projects.actions import delegations as chain
from projects.models import Delegation, Group, Project, Unit, User
from projects.states import REPAIRING, Power
from quotas.models import DelegationBound, QuotaRequest, RequestLine, Resource, Zone
from quotas.states import LineState

from .routing import route


@dataclass(frozen=True)
class Bound:
    """How much may be given, in base units; None: any resource, any zone, no bound.

    The meaning of each is that of the columns of DelegationBound.
    """

    resource: Resource | None = None
    zone: Zone | None = None
    per_decision: int | None = None
    window_days: int = 30
    total: int | None = None
    period_days: int | None = None

    def lies_in(self, other: DelegationBound) -> bool:
        """Whether every offering that this one is about is one of the other's."""
        return other.resource in (None, self.resource) and other.zone in (None, self.zone)


UNBOUNDED = (Bound(),)


def delegate_root(
    *,
    users: Collection[User],
    units: Collection[Unit],
    powers: Collection[Power],
    depth: int,
    ends_at: datetime | None,
    bounds: Collection[Bound] = UNBOUNDED,
    now: datetime,
) -> list[Delegation]:
    """Give each of these people a root over each of these units; who holds one keeps it.

    Raises Conflict unless two different people then hold these powers by a live root over
    each unit.
    """
    _check_bounds(bounds)
    made = []
    with transaction.atomic():
        for unit in units:
            hold_waiting(unit)
        for unit in units:
            holders = chain.root_holders(unit, powers, now)
            for user in users:
                if user.pk not in holders:
                    root = chain.grant_root(
                        user=user, unit=unit, powers=powers, depth=depth, starts_at=now,
                        ends_at=ends_at, now=now,
                    )  # fmt: skip
                    made.append(root)
                    _store(root, bounds)
            if len(chain.root_holders(unit, powers, now)) < chain.ROOTS_NEEDED:
                raise Conflict(
                    _(
                        "Only one person would hold the root of %(unit)s: name two different "
                        "people, so that one of them can always act for the other."
                    )
                    % {"unit": unit.label},
                    unit=unit.slug,
                )
        for unit in units if made else ():
            reroute(unit, now)
    return made


def delegate(
    *,
    parent: Delegation,
    grantor: User,
    unit: Unit,
    powers: Collection[Power],
    starts_at: datetime,
    ends_at: datetime | None,
    depth: int,
    bounds: Collection[Bound],
    user: User | None = None,
    group: Group | None = None,
    purpose: str = "",
    now: datetime,
) -> Delegation:
    """Hand a part of one's authority on, with bounds that lie within one's own.

    Raises what projects.actions.delegations.grant raises, and Invalid on `bounds` with the
    parent's bound (facts: dimension, bound). Bounds of powers to repair name zones; what they
    say of resources and amounts does not matter. What waits below is routed anew.
    """
    _check_bounds(bounds)
    with transaction.atomic():
        hold_waiting(unit)
        made = chain.grant(
            parent=parent, grantor=grantor, unit=unit, powers=powers, starts_at=starts_at,
            ends_at=ends_at, depth=depth, user=user, group=group, purpose=purpose, now=now,
        )  # fmt: skip
        held = DelegationBound.objects.filter(delegation=parent).select_related("resource", "zone")
        check = _check_zone if set(powers) <= set(REPAIRING) else _check_within
        for bound in bounds:
            check(bound, list(held))
        _store(made, bounds)
        reroute(unit, now)
    return made


def revoke(*, delegation: Delegation, actor: User | None, now: datetime) -> None:
    """Take a delegation back and route what waited for it to whoever is nearest now."""
    with transaction.atomic():
        hold_waiting(delegation.unit)
        chain.revoke(delegation=delegation, actor=actor, now=now)
        reroute(delegation.unit, now)


def hold_waiting(unit: Unit) -> None:
    """Lock the projects below a unit that wait for a decision, for a `reroute` afterwards.

    First of all locks: projects come before units and delegations.
    """
    lock(Project.objects.filter(pk__in=_open_below(unit).values("project")))


def reroute(unit: Unit, now: datetime) -> int:
    """Route every request with an open line below a unit anew; returns how many there were.

    The caller began with `hold_waiting`.
    """
    waiting = QuotaRequest.objects.filter(pk__in=_open_below(unit).values("request"))
    requests = list(waiting.select_related("project__unit"))
    for quota_request in requests:
        route(quota_request, now)
    return len(requests)


def _open_below(unit: Unit) -> QuerySet[RequestLine]:
    return RequestLine.objects.filter(
        state=LineState.OPEN, project__unit__path__startswith=unit.path
    )


def _check_bounds(bounds: Collection[Bound]) -> None:
    if not bounds:
        raise Invalid({"bounds": [_("Say how much: without a bound nothing can be given.")]})
    keys = [(bound.resource, bound.zone) for bound in bounds]
    if len(set(keys)) != len(keys):
        raise Invalid({"bounds": [_("One resource in one zone has one bound.")]})
    for bound in bounds:
        if bound.per_decision is not None and not 0 <= bound.per_decision <= MAX_AMOUNT:
            words = {"amount": bound.per_decision, "most": MAX_AMOUNT}
            raise Invalid({"bounds": [_("%(amount)s must lie between 0 and %(most)s.") % words]})


def _check_zone(bound: Bound, held: Collection[DelegationBound]) -> None:
    """For powers of those who repair, by which nothing is given: the zones alone count."""
    zones = {row.zone for row in held}
    if None in zones or bound.zone in zones:
        return
    yours = ", ".join(sorted(zone.name for zone in zones if zone is not None))
    if bound.zone is None:
        sentence = _("You repair %(yours)s alone: name a zone.") % {"yours": yours}
    else:
        words = {"zone": bound.zone.name, "yours": yours or _("nothing")}
        sentence = _("%(zone)s is not yours to repair; you repair %(yours)s.") % words
    slugs = sorted(zone.slug for zone in zones if zone is not None)
    raise Invalid({"bounds": [sentence]}, dimension="zone", bound=slugs)


def _check_within(bound: Bound, held: Collection[DelegationBound]) -> None:
    """Some row of the parent must cover the bound, and none that touches it may be tighter."""
    if not any(bound.lies_in(row) for row in held):
        what = _what(bound)
        raise Invalid(
            {"bounds": [_("You may give nothing of %(what)s yourself.") % {"what": what}]},
            dimension="bounds", bound=0,
        )  # fmt: skip
    for row in held:
        if row.per_decision is None or not bound.lies_in(row):
            continue
        if bound.per_decision is None or bound.per_decision > row.per_decision:
            unit = row.resource.unit if row.resource else ""
            words = {"what": _what(bound), "most": format_amount(row.per_decision, unit)}
            raise Invalid(
                {"bounds": [_("Of %(what)s you may give %(most)s per decision.") % words]},
                dimension="per_decision", bound=row.per_decision,
            )  # fmt: skip


def _what(bound: Bound) -> str:
    resource = bound.resource.name if bound.resource else _("every resource")
    if bound.zone is None:
        return str(resource)
    return _("%(resource)s in %(zone)s") % {"resource": resource, "zone": bound.zone.name}


def _store(delegation: Delegation, bounds: Collection[Bound]) -> None:
    DelegationBound.objects.bulk_create(
        DelegationBound(
            delegation=delegation,
            resource=bound.resource,
            zone=bound.zone,
            per_decision=bound.per_decision,
            window_days=bound.window_days,
            total=bound.total,
            period_days=bound.period_days,
        )
        for bound in bounds
    )
