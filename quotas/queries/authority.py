"""Who may decide a line, and how much: delegations, their chains and their bounds.

A mandate is one delegation that a person holds, with every link above it. What it allows
is the intersection along the chain, computed at `now`.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import TextField
from django.utils.functional import cached_property

from portal.lib.compiled import compiled
from portal.lib.lookups import is_among, is_one_of_many
from portal.lib.related import hang
from portal.lib.together import Part, Rows
from projects.models import (
    Delegation,
    Group,
    Project,
    User,
    ancestor_paths,
)
from projects.queries.viewers import Viewer, live_delegations
from projects.states import Power, ProjectState
from quotas.models import DelegationBound, Offering

from .bounds import Most, Used, fits, is_about, left_of, matches, rooms_of, tightest

PEOPLE_AND_PLACE = ("unit", "user", "group", "grantor")
BOUND_AND_PLACE = ("resource", "zone", "zone__region")


About = list[tuple[Delegation, list[DelegationBound]]]
Known = dict[tuple[int, int, int], About]


@dataclass(frozen=True)
class Mandate:
    """A delegation in force, the chain from its root to itself, and each link's bounds.

    known: {(link id, resource id, zone id): what the chain down to that link says about that}, as
    it is found, for all that were read together: on a page many lines are about one offering, and
    chains begin alike.
    """

    delegation: Delegation
    chain: tuple[Delegation, ...]
    bounds: dict[int, tuple[DelegationBound, ...]]
    known: Known = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def unit_path(self) -> str:
        """Of the unit that it is over."""
        return self.delegation.unit.path

    @cached_property
    def nearness(self) -> tuple[int, int]:
        """Sorts mandates: the deeper unit is nearer, then the longer chain.

        A deputy is as near as who they stand in for.
        """
        own = [link for link in self.chain if not link.is_deputy]
        return (own[-1].unit.path.count("/"), len(own))

    @cached_property
    def deputised(self) -> tuple[int, ...]:
        """Ids of those in whose stead it is used: grantors up through consecutive deputies."""
        found = []
        for link in reversed(self.chain):
            if not link.is_deputy or link.grantor_id is None:
                break
            found.append(link.grantor_id)
        return tuple(found)

    @cached_property
    def effective_people(self) -> frozenset[int]:
        """Ids of all whose interest bars it: the delegate, if a person, and the deputised.

        Of a group's mandate the member who acts comes on top.
        """
        delegate = self.delegation.user_id
        return frozenset({*self.deputised, *([delegate] if delegate is not None else [])})

    @cached_property
    def innermost(self) -> str | None:
        """The path that all it holds for begins with: of the deepest of the units that its links
        are over. None where these do not lie above one another, so that it holds for nothing.
        """
        paths = {link.unit.path for link in self.chain}
        deepest = max(paths, key=len)
        return deepest if all(map(deepest.startswith, paths)) else None

    @cached_property
    def _powers(self) -> frozenset[str]:
        """Those that every link has."""
        first, *others = (link.powers for link in self.chain)
        return frozenset(first).intersection(*others)

    def has(self, *powers: Power) -> bool:
        """Whether every link has these powers."""
        return self._powers.issuperset(powers)

    def covers(self, unit_path: str, *powers: Power) -> bool:
        """Whether every link has these powers and the unit in its subtree."""
        path = self.innermost
        return path is not None and unit_path.startswith(path) and self.has(*powers)

    def reaches(self, offering: Offering) -> bool:
        """Whether every link says anything about the offering; else nothing of it is decided."""
        return all(rows for _link, rows in self._about(offering))

    def most(self, offering: Offering, used: Used | None = None) -> Most:
        """The most that one decision may add, and by which bound; used: None, as written."""
        return tightest(
            [
                each
                for link, rows in self._about(offering)
                for each in rooms_of(rows, link, offering, used)
            ]
        )

    def most_amount(self, offering: Offering, used: Used | None = None) -> int | None:
        """That of `most`, for who asks it of each line of a page."""
        left = [left_of(rows, offering, used) for _link, rows in self._about(offering)]
        return min([each for each in left if each is not None], default=None)

    def _about(self, offering: Offering) -> About:
        """Each link with its bounds that match."""
        resource_id, zone_id = offering.resource_id, offering.zone_id
        found: About = []
        for link_id, link in self.links:
            key = (link_id, resource_id, zone_id)
            if (known := self.known.get(key)) is None:
                rows = [row for row in self.bounds[link_id] if is_about(row, resource_id, zone_id)]
                known = self.known[key] = [*found, (link, rows)]
            found = known
        return found

    @cached_property
    def links(self) -> tuple[tuple[int, Delegation], ...]:
        """The chain with the id of each link."""
        return tuple((link.pk, link) for link in self.chain)

    def allows(self, offering: Offering, increase: int, used: Used | None = None) -> bool:
        """Whether one decision may add that much; decreases are within any bound.

        used: what is consumed by now; without it the bounds count as written.
        """
        # As `reaches` and `most` say it, without saying which bound.
        for _link, rows in self._about(offering):
            if not rows:
                return False
            if increase > 0 and not all(fits(row, offering, increase, used) for row in rows):
                return False
        return True

    def bounds_on(self, offering: Offering) -> list[DelegationBound]:
        """Every bound of the chain that is about the offering, root to leaf."""
        return [
            row for link in self.chain for row in self.bounds[link.pk] if matches(row, offering)
        ]


def mandates_of(viewer: Viewer, unit_path: str, power: Power) -> list[Mandate]:
    """The person's mandates for a power in a unit, the nearest first."""
    return _mandates(viewer.over(power, unit_path), unit_path, power)


