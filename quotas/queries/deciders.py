"""Who could decide which line, level by level: for one request or for many at the same price.

A level is all mandates that are equally near. A line waits for the nearest that may decide
it, for nearer ones with too little authority to endorse it, and for as many levels above as
it was handed up to.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import F, Q

from portal.lib.compiled import compiled
from portal.lib.lookups import IsAnyOf, is_among
from portal.lib.together import Part, Values
from projects.models import GroupMembership, Membership, Project, User, in_force
from projects.states import ROLES_ABOVE_READER, Power
from quotas.models import Account, Offering, QuotaRequest, RequestLine
from quotas.states import AssignmentKind

from .authority import Mandate, deciding_for, mandates_over
from .bounds import Used
from .consumption import acts_part, links_of, periods_of, used_from, uses_part, window_keys


@dataclass(frozen=True)
class Turn:
    """A mandate whose holder is asked to decide a line, or to endorse it."""

    mandate: Mandate
    kind: AssignmentKind
    level: int


@dataclass(frozen=True)
class Deciders:
    """Who could decide one line. Mandates are the nearest first.

    held: all that reach its place; free: those that somebody without an interest holds;
    people: {delegation id: these people}. increase: in base units, against the quota of now;
    used: what is consumed of bounds.
    """

    offering: Offering
    increase: int
    held: Sequence[Mandate]
    free: Sequence[Mandate]
    people: Mapping[int, frozenset[int]]
    used: Used

    @cached_property
    def _about(self) -> list[Mandate]:
        """Those that say anything of what the line asks for."""
        return [each for each in self.free if each.reaches(self.offering)]

    @cached_property
    def levels(self) -> list[list[Mandate]]:
        """Those who may decide it, the nearest level first.

        Nobody may grant as much: the widest level that may grant less. None at all: nobody
        could do anything about it.
        """
        about, increase = self._about, self.increase
        enough = [each for each in about if each.allows(self.offering, increase, self.used)]
        return _by_nearness(enough) or _by_nearness(about)[-1:]

    @cached_property
    def endorsers(self) -> list[Mandate]:
        """Those of the nearest level, if it is nearer than all who may decide."""
        about = _by_nearness(self._about)
        if not about or about[0][0].nearness == self.levels[0][0].nearness:
            return []
        return about[0]

    def people_of(self, turns: Iterable[Turn]) -> set[int]:
        """Ids of all who can take one of these turns; of a group whoever has no interest."""
        return {each for turn in turns for each in self.people[turn.mandate.delegation.pk]}

    def turns(self, level: int) -> list[Turn]:
        """Whom the line waits for, once it was handed up `level` times."""
        deciding = [
            Turn(mandate, AssignmentKind.DECIDE, number)
            for number, mandates in enumerate(self.levels[: level + 1])
            for mandate in mandates
        ]
        return deciding + [Turn(each, AssignmentKind.ENDORSE, 0) for each in self.endorsers]


def deciders_of(
    lines: Collection[RequestLine],
    now: datetime,
    without: Collection[int] = (),
    involved: Collection[int] = (),
    over: Collection[Mandate] | None = None,
) -> dict[int, Deciders]:
    """{line id: who could decide it}; two queries, however many lines there are.

    lines: with `offering`, `request` and `project.unit` at hand. without: ids of delegations
    that are looked away from, as if they had ended. involved: ids of people who will have a
    part in it, though nothing says so yet. over: all mandates that reach the lines' units, if they
    were read already; one query then.
    """
    if not lines:
        return {}
    if over is None:
        over = mandates_over({line.project.unit.path for line in lines}, Power.DECIDE_QUOTA, now)
    gone = set(without)
    mandates = [each for each in over if each.delegation.pk not in gone]
    wanted = {(line.project_id, line.offering_id) for line in lines}
    links = links_of(mandates)
    projects = {line.project_id for line in lines}
    power = Power.DECIDE_QUOTA
    held_roles, members, held_quota, acts, uses = _around(
        power,
        now=now,
        projects=sorted(projects),
        wanted=sorted({line.offering_id for line in lines}),
        people=sorted({each for mandate in mandates for each in mandate.effective_people}),
        groups=sorted({each.delegation.group_id for each in mandates if each.delegation.group_id}),
        **window_keys(links, wanted, now),
        **periods_of(links, now),
    )
    interests = _interests(held_roles, members, mandates, involved)
    balances = {(project, offering): balance for project, offering, balance in held_quota}
    used = used_from(links, wanted, now, acts, uses)
    free: dict[int, dict[int, frozenset[int]]] = {}
    found = {}
    by_place: dict[tuple[str, str], list[Mandate]] = {}
    for line in lines:
        place = (line.project.unit.path, line.project.state)
        if place not in by_place:
            by_place[place] = deciding_for(mandates, line.project)
        held = by_place[place]
        if line.request_id not in free:
            free[line.request_id] = interests.free_holders(held, line.request)
        people = free[line.request_id]
        found[line.pk] = Deciders(
            offering=line.offering,
            increase=line.wanted - balances.get((line.project_id, line.offering_id), 0),
            held=held,
            free=[each for each in held if each.delegation.pk in people],
            people=people,
            used=used[line.project_id],
        )
    return found


def deciders_of_wish(
    project: Project,
    wanted: Mapping[Offering, int],
    asked_by: User,
    now: datetime,
    *,
    requester: User | None = None,
    involved: Collection[int] = (),
) -> dict[int, Deciders]:
    """{offering id: who could decide it} if somebody sent a wish for so much; two queries.

    project: with its unit; wanted: absolute limits in base units; requester: in whose name, if
    not in their own; involved: as of `deciders_of`.
    """
    asked = QuotaRequest(project=project, requester=requester or asked_by, asked_by=asked_by)
    lines = [
        # Never stored: known by what they ask for, which is there once.
        RequestLine(
            pk=offering.pk, request=asked, project=project, offering=offering, wanted=amount
        )
        for offering, amount in wanted.items()
    ]
    return deciders_of(lines, now, involved=involved)


@dataclass(frozen=True)
class _Interests:
    """involved: {project id: people with a role above reader}; members: of groups that decide;
    everywhere: who has a part in each."""

    involved: dict[int, set[int]]
    members: dict[int, set[int]]
    everywhere: frozenset[int]

    def free_holders(
        self, mandates: Collection[Mandate], quota_request: QuotaRequest
    ) -> dict[int, frozenset[int]]:
        """{delegation id: people who can use it: in use, and without a part in the matter}.

        Nobody: absent. Nor may anybody have a part in it whom a deputy stands in for.
        """
        of_project = self.involved.get(quota_request.project_id, set())
        barred = of_project | self.everywhere | _askers(quota_request)
        found = {}
        for mandate in mandates:
            if mandate.effective_people & barred:
                continue
            delegation = mandate.delegation
            if delegation.user is not None:
                people = {delegation.user.pk} if delegation.user.is_active else set()
            else:
                people = self.members.get(delegation.group_id or 0, set()) - barred
            if people:
                found[delegation.pk] = frozenset(people)
        return found


def _askers(quota_request: QuotaRequest) -> set[int]:
    """Who wrote it, and in whose name; a requester also once they have left the project."""
    people = {quota_request.requester_id, quota_request.asked_by_id}
    return {each for each in people if each is not None}


@compiled
def _around(
    power: Power, /, *, now: Any, projects: Any, wanted: Any, people: Any, groups: Any,
    holders: Any, offerings: Any, since: Any, bounds: Any, periods: Any,
) -> list[Part]:  # fmt: skip
    """Roles above reader, who is in the groups that matter, quotas, and what is consumed.

    Groups that matter: those that decide, and of those that work in a project whoever could decide.
    """
    roles = Membership.objects.filter(
        IsAnyOf(F("project"), projects), in_force(now), role__in=ROLES_ABOVE_READER
    )
    live = GroupMembership.objects.filter(in_force(now))
    decides = live.filter(IsAnyOf(F("group"), groups))
    works = live.filter(
        Q(IsAnyOf(F("user"), people)) | Q(user__in=decides.values("user")),
        group__in=roles.filter(group__isnull=False).values("group"),
    )
    either = decides.values("pk").union(works.values("pk"))
    members = GroupMembership.objects.filter(is_among("pk", either))
    quotas = Account.objects.filter(IsAnyOf(F("project"), projects), IsAnyOf(F("offering"), wanted))
    return [
        Values(roles, ["project", "user", "group"]),
        Values(members, ["group", "user", "user__is_active"]),
        Values(quotas, ["project", "offering", "balance"]),
        acts_part(power, holders, offerings, since),
        uses_part(power, bounds, periods),
    ]


def _interests(
    roles: Iterable[Sequence[Any]],
    memberships: Iterable[Sequence[Any]],
    mandates: Collection[Mandate],
    everywhere: Collection[int],
) -> _Interests:
    """From the answers to `_around`."""
    deciding = {each.delegation.group_id for each in mandates}
    members: dict[int, set[int]] = defaultdict(set)
    active: dict[int, set[int]] = defaultdict(set)
    for group_id, user_id, is_active in memberships:
        members[group_id].add(user_id)
        if is_active and group_id in deciding:
            active[group_id].add(user_id)
    involved: dict[int, set[int]] = defaultdict(set)
    for project_id, user_id, group_id in roles:
        found = {user_id} if user_id is not None else members.get(group_id or 0, set())
        involved[project_id] |= found
    return _Interests(involved, active, frozenset(everywhere))


def _by_nearness(mandates: Sequence[Mandate]) -> list[list[Mandate]]:
    """The levels of these mandates, which come the nearest first."""
    levels: list[list[Mandate]] = []
    for each in mandates:
        if levels and levels[-1][0].nearness == each.nearness:
            levels[-1].append(each)
        else:
            levels.append([each])
    return levels
