"""Drafts: a wish that is kept and not sent. It holds nothing, and only its writer sees it."""

from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict, NotVisible
from portal.lib.locks import lock
from projects.models import Project, User
from quotas.models import Offering, QuotaRequest, RequestLine
from quotas.queries.accounts import balances
from quotas.states import LineState

from .asking import (
    check_version,
    lines_of,
    lock_project,
    move_lines,
    refuse_second_pending,
)
from .sending import add_lines, create, send
from .wishes import Wish, check_wish, clean_text


def save(
    *,
    project: Project,
    wish: Wish,
    actor: User,
    now: datetime,
    draft: QuotaRequest | None = None,
    version: int | None = None,
) -> QuotaRequest:
    """Keep a wish that is not sent: it holds nothing, and only its writer sees it.

    version: of the draft that the writer saw; None: any. Raises Stale.
    """
    with transaction.atomic():
        locked, _viewer = lock_project(project, actor, now, is_draft=True)
        text = clean_text(wish.reason, field="reason", required=False)
        lines = _draft_lines(locked, wish, now)
        if draft is None:
            quota_request = create(locked, wish, actor, now)
        else:
            quota_request = _own_draft(draft, actor, version)
            quota_request.lines.all().delete()
            QuotaRequest.objects.filter(pk=quota_request.pk).update(
                reason=text, until_on=wish.until_on, all_or_nothing=wish.all_or_nothing,
                version=F("version") + 1, updated_at=now,
            )  # fmt: skip
        add_lines(quota_request, lines, LineState.DRAFT)
    return quota_request


def _draft_lines(project: Project, wish: Wish, now: datetime) -> dict[Offering, int]:
    """A draft may lack a reason, but what it holds must be amounts of offerings."""
    complete = Wish(wish.wanted, wish.reason or "-", wish.until_on, wish.all_or_nothing)
    return check_wish(complete, balances=balances(project), now=now)


def submit(
    *, draft: QuotaRequest, version: int | None = None, actor: User, now: datetime
) -> QuotaRequest:
    """Send a draft, checked as if it were written now. version: as `save`."""
    with transaction.atomic():
        locked, viewer = lock_project(draft.project, actor, now)
        quota_request = _own_draft(draft, actor, version)
        wanted = {line.offering.slug: line.wanted for line in lines_of(quota_request)}
        wish = Wish(wanted, quota_request.reason, quota_request.until_on)
        lines = check_wish(wish, balances=balances(locked), now=now)
        refuse_second_pending(locked, lines)
        _remember_balances(quota_request, locked)
        move_lines(quota_request, "submit", now)
        QuotaRequest.objects.filter(pk=quota_request.pk).update(submitted_at=now)
        send(quota_request, viewer, lines)
    return quota_request


def discard(*, draft: QuotaRequest, version: int | None = None, actor: User, now: datetime) -> None:
    """Throw a draft away. version: as `save`."""
    with transaction.atomic():
        lock_project(draft.project, actor, now, is_draft=True)
        quota_request = _own_draft(draft, actor, version)
        quota_request.lines.all().delete()
        quota_request.delete()


def _own_draft(draft: QuotaRequest, actor: User, version: int | None) -> QuotaRequest:
    rows = lock(QuotaRequest.objects.filter(pk=draft.pk, requester=actor))
    if not rows:
        raise NotVisible(_("There is no such draft."))
    if any(line.state != LineState.DRAFT for line in lines_of(rows[0])):
        raise Conflict(_("It was sent already; look at the request."))
    if version is not None:
        check_version(rows[0], version)
    return rows[0]


def _remember_balances(quota_request: QuotaRequest, project: Project) -> None:
    held = balances(project)
    lines = lines_of(quota_request)
    for line in lines:
        line.balance_seen = held.get(line.offering_id, 0)
    RequestLine.objects.bulk_update(lines, ["balance_seen"])