def own_mandates(viewer: Viewer, project: Project) -> list[Mandate]:
    """The person's mandates by which a request of the project can be decided."""
    return deciding_for(_load(viewer.over(Power.DECIDE_QUOTA, project.unit.path)), project)


def mandates_for(unit_path: str, power: Power, now: datetime) -> list[Mandate]:
    """Everybody's mandates for a power in a unit, the nearest first."""
    held = (
        live_delegations(now)
        .filter(powers__contains=[power], unit__path__in=ancestor_paths(unit_path))
        .select_related("unit", "user", "group")
    )
    return _mandates(held, unit_path, power)


def mandates_above(held: Sequence[Delegation], project: Project) -> list[Mandate]:
    """Those by which a request of the project can be decided, the nearest first, without bounds.

    held: all that are over its unit and have the power. A query where a link has it no more.
    """
    by_id = {each.pk: each for each in held}
    missing = {each for one in held for each in one.ancestors} - by_id.keys()
    if missing:
        links = Delegation.objects.filter(pk__in=missing).select_related(*PEOPLE_AND_PLACE)
        by_id |= {each.pk: each for each in links}
    return deciding_for([_mandate(each, by_id, {}, {}) for each in held], project)


def mandates_over(unit_paths: Collection[str], power: Power, now: datetime) -> list[Mandate]:
    """Everybody's mandates for a power that reach one of these units; narrow with `usable`."""
    above = {path for each in unit_paths for path in ancestor_paths(each)}
    return mandates_from_over(*_over(power, paths=sorted(above), now=now))


def mandates_from_over(
    held: Collection[Delegation], bounds: Iterable[DelegationBound]
) -> list[Mandate]:
    """`mandates_over` from the answers to `over_parts`."""
    by_id = {each.pk: each for each in held}
    if not all(by_id.keys() >= set(each.ancestors) for each in held):
        return _load(held)  # a link lacks the power, or lies elsewhere
    return mandates_from(held, held, bounds)


def over_parts(power: Power, *, paths: Any, now: Any) -> list[Part]:
    """What asks for the delegations over these units, an array of paths, and for their bounds."""
    live = live_delegations(now).filter(
        is_one_of_many("unit__path", paths, TextField()), powers__contains=[power]
    )
    bounds_of = DelegationBound.objects.filter(is_among("delegation", live.values("pk")))
    return [
        Rows(live.order_by("pk"), PEOPLE_AND_PLACE),
        Rows(bounds_of.order_by("pk"), BOUND_AND_PLACE),
    ]


@compiled
def _over(power: Power, /, *, paths: Any, now: Any) -> list[Part]:
    return over_parts(power, paths=paths, now=now)


def _mandate(
    delegation: Delegation,
    links: Mapping[int, Delegation],
    bounds: Mapping[int, Sequence[DelegationBound]],
    known: Known,
) -> Mandate:
    ids = delegation.chain_ids
    return Mandate(
        delegation=delegation,
        chain=tuple(links[each] for each in ids),
        bounds={each: tuple(bounds.get(each, ())) for each in ids},
        known=known,
    )


