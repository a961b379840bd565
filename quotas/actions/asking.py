"""What the verbs of those who ask have in common: locks, checks and moves.

Callers are inside a transaction. The order is the project, its place, then the request.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, Invalid, NotVisible, Stale
from portal.lib.locks import lock
from projects.actions.units import hold_place, lock_placed
from projects.models import Project, User
from projects.queries.patience import STOPPED, clock_at
from projects.queries.viewers import Viewer, roles_in, visible_projects
from projects.rules import may_ask, may_ask_for_others
from projects.states import ProjectState
from quotas.models import Offering, PolicyVersion, QuotaRequest, RequestLine
from quotas.queries.ask import names_that_can_be
from quotas.queries.authority import Mandate, mandates_from_over
from quotas.queries.desks import asked_of
from quotas.queries.policies import nearest_first
from quotas.rules import may_change
from quotas.states import LINE_MOVES, PENDING, LineState

from .wishes import check_known


def lock_project(
    project: Project,
    actor: User,
    now: datetime,
    *,
    requester: User | None = None,
    is_draft: bool = False,
) -> tuple[Project, Viewer]:
    """The project, locked, with the actor's right to ask for it checked inside the lock.

    requester: in whose name the actor asks, if not in their own; nobody keeps a draft for another.
    """
    desk = open_desk(project, actor, now, requester=requester, is_draft=is_draft)
    return desk.project, desk.viewer


@dataclass(frozen=True)
class Desk:
    """What a wish is judged by, once the project is locked.

    balances: {offering id: quota}; pending: ids of offerings that are asked for already; rules:
    those that are on for the project, in the order in which they are asked; offerings: those
    that the wish names, as far as there are such.
    """

    project: Project
    viewer: Viewer
    roles: frozenset[str]
    balances: Mapping[int, int]
    pending: frozenset[int]
    holidays: Collection[date]
    rules: Sequence[PolicyVersion]
    offerings: Sequence[Offering] = ()
    # As the database answered: who decides there, where something is to be sent.
    over: Sequence[Any] = ()

    def deciding(self) -> list[Mandate] | None:
        """All mandates over the project's unit, if they were read."""
        return mandates_from_over(*self.over) if self.over else None


def look(project: Project, actor: User, now: datetime, slugs: Collection[str] = ()) -> Desk:
    """One query. slugs: of the offerings that the wish names."""
    memberships, delegations, roles, held, pending, holidays, rules, offerings, *over = asked_of(
        project, actor, now, names_that_can_be(slugs)
    )
    return Desk(
        project=project,
        viewer=Viewer.standing(actor, now, memberships, delegations),
        roles=frozenset(role for (role,) in roles),
        balances=dict(held),
        pending=frozenset(offering_id for (offering_id,) in pending),
        holidays=[date.fromisoformat(on) for (on,) in holidays],
        rules=nearest_first(rules),
        offerings=offerings,
        over=over,
    )


def open_desk(
    project: Project,
    actor: User,
    now: datetime,
    *,
    requester: User | None = None,
    is_draft: bool = False,
    slugs: Collection[str] = (),
) -> Desk:
    """`lock_project`, with what the wish is judged by. Who has a role sees the project."""
    rows = _take(project)
    desk = look(rows[0], actor, now, slugs) if rows else None
    if desk is None or (
        not desk.roles and not visible_projects(desk.viewer).filter(pk=project.pk).exists()
    ):
        raise NotVisible(_("There is no such project."))
    locked, viewer = desk.project, desk.viewer
    if requester is None or requester == actor:
        if not may_ask(desk.roles):
            if may_ask_for_others(viewer, locked) and not is_draft:
                raise Invalid({"requester": [_("Choose in whose name you ask.")]})
            raise Forbidden(_("Only an owner or a manager of the project can ask for quota."))
    else:
        _check_in_the_name_of(requester, locked, viewer)
    _check_active(locked)
    return desk


def lock_own(
    quota_request: QuotaRequest, actor: User, now: datetime
) -> tuple[QuotaRequest, Viewer]:
    """The request, locked after its project, once the actor may change it."""
    project, viewer = _lock(quota_request.project, actor, now)
    rows = lock(QuotaRequest.objects.filter(pk=quota_request.pk).select_related("project__unit"))
    if not may_change(viewer, rows[0], roles_in(viewer, project)):
        raise Forbidden(_("Only an owner or a manager of the project can do that."))
    if project.state != ProjectState.PROPOSED:
        _check_active(project)
    return rows[0], viewer


