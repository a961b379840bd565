"""The verbs of those who ask: draft, submit, amend, answer, withdraw, comment.

Each is one transaction: lock the project, then the request; ask the rules again; move
the lines by compare-and-set; route; record.
"""

from collections.abc import Mapping
from datetime import datetime

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
from quotas.models import Comment, Offering, QuotaRequest, RequestLine
from quotas.queries.accounts import balances
from quotas.queries.requests import visible_requests
from quotas.rules import may_comment
from quotas.states import LINE_MOVES, PENDING, LineState

from .routing import route
from .wishes import Wish, check_known, check_wish, clean_text


def submit(*, project: Project, wish: Wish, actor: User, now: datetime) -> QuotaRequest:
    """Send a wish to those who decide.

    Raises Forbidden, Invalid, and Conflict where a line of the same offering is pending.
    """
    with transaction.atomic():
        locked, viewer = _lock_project(project, actor, now)
        lines = check_wish(wish, balances=balances(locked), now=now)
        _refuse_second_pending(locked, lines)
        quota_request = _create(locked, wish, actor, now)
        _add_lines(quota_request, lines, LineState.OPEN)
        _sent(quota_request, viewer)
    return quota_request


def save_draft(
    *, project: Project, wish: Wish, actor: User, now: datetime, draft: QuotaRequest | None = None
) -> QuotaRequest:
    """Keep a wish that is not sent: it holds nothing, and only its writer sees it."""
    with transaction.atomic():
        locked, _viewer = _lock_project(project, actor, now)
        text = clean_text(wish.reason, field="reason", required=False)
        lines = _draft_lines(locked, wish, now)
        if draft is None:
            quota_request = _create(locked, wish, actor, now)
        else:
            quota_request = _own_draft(draft, actor)
            quota_request.lines.all().delete()
            QuotaRequest.objects.filter(pk=quota_request.pk).update(
                reason=text, until_on=wish.until_on, all_or_nothing=wish.all_or_nothing,
                version=F("version") + 1, updated_at=now,
            )  # fmt: skip
        _add_lines(quota_request, lines, LineState.DRAFT)
    return quota_request


def _draft_lines(project: Project, wish: Wish, now: datetime) -> dict[Offering, int]:
    """A draft may lack a reason, but what it holds must be amounts of offerings."""
    complete = Wish(wish.wanted, wish.reason or "-", wish.until_on, wish.all_or_nothing)
    return check_wish(complete, balances=balances(project), now=now)


def submit_draft(*, draft: QuotaRequest, actor: User, now: datetime) -> QuotaRequest:
    """Send a draft, checked as if it were written now."""
    with transaction.atomic():
        locked, viewer = _lock_project(draft.project, actor, now)
        quota_request = _own_draft(draft, actor)
        wanted = {line.offering.slug: line.wanted for line in _lines(quota_request)}
        wish = Wish(wanted, quota_request.reason, quota_request.until_on)
        lines = check_wish(wish, balances=balances(locked), now=now)
        _refuse_second_pending(locked, lines)
        _remember_balances(quota_request, locked)
        _move(quota_request, "submit", now)
        QuotaRequest.objects.filter(pk=quota_request.pk).update(submitted_at=now)
        _sent(quota_request, viewer)
    return quota_request


def discard_draft(*, draft: QuotaRequest, actor: User, now: datetime) -> None:
    """Throw a draft away."""
    with transaction.atomic():
        _lock_project(draft.project, actor, now)
        quota_request = _own_draft(draft, actor)
        quota_request.lines.all().delete()
        quota_request.delete()


def amend(
    *,
    quota_request: QuotaRequest,
    wanted: Mapping[int, int],
    reason: str,
    version: int,
    actor: User,
    now: datetime,
) -> QuotaRequest:
    """Change what the open lines ask for. wanted: {line id: absolute limit in base units}.

    Raises Conflict where a line is not open, Stale where the request has changed.
    """
    with transaction.atomic():
        locked, viewer = _lock_own(quota_request, actor, now)
        _check_moves(locked, "amend", list(wanted))
        _check_version(locked, version)
        _rewrite(locked, wanted, reason, now)
        _move(locked, "amend", now, list(wanted))
        _record(locked, "amended", viewer)
        route(locked, viewer.now)
    return locked


def answer(
    *,
    quota_request: QuotaRequest,
    text: str,
    wanted: Mapping[int, int],
    version: int,
    actor: User,
    now: datetime,
) -> QuotaRequest:
    """Answer the question of who returned it: the lines are open again, changed or not."""
    with transaction.atomic():
        locked, viewer = _lock_own(quota_request, actor, now)
        returned = [line.pk for line in _lines(locked) if line.state == LineState.RETURNED]
        _check_moves(locked, "answer", returned)
        _check_version(locked, version)
        check_known(wanted, returned)
        cleaned = clean_text(text, field="text", required=True)
        if wanted:
            _rewrite(locked, wanted, locked.reason, now)
        Comment.objects.create(request=locked, author=actor, text=cleaned, at=now)
        _move(locked, "answer", now, returned)
        _record(locked, "answered", viewer)
        route(locked, viewer.now)
    return locked