def mandates_held(viewer: Viewer) -> list[Mandate]:
    """Everything the person holds, for pages about many units; narrow it with `usable`."""
    return _load(viewer.delegations)


def by_effective_people(viewer: Viewer) -> dict[frozenset[int], list[Delegation]]:
    """The person's delegations, by the ids of all whose interest bars their use.

    A query where they are somebody's deputy.
    """
    deputies = _load(each for each in viewer.delegations if each.is_deputy)
    others = {each.delegation.pk: each.deputised for each in deputies}
    found: dict[frozenset[int], list[Delegation]] = defaultdict(list)
    for each in viewer.delegations:
        found[frozenset({viewer.user.pk, *others.get(each.pk, ())})].append(each)
    return found


def mandate_of(delegation: Delegation) -> Mandate:
    """A delegation with its chain and bounds, whether it is in force or not."""
    return _load([delegation])[0]


def usable(mandates: Iterable[Mandate], unit_path: str, *powers: Power) -> list[Mandate]:
    """Those that hold for these powers in a unit, the nearest first."""
    is_below = unit_path.startswith
    found = [
        each
        for each in mandates
        # Of somebody who holds many most are elsewhere: seen before each link is looked at.
        if is_below(each.unit_path) and each.covers(unit_path, *powers)
    ]
    return sorted(found, key=lambda each: each.nearness, reverse=True)


def powers_over(project: Project) -> tuple[Power, ...]:
    """What decides a request of the project: until it is opened one decides that there is one."""
    if project.state == ProjectState.PROPOSED:
        return (Power.DECIDE_QUOTA, Power.DECIDE_PROJECTS)
    return (Power.DECIDE_QUOTA,)


def deciding_for(mandates: Iterable[Mandate], project: Project) -> list[Mandate]:
    """Those by which a request of the project can be decided, the nearest first."""
    return usable(mandates, project.unit.path, *powers_over(project))


def _mandates(held: Iterable[Delegation], unit_path: str, power: Power) -> list[Mandate]:
    return usable(_load(held), unit_path, power)


def _load(held: Iterable[Delegation]) -> list[Mandate]:
    """The delegations with their chains and bounds; one query."""
    delegations = list(held)
    if not delegations:
        return []
    ids = {each for delegation in delegations for each in delegation.chain_ids}
    return mandates_from(delegations, *_chains(ids=sorted(ids)))


def chain_parts_of(*, ids: Any) -> list[Part]:
    """What asks for these links, an array of ids, and for the bounds of them."""
    bounds = DelegationBound.objects.filter(is_one_of_many("delegation", ids))
    return [
        Rows(Delegation.objects.filter(is_one_of_many("pk", ids)), PEOPLE_AND_PLACE),
        Rows(bounds.order_by("pk"), BOUND_AND_PLACE),
    ]


_chains = compiled(chain_parts_of)


def mandates_from(
    delegations: Iterable[Delegation],
    links: Iterable[Delegation],
    bounds: Iterable[DelegationBound],
) -> list[Mandate]:
    """The delegations as mandates, from the answers to `chain_parts_of`."""
    by_id = {each.pk: each for each in links}
    rows: dict[int, list[DelegationBound]] = defaultdict(list)
    for row in bounds:
        link_id = row.delegation_id
        hang(row, "delegation", by_id[link_id])
        rows[link_id].append(row)
    known: Known = {}
    return [_mandate(each, by_id, rows, known) for each in delegations]


def nearest(
    mandates: Sequence[Mandate], offering: Offering, increase: int, used: Used | None = None
) -> list[Mandate]:
    """The mandates of the nearest level that may decide; all equally near ones.

    mandates: the nearest first, as `with_free_holder` leaves them. Nobody with enough: the
    widest level that exists, so that the line is never without somebody who sees it.
    """
    enough = [each for each in mandates if each.allows(offering, increase, used)]
    if enough:
        return [each for each in enough if each.nearness == enough[0].nearness]
    return [each for each in mandates if each.nearness == mandates[-1].nearness]


def delegate_of(mandate: Mandate) -> User | Group:
    """The person or group that holds a mandate."""
    delegation = mandate.delegation
    holder = delegation.user or delegation.group
    if holder is None:  # pragma: no cover - the constraint delegation_one_delegate
        raise AssertionError("a delegation without a delegate")
    return holder