def _lock(project: Project, actor: User, now: datetime) -> tuple[Project, Viewer]:
    """The project, locked with its place; raises NotVisible."""
    rows = _take(project)
    viewer = Viewer.of(actor, now)
    if not rows or not visible_projects(viewer).filter(pk=project.pk).exists():
        raise NotVisible(_("There is no such project."))
    return rows[0], viewer


def _take(project: Project) -> list[Project]:
    """The project, locked with its place, if there is such a one."""
    rows = lock_placed(project.pk)
    for each in rows:
        hold_place(each)
    return rows


def _check_active(project: Project) -> None:
    if project.state != ProjectState.ACTIVE:
        words = {"project": project.name, "state": project.get_state_display()}
        raise Conflict(_("%(project)s is %(state)s; quota is for active projects.") % words)


def check_for_others(viewer: Viewer, project: Project) -> None:
    """Raise Forbidden for who may ask for the project in nobody else's name."""
    if not may_ask_for_others(viewer, project):
        raise Forbidden(
            _("You hold no delegation to ask for others in %(unit)s.")
            % {"unit": project.unit.label},
            unit=project.unit.slug,
        )


def _check_in_the_name_of(requester: User, project: Project, viewer: Viewer) -> None:
    """Raise Forbidden for who may not do that here, Invalid for a name that may not ask."""
    check_for_others(viewer, project)
    held = roles_in(Viewer.of(requester, viewer.now), project)
    if not requester.is_active or not may_ask(held):
        words = {"name": str(requester), "project": project.name}
        sentence = _("%(name)s is no owner or manager of %(project)s.") % words
        raise Invalid({"requester": [sentence]})


def refuse_second_pending(project: Project, lines: Mapping[Offering, int]) -> None:
    pending = (
        RequestLine.objects.filter(project=project, state__in=PENDING, offering__in=list(lines))
        .select_related("offering__resource", "offering__zone")
        .first()
    )
    if pending is not None:
        words = {
            "resource": pending.offering.resource.name,
            "zone": pending.offering.zone.name,
            "number": pending.request_id,
        }
        raise Conflict(
            _(
                "%(resource)s in %(zone)s is asked for in #%(number)s already: amend or "
                "withdraw that one."
            )
            % words,
            request=pending.request_id,
            offering=pending.offering.slug,
        )


def lines_of(quota_request: QuotaRequest) -> list[RequestLine]:
    return list(
        RequestLine.objects.filter(request=quota_request).select_related(
            "offering__resource", "offering__zone"
        )
    )


def check_moves(quota_request: QuotaRequest, verb: str, line_ids: list[int]) -> None:
    states = {line.pk: line.state for line in lines_of(quota_request)}
    check_known(line_ids, states)
    if not line_ids:
        raise Conflict(_("Nothing in this request waits for that."))
    for line_id in line_ids:
        if (states[line_id], verb) not in LINE_MOVES:
            raise Conflict(
                _("A line that is %(state)s cannot change like this.")
                % {"state": LineState(states[line_id]).label},
                line=line_id,
                state=states[line_id],
            )


def check_version(quota_request: QuotaRequest, version: int) -> None:
    if quota_request.version != version:
        raise Stale(
            _("The request has changed since you opened it. Look again."),
            version=quota_request.version,
        )


def move_lines(
    quota_request: QuotaRequest, verb: str, now: datetime, line_ids: list[int] | None = None
) -> None:
    """Move lines by compare-and-set; fewer rows than lines means somebody was first.

    Their clock starts anew where they waited for the requester, and stops where they wait for
    nobody who decides; an open line that is amended has waited as long as before.
    """
    lines = RequestLine.objects.filter(request=quota_request)
    if line_ids is not None:
        lines = lines.filter(pk__in=line_ids)
    wanted_count = lines.count() if line_ids is None else len(line_ids)
    befores = [before for before, each in LINE_MOVES if each == verb]
    after = LINE_MOVES[befores[0], verb]
    clock: Mapping[str, object] = STOPPED
    if LineState.OPEN in befores and after == LineState.OPEN:
        clock = {}
    elif after == LineState.OPEN:
        clock = clock_at(quota_request.project.unit, now)
    if lines.filter(state__in=befores).update(state=after, **clock) != wanted_count:
        raise Conflict(_("Somebody else was first. Look again."))
    QuotaRequest.objects.filter(pk=quota_request.pk).update(
        version=F("version") + 1, updated_at=now
    )