def withdraw(*, quota_request: QuotaRequest, actor: User, now: datetime) -> QuotaRequest:
    """Take back every line that waits; what was decided stays."""
    with transaction.atomic():
        locked, viewer = _lock_own(quota_request, actor, now)
        waiting = [line.pk for line in _lines(locked) if line.state in PENDING]
        _check_moves(locked, "withdraw", waiting)
        _move(locked, "withdraw", now, waiting)
        _record(locked, "withdrew", viewer)
    return locked


def comment(*, quota_request: QuotaRequest, text: str, actor: User, now: datetime) -> Comment:
    """Say something to everybody who sees the request."""
    with transaction.atomic():
        viewer = Viewer.of(actor, now)
        seen = visible_requests(viewer).filter(pk=quota_request.pk).first()
        if seen is None:
            raise NotVisible(_("There is no such request."))
        if seen.submitted_at is None:
            raise Conflict(_("A draft is read by nobody else; send it first."))
        if not may_comment(viewer, seen, roles_in(viewer, seen.project)):
            raise Forbidden(_("Members of the project and those who decide can write here."))
        cleaned = clean_text(text, field="text", required=True)
        written = Comment.objects.create(request=seen, author=actor, text=cleaned, at=now)
        _record(seen, "commented", viewer)
    return written


def _lock_project(project: Project, actor: User, now: datetime) -> tuple[Project, Viewer]:
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


def _lock_own(
    quota_request: QuotaRequest, actor: User, now: datetime
) -> tuple[QuotaRequest, Viewer]:
    _project, viewer = _lock_project(quota_request.project, actor, now)
    return lock(QuotaRequest.objects.filter(pk=quota_request.pk).select_related("project__unit"))[
        0
    ], viewer


def _own_draft(draft: QuotaRequest, actor: User) -> QuotaRequest:
    rows = lock(QuotaRequest.objects.filter(pk=draft.pk, requester=actor))
    if not rows:
        raise NotVisible(_("There is no such draft."))
    if any(line.state != LineState.DRAFT for line in _lines(rows[0])):
        raise Conflict(_("It was sent already; look at the request."))
    return rows[0]


def _create(project: Project, wish: Wish, actor: User, now: datetime) -> QuotaRequest:
    return QuotaRequest.objects.create(
        project=project,
        requester=actor,
        reason=clean_text(wish.reason, field="reason", required=False),
        until_on=wish.until_on,
        all_or_nothing=wish.all_or_nothing,
        created_at=now,
        updated_at=now,
    )


def _add_lines(
    quota_request: QuotaRequest, lines: Mapping[Offering, int], state: LineState
) -> None:
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


def _refuse_second_pending(project: Project, lines: Mapping[Offering, int]) -> None:
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


def _sent(quota_request: QuotaRequest, viewer: Viewer) -> None:
    QuotaRequest.objects.filter(pk=quota_request.pk).update(submitted_at=viewer.now)
    _record(quota_request, "submitted", viewer)
    route(quota_request, viewer.now)


def _lines(quota_request: QuotaRequest) -> list[RequestLine]:
    return list(
        RequestLine.objects.filter(request=quota_request).select_related(
            "offering__resource", "offering__zone"
        )
    )


def _check_moves(quota_request: QuotaRequest, verb: str, line_ids: list[int]) -> None:
    states = {line.pk: line.state for line in _lines(quota_request)}
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


def _check_version(quota_request: QuotaRequest, version: int) -> None:
    if quota_request.version != version:
        raise Stale(
            _("The request has changed since you opened it. Look again."),
            version=quota_request.version,
        )


def _rewrite(
    quota_request: QuotaRequest, wanted: Mapping[int, int], reason: str, now: datetime
) -> None:
    """Check the new wish as a whole, then change the lines that it names."""
    lines = {line.pk: line for line in _lines(quota_request)}
    check_known(wanted, lines)
    wish = Wish(
        {lines[line_id].offering.slug: amount for line_id, amount in wanted.items()},
        reason,
        quota_request.until_on,
    )
    held = balances(quota_request.project)
    check_wish(wish, balances=held, now=now)
    for line_id, amount in wanted.items():
        lines[line_id].wanted = amount
        lines[line_id].balance_seen = held.get(lines[line_id].offering_id, 0)
    RequestLine.objects.bulk_update([lines[each] for each in wanted], ["wanted", "balance_seen"])
    QuotaRequest.objects.filter(pk=quota_request.pk).update(
        reason=clean_text(reason, field="reason", required=True)
    )


def _remember_balances(quota_request: QuotaRequest, project: Project) -> None:
    held = balances(project)
    lines = _lines(quota_request)
    for line in lines:
        line.balance_seen = held.get(line.offering_id, 0)
    RequestLine.objects.bulk_update(lines, ["balance_seen"])


def _move(
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


def _record(quota_request: QuotaRequest, verb: str, viewer: Viewer) -> None:
    record(
        verb,
        actor=viewer.user,
        now=viewer.now,
        project=quota_request.project,
        subject_kind="request",
        subject_id=quota_request.pk,
    )
