"""Storing what people ask for, recording it, and asking rules and people about it.

Callers hold the project and its place.
"""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from portal.lib.inserts import added, inserting, key_of, written
from projects.actions.events import event_of
from projects.models import Event, Project, User
from projects.outgoing.notices import tell
from projects.queries.patience import STOPPED, clock_at
from projects.queries.viewers import Viewer
from projects.states import NoticeKind
from quotas.models import Offering, QuotaRequest, RequestLine
from quotas.queries.accounts import balances
from quotas.states import LineState

from .asking import Desk
from .assigning import assign_new
from .automatic import grant_at_once, grant_new
from .routing import route
from .wishes import Wish, clean_text


def create(project: Project, wish: Wish, actor: User, now: datetime) -> QuotaRequest:
    """A request in the actor's own name that is not sent."""
    quota_request = request_of(project, wish, actor, now)
    quota_request.save(force_insert=True)
    return quota_request


def request_of(
    project: Project, wish: Wish, actor: User, now: datetime, requester: User | None = None
) -> QuotaRequest:
    """Not stored yet. requester: in whose name it is, if not in the actor's own."""
    is_for_another = requester is not None and requester != actor
    return QuotaRequest(
        project=project,
        requester=requester or actor,
        asked_by=actor if is_for_another else None,
        reason=clean_text(wish.reason, field="reason", required=False),
        until_on=wish.until_on,
        all_or_nothing=wish.all_or_nothing,
        created_at=now,
        updated_at=now,
    )


def add_lines(
    quota_request: QuotaRequest, lines: Mapping[Offering, int], state: LineState
) -> list[RequestLine]:
    """Add lines, open or drafts; open ones wait from when the request was written."""
    held = balances(quota_request.project)
    try:
        with transaction.atomic():
            return RequestLine.objects.bulk_create(lines_for(quota_request, lines, state, held))
    except IntegrityError as error:
        raise _asked_already() from error


def lines_for(
    quota_request: QuotaRequest,
    lines: Mapping[Offering, int],
    state: LineState,
    held: Mapping[int, int],
    holidays: Collection[date] | None = None,
) -> list[RequestLine]:
    """Not stored yet. held: {offering id: quota}; holidays: if they are known."""
    project, is_open = quota_request.project, state == LineState.OPEN
    clock = clock_at(project.unit, quota_request.created_at, holidays) if is_open else STOPPED
    return [
        RequestLine(
            request=quota_request,
            project=project,
            offering=offering,
            wanted=amount,
            balance_seen=held.get(offering.pk, 0),
            state=state,
            **clock,
        )
        for offering, amount in lines.items()
    ]


def write_sent(
    quota_request: QuotaRequest, wanted: Mapping[Offering, int], desk: Desk
) -> list[RequestLine]:
    """Store a request as it is sent, with its lines, and record it; one query. Its lines.

    And one where it is in somebody else's name, who is told.
    """
    quota_request.submitted_at = quota_request.created_at
    lines = lines_for(quota_request, wanted, LineState.OPEN, desk.balances, desk.holidays)
    event = _event_of(quota_request, "submitted", desk.viewer, wanted)
    own = key_of(0)
    try:
        keys, line_keys, event_keys = written(
            inserting([quota_request]),
            inserting(lines, {"request_id": own}),
            inserting([event], {"subject_id": own}),
        )
    except IntegrityError as error:
        raise _asked_already() from error
    added([quota_request], keys)
    added(lines, line_keys)
    added([event], event_keys)
    for line in lines:
        line.request = quota_request  # by its key, which it has by now
    event.subject_id = quota_request.pk
    _tell_requester(event, quota_request)
    return lines


def _asked_already() -> Conflict:
    """The project's lock makes this impossible; the constraint has the last word."""
    return Conflict(_("One of these is asked for already."))


def send_new(quota_request: QuotaRequest, lines: list[RequestLine], desk: Desk) -> None:
    """Ask rules and people about what `write_sent` wrote: nobody was asked yet."""
    now = desk.viewer.now
    assign_new(grant_new(quota_request, desk.rules, lines, now), now, desk.deciding())


def send(quota_request: QuotaRequest, viewer: Viewer, lines: Mapping[Offering, int]) -> None:
    if quota_request.submitted_at is None:
        QuotaRequest.objects.filter(pk=quota_request.pk).update(submitted_at=viewer.now)
    _announce(quota_request, viewer, lines)
    if grant_at_once(quota_request, viewer.now):
        route(quota_request, viewer.now)


def _announce(quota_request: QuotaRequest, viewer: Viewer, lines: Mapping[Offering, int]) -> None:
    _tell_requester(note(quota_request, "submitted", viewer, lines), quota_request)


def _tell_requester(event: Event, quota_request: QuotaRequest) -> None:
    """Whoever it is asked for, if that is not who asks."""
    if quota_request.asked_by_id is not None:
        tell(event, [quota_request.requester_id], NoticeKind.ASKED)


def note(
    quota_request: QuotaRequest,
    verb: str,
    viewer: Viewer,
    wanted: Mapping[Offering, int] | None = None,
) -> Event:
    """Record a verb; `wanted` is what it asked for, as the lines may be changed later."""
    event = _event_of(quota_request, verb, viewer, wanted)
    event.save(force_insert=True)
    return event


def _event_of(
    quota_request: QuotaRequest,
    verb: str,
    viewer: Viewer,
    wanted: Mapping[Offering, int] | None = None,
) -> Event:
    data: dict[str, Any] = {}
    if wanted:
        data["wanted"] = {offering.slug: amount for offering, amount in wanted.items()}
    if quota_request.asked_by_id is not None:
        data["requester"] = quota_request.requester_id
    return event_of(
        verb,
        actor=viewer.user,
        now=viewer.now,
        project=quota_request.project,
        subject_kind="request",
        subject_id=quota_request.pk,
        **data,
    )
