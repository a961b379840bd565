"""What the verbs of those who ask have in common: locks, checks and moves.

Callers are inside a transaction. The order is the project, its place, then the request.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, NotVisible, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.actions.units import hold_place
from projects.models import Project, User
from projects.queries.viewers import Viewer, roles_in, visible_projects
from projects.rules import may_ask
from projects.states import ProjectState
from quotas.models import Offering, QuotaRequest, RequestLine
from quotas.queries.accounts import balances
from quotas.states import LINE_MOVES, PENDING, LineState

from .routing import route
from .wishes import Wish, check_known, clean_text


def lock_project(project: Project, actor: User, now: datetime) -> tuple[Project, Viewer]:
    """The project, locked, with the actor's right to ask for it checked inside the lock."""
    rows = lock(Project.objects.filter(pk=project.pk))
    for each in rows:
        hold_place(each)
    viewer = Viewer.of(actor, now)
    if not rows or not visible_projects(viewer).filter(pk=project.pk).exists():
        raise NotVisible(_("There is no such project."))
    if not may_ask(roles_in(viewer, rows[0])):
        raise Forbidden(_("Only an owner or a manager of the project can ask for quota."))
    if rows[0].state != ProjectState.ACTIVE:
        words = {"project": rows[0].name, "state": rows[0].get_state_display()}
        raise Conflict(_("%(project)s is %(state)s; quota is for active projects.") % words)
    return rows[0], viewer


def lock_own(
    quota_request: QuotaRequest, actor: User, now: datetime
) -> tuple[QuotaRequest, Viewer]:
    _project, viewer = lock_project(quota_request.project, actor, now)
    return lock(QuotaRequest.objects.filter(pk=quota_request.pk).select_related("project__unit"))[
        0
    ], viewer


def create(project: Project, wish: Wish, actor: User, now: datetime) -> QuotaRequest:
    return QuotaRequest.objects.create(
        project=project,
        requester=actor,
        reason=clean_text(wish.reason, field="reason", required=False),
        until_on=wish.until_on,
        all_or_nothing=wish.all_or_nothing,
        created_at=now,
        updated_at=now,
    )


def add_lines(quota_request: QuotaRequest, lines: Mapping[Offering, int], state: LineState) -> None:
    held = balances(quota_request.project)
    try:
        with transaction.atomic():
            RequestLine.objects.bulk_create(
                RequestLine(
                    request=quota_request,
                    project=quota_request.project,
                    offering=offering,
                    wanted=amount,
                    balance_seen=held.get(offering.pk, 0),
                    state=state,
                )
                for offering, amount in lines.items()
            )
    except IntegrityError as error:
        # The project's lock makes this impossible; the constraint has the last word.
        raise Conflict(_("One of these is asked for already.")) from error


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


def send(quota_request: QuotaRequest, viewer: Viewer, lines: Mapping[Offering, int]) -> None:
    QuotaRequest.objects.filter(pk=quota_request.pk).update(submitted_at=viewer.now)
    note(quota_request, "submitted", viewer, lines)
    route(quota_request, viewer.now)


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
    """Move lines by compare-and-set; fewer rows than lines means somebody was first."""
    lines = RequestLine.objects.filter(request=quota_request)
    if line_ids is not None:
        lines = lines.filter(pk__in=line_ids)
    wanted_count = lines.count() if line_ids is None else len(line_ids)
    befores = [before for before, each in LINE_MOVES if each == verb]
    after = LINE_MOVES[befores[0], verb]
    if lines.filter(state__in=befores).update(state=after) != wanted_count:
        raise Conflict(_("Somebody else was first. Look again."))
    QuotaRequest.objects.filter(pk=quota_request.pk).update(
        version=F("version") + 1, updated_at=now
    )


def note(
    quota_request: QuotaRequest,
    verb: str,
    viewer: Viewer,
    wanted: Mapping[Offering, int] | None = None,
) -> None:
    """Record a verb; `wanted` is what it asked for, as the lines may be changed later."""
    data: dict[str, Any] = {}
    if wanted:
        data["wanted"] = {offering.slug: amount for offering, amount in wanted.items()}
    record(
        verb,
        actor=viewer.user,
        now=viewer.now,
        project=quota_request.project,
        subject_kind="request",
        subject_id=quota_request.pk,
        **data,
    )
