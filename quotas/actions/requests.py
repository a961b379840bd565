"""The verbs of those who ask: submit, amend, answer, withdraw, comment.

Each is one transaction: lock the project, then the request; ask the rules again; move
the lines by compare-and-set; route; record.
"""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, Forbidden, NotVisible
from projects.models import Project, User
from projects.queries.viewers import Viewer, roles_in
from projects.states import NoticeKind
from quotas.models import Comment, Offering, QuotaRequest, RequestLine
from quotas.queries.accounts import balances
from quotas.queries.requests import visible_requests
from quotas.rules import may_comment
from quotas.states import PENDING, LineState

from .asking import (
    check_moves,
    check_version,
    lines_of,
    lock_own,
    move_lines,
    open_desk,
    refuse_second_pending,
)
from .automatic import grant_at_once
from .opening import drop_if_over
from .routing import route
from .sending import note, request_of, send_new, write_sent
from .watching import tell_followers
from .wishes import Wish, check_known, check_wish, clean_text


def submit(
    *, project: Project, wish: Wish, actor: User, now: datetime, requester: User | None = None
) -> QuotaRequest:
    """Send a wish to those who decide.

    requester: in whose name, by the power `ask for others`; without one in the actor's own.
    Raises Forbidden, Invalid, and Conflict where a line of the same offering is pending.
    """
    with transaction.atomic():
        desk = open_desk(project, actor, now, requester=requester, slugs=wish.wanted)
        lines = check_wish(wish, balances=desk.balances, now=now, offerings=desk.offerings)
        if any(each.pk in desk.pending for each in lines):
            refuse_second_pending(desk.project, lines)
        quota_request = request_of(desk.project, wish, actor, now, requester)
        send_new(quota_request, write_sent(quota_request, lines, desk), desk)
    return quota_request


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
        locked, viewer = lock_own(quota_request, actor, now)
        check_moves(locked, "amend", list(wanted))
        check_version(locked, version)
        lines = _rewrite(locked, wanted, reason, now)
        move_lines(locked, "amend", now, list(wanted))
        note(locked, "amended", viewer, lines)
        if grant_at_once(locked, viewer.now):
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
        locked, viewer = lock_own(quota_request, actor, now)
        returned = [line.pk for line in lines_of(locked) if line.state == LineState.RETURNED]
        check_moves(locked, "answer", returned)
        check_version(locked, version)
        check_known(wanted, returned)
        cleaned = clean_text(text, field="text", required=True)
        lines = _rewrite(locked, wanted, locked.reason, now) if wanted else {}
        Comment.objects.create(request=locked, author=actor, text=cleaned, at=now)
        move_lines(locked, "answer", now, returned)
        event = note(locked, "answered", viewer, lines)
        tell_followers(event, locked, NoticeKind.ANSWERED, with_deciders=True)
        route(locked, viewer.now)
    return locked


def withdraw(
    *, quota_request: QuotaRequest, version: int | None = None, actor: User, now: datetime
) -> QuotaRequest:
    """Take back every line that waits; what was decided stays.

    version: of the request that the actor saw; None: any. Raises Stale.
    """
    with transaction.atomic():
        locked, viewer = lock_own(quota_request, actor, now)
        if version is not None:
            check_version(locked, version)
        waiting = [line.pk for line in lines_of(locked) if line.state in PENDING]
        check_moves(locked, "withdraw", waiting)
        move_lines(locked, "withdraw", now, waiting)
        event = note(locked, "withdrew", viewer)
        tell_followers(event, locked, NoticeKind.WITHDRAWN)
        drop_if_over(locked.project, actor=actor, now=now)
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
        event = note(seen, "commented", viewer)
        tell_followers(event, seen, NoticeKind.COMMENTED, with_deciders=True)
    return written


def _rewrite(
    quota_request: QuotaRequest, wanted: Mapping[int, int], reason: str, now: datetime
) -> dict[Offering, int]:
    """Check the new wish as a whole, then change the lines that it names."""
    lines = {line.pk: line for line in lines_of(quota_request)}
    check_known(wanted, lines)
    wish = Wish(
        {lines[line_id].offering.slug: amount for line_id, amount in wanted.items()},
        reason,
        quota_request.until_on,
    )
    held = balances(quota_request.project)
    changed = check_wish(wish, balances=held, now=now)
    for line_id, amount in wanted.items():
        lines[line_id].wanted = amount
        lines[line_id].balance_seen = held.get(lines[line_id].offering_id, 0)
    RequestLine.objects.bulk_update([lines[each] for each in wanted], ["wanted", "balance_seen"])
    QuotaRequest.objects.filter(pk=quota_request.pk).update(
        reason=clean_text(reason, field="reason", required=True)
    )
    return changed
