"""The place of a decision: everything that it looks at, locked, and who decides."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from django.db.models import F, QuerySet
from django.utils.translation import gettext as _

from portal.lib.compiled import compiled_rows
from portal.lib.errors import Conflict, DomainError, Forbidden, Invalid, NotVisible, Stale
from portal.lib.locks import SHARED
from portal.lib.lookups import IsAnyOf
from projects.actions.units import hold_places, lock_placed
from projects.models import Delegation, Project, User
from projects.queries.viewers import Viewer
from projects.states import ProjectState
from quotas.models import PolicyVersion, QuotaRequest, RequestLine
from quotas.queries.authority import Mandate
from quotas.queries.standing_over import Standing, standing_over
from quotas.states import LINE_MOVES, LineState

from .authority import barred
from .wishes import check_known


@dataclass
class Bench:
    """Everything that a decision looks at, locked: nothing here changes under it."""

    request: QuotaRequest
    project: Project
    # Whose authority it rests on: who acts, or who made the policy that does.
    viewer: Viewer
    lines: dict[int, RequestLine]
    mandates: list[Mandate]
    policy_version: PolicyVersion | None = None

    @property
    def actor(self) -> User | None:
        """Who acts; None where a policy does."""
        return self.viewer.user if self.policy_version is None else None

    def chosen(self, line_ids: list[int], verb: str) -> list[RequestLine]:
        """The lines, or Conflict where one of them is not where the verb is legal."""
        check_known(line_ids, self.lines)
        if not line_ids:
            raise Conflict(_("No line of this request waits for a decision."))
        for line_id in line_ids:
            state = self.lines[line_id].state
            if (state, verb) not in LINE_MOVES:
                raise Conflict(
                    _("This line is %(state)s already; only an open line can be decided.")
                    % {"state": LineState(state).label},
                    line=line_id,
                    state=state,
                )
        return [self.lines[line_id] for line_id in sorted(line_ids)]

    def check_version(self, version: int) -> None:
        """Raise Stale where the decider saw another version of the request."""
        if self.request.version != version:
            raise Stale(
                _("The request has changed since you opened it. Look again, then decide."),
                version=self.request.version,
            )

    def check_all_or_nothing(self, lines: list[RequestLine]) -> None:
        """Raise Invalid where only some lines of an all-or-nothing request are decided."""
        if not self.request.all_or_nothing:
            return
        waiting = {each.pk for each in self.lines.values() if each.state == LineState.OPEN}
        if waiting != {line.pk for line in lines}:
            sentence = _("This request is all or nothing: decide all of its lines together.")
            raise Invalid({"lines": [sentence]})

    def hold_authority(self) -> None:
        """Hold the delegations as they are; a link may have been revoked while we waited.

        Also after `now`, which was taken before we waited for locks. What else a mandate
        depends on is held already, or written by nobody's verb: terms are immutable, and the
        units of a chain lie on the project's path.
        """
        hold_authorities([self])
        if not self.mandates:
            # In other words for somebody who does not even see the project without them.
            barred(Viewer.of(self.viewer.user, self.viewer.now), self.request, [])


def take(quota_request: QuotaRequest, actor: User, now: datetime) -> Bench:
    """Lock project, unit path and request, then ask who the actor is."""
    return _take(quota_request, actor, now, None)


def take_for(quota_request: QuotaRequest, policy_version: PolicyVersion, now: datetime) -> Bench:
    """`take` for a policy: by its own delegation alone, as long as its person holds that."""
    return _take(quota_request, policy_version.policy.person, now, policy_version)


def take_each(numbers: Collection[int], actor: User, now: datetime) -> list[Bench]:
    """`take` of many requests at little more than the price of one, without those that it refuses.

    In the order of the numbers.
    """
    rows = QuotaRequest.objects.filter(pk__in=numbers).values_list("pk", "project")
    places, found = dict(rows), []
    held = _hold(places, actor, now)
    for number in numbers:
        try:
            found.append(_bench(held, number, None))
        except DomainError:
            continue
    return found


def hold_authorities(benches: Collection[Bench]) -> None:
    """`Bench.hold_authority` for many by one query; who has no mandate left is told nothing."""
    links = {link.pk for each in benches for mandate in each.mandates for link in mandate.chain}
    live = {link.pk for link in _shared(links=sorted(links)) if link.revoked_at is None}
    for bench in benches:
        bench.mandates = [
            each for each in bench.mandates if all(link.pk in live for link in each.chain)
        ]


@dataclass(frozen=True)
class _Held:
    """Some requests, locked after their projects and places, by their ids, and who decides."""

    projects: Mapping[int, Project]
    lines: Mapping[int, dict[int, RequestLine]]
    standing: Standing


def _take(
    quota_request: QuotaRequest, person: User, now: datetime, policy_version: PolicyVersion | None
) -> Bench:
    held = _hold({quota_request.pk: quota_request.project_id}, person, now)
    return _bench(held, quota_request.pk, policy_version)


def _hold(places: Mapping[int, int], person: User, now: datetime) -> _Held:
    projects = {each.pk: each for each in lock_placed(*places.values())}
    hold_places(projects.values())
    lines: dict[int, dict[int, RequestLine]] = defaultdict(dict)
    for line in _locked_lines(requests=[*places]):
        lines[line.request_id][line.pk] = line
    for own in lines.values():
        request = next(iter(own.values())).request
        request.project = projects[request.project_id]
        for line in own.values():
            line.request, line.project = request, request.project
    return _Held(projects, lines, standing_over(person, projects.values(), now))


def _bench(held: _Held, number: int, policy_version: PolicyVersion | None) -> Bench:
    lines, viewer = held.lines.get(number), held.standing.viewer
    if not lines:
        raise NotVisible(_("There is no such request."))
    request = next(iter(lines.values())).request
    project = request.project
    if not viewer.user.is_active:
        # Nobody signs in by it, but a rule and a job act in a person's name.
        raise Forbidden(_("The account of %(name)s is closed.") % {"name": viewer.user})
    mandates = held.standing.mandates[project.pk]
    if policy_version is not None:
        own = policy_version.policy.delegation_id
        mandates = [each for each in mandates if each.delegation.pk == own]
    mandates = barred(viewer, request, mandates, held.standing.with_role[project.pk])
    if project.state not in (ProjectState.ACTIVE, ProjectState.PROPOSED):
        words = {"project": project.name, "state": project.get_state_display()}
        raise Conflict(_("%(project)s is %(state)s; nothing is granted to it.") % words)
    return Bench(request, project, viewer, lines, mandates, policy_version)


@compiled_rows
def _locked_lines(*, requests: Any) -> QuerySet[RequestLine]:
    """With the requests, which are locked. Who changes lines has locked the project."""
    return (
        RequestLine.objects.filter(IsAnyOf(F("request"), requests))
        .select_related("request", "offering__resource", "offering__zone")
        .order_by("request_id", "pk")
        .select_for_update(no_key=True, of=("request",))
    )


@partial(compiled_rows, ending=SHARED)
def _shared(*, links: Any) -> QuerySet[Delegation]:
    rows = Delegation.objects.filter(IsAnyOf(F("pk"), links))
    return rows.only("pk", "revoked_at").order_by("pk")
