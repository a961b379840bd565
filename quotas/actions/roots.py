"""Roots: the authority from which all other is handed on, made and ended by operators' commands.

Two people hold each, so that one can always act for the other.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Invalid
from portal.lib.locks import lock
from projects.actions import delegations as chain
from projects.models import Delegation, Unit, User
from projects.states import Power
from quotas.queries.hanging import below_of

from .bounds import UNBOUNDED, Bound, problems_of, store
from .delegations import revoke
from .routing import mark_delegation


def delegate_root(
    *,
    users: Collection[User],
    units: Collection[Unit],
    powers: Collection[Power],
    depth: int,
    ends_at: datetime | None,
    bounds: Sequence[Bound] = UNBOUNDED,
    now: datetime,
) -> list[Delegation]:
    """Give each of these people a root over each of these units; who holds one keeps it.

    Raises Conflict unless two different people then hold these powers by a live root over
    each unit.
    """
    _check_root(bounds)
    made = []
    with transaction.atomic():
        for unit in units:
            holders = chain.root_holders(unit, powers, now)
            for user in users:
                if user.pk not in holders:
                    root = chain.grant_root(
                        user=user, unit=unit, powers=powers, depth=depth, starts_at=now,
                        ends_at=ends_at, now=now,
                    )  # fmt: skip
                    made.append(root)
                    store(root, bounds)
                    mark_delegation(root, now)
            if len(chain.root_holders(unit, powers, now)) < chain.ROOTS_NEEDED:
                raise Conflict(
                    _(
                        "Only one person would hold the root of %(unit)s: name two different "
                        "people, so that one of them can always act for the other."
                    )
                    % {"unit": unit.label},
                    unit=unit.slug,
                )
    return made


@dataclass(frozen=True)
class RootEnded:
    """How many delegations end with a root, and from when on too few people hold one: a power
    and the first moment to come at which fewer than two do."""

    below_count: int
    too_few: dict[Power, datetime]


def revoke_root(*, root: Delegation, why: str = "", now: datetime) -> RootEnded:
    """End a root, for the operator's command.

    Raises Conflict where fewer than two people would hold one of its powers over its unit by a
    root now (facts: unit, power); of dates to come the answer tells.
    """
    with transaction.atomic():
        # One at a time: two that each count on the other would leave none.
        lock(Delegation.objects.filter(parent__isnull=True, revoked_at__isnull=True))
        below_count = len(below_of(root, now))
        revoke(delegation=root, actor=None, why=why, now=now)
        too_few = too_few_roots(root.unit, [Power(each) for each in root.powers], now)
        for power, when in too_few.items():
            if when <= now:
                words = {"name": root, "unit": root.unit.label, "power": power.label}
                raise Conflict(
                    _(
                        "Without %(name)s fewer than two people hold the root of %(unit)s with the "
                        "power to %(power)s. Give somebody else one first: manage.py grant_root."
                    )
                    % words,
                    unit=root.unit.slug,
                    power=power.value,
                )
    return RootEnded(below_count, too_few)


def too_few_roots(unit: Unit, powers: Collection[Power], now: datetime) -> dict[Power, datetime]:
    """{power: the first moment from `now` on at which fewer than two people hold its root}."""
    found = {power: chain.few_roots_at(unit, [power], now) for power in powers}
    return {power: when for power, when in found.items() if when is not None}


def _check_root(bounds: Sequence[Bound]) -> None:
    problems = problems_of(bounds, list(Power), UNBOUNDED)
    if problems:
        raise Invalid({each.name: [each.sentence] for each in problems})
