"""The verbs of those who decide: approve, decline, return.

A decision stores the figures and the authority that it rests on, posts transfers and
raises generations, all in one transaction; it never calls a cloud.
"""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from projects.actions.events import record
from projects.models import User
from projects.states import NoticeKind
from quotas.models import Decision, DecisionKind, DecisionLine, QuotaRequest, RequestLine
from quotas.queries.authority import Mandate
from quotas.states import LINE_MOVES, LineState

from .authority import choose_mandate, reaching
from .bench import Bench, take
from .booking import Accounts, book, lock_accounts
from .granting import check_granted, check_seen
from .proof import snapshot
from .targets import deliver, touch
from .watching import tell_followers
from .wishes import clean_text


def approve(
    *,
    quota_request: QuotaRequest,
    granted: Mapping[int, int],
    seen: Mapping[int, int],
    version: int,
    reason: str = "",
    actor: User,
    now: datetime,
) -> Decision:
    """Grant lines of a request, in full or trimmed, and book them.

    granted: {line id: absolute limit in base units}; seen: {line id: the quota that the
    decider saw}; version: of the request that the decider saw. Raises Forbidden,
    Conflict, Stale (with the figures of now), NoRoom, Invalid.
    """
    with transaction.atomic():
        bench = take(quota_request, actor, now)
        lines = bench.chosen(list(granted), "approve")
        accounts = lock_accounts(bench, lines)
        bench.ask_authority_again()
        check_seen(bench, lines, accounts, seen, version)
        check_granted(bench, lines, granted, accounts)
        mandates = {
            line.pk: choose_mandate(
                bench.mandates, line, granted[line.pk] - accounts.quota[line.offering_id].balance
            )
            for line in lines
        }
        decision = _decide(bench, lines, DecisionKind.APPROVE, reason, mandates, accounts)
        booked = [
            book(bench, decision, line, granted[line.pk], mandates[line.pk], accounts)
            for line in lines
        ]
        targets = touch(bench.project, [line.offering_id for line in lines])
        deliver(booked, targets)
    return decision


def decline(
    *,
    quota_request: QuotaRequest,
    line_ids: list[int],
    reason: str,
    version: int,
    actor: User,
    now: datetime,
) -> Decision:
    """Say no to lines, with the reason that the requester will read."""
    return _refuse(quota_request, line_ids, DecisionKind.DECLINE, reason, version, actor, now)


def return_(
    *,
    quota_request: QuotaRequest,
    line_ids: list[int],
    question: str,
    version: int,
    actor: User,
    now: datetime,
) -> Decision:
    """Send lines back with a question; they are open again once it is answered."""
    return _refuse(quota_request, line_ids, DecisionKind.RETURN, question, version, actor, now)


def _refuse(
    quota_request: QuotaRequest, line_ids: list[int], kind: DecisionKind, text: str, version: int,
    actor: User, now: datetime,
) -> Decision:  # fmt: skip
    cleaned = clean_text(text, field="reason", required=True)
    with transaction.atomic():
        bench = take(quota_request, actor, now)
        lines = bench.chosen(line_ids, kind.value)
        bench.check_version(version)
        bench.check_all_or_nothing(lines)
        bench.ask_authority_again()
        mandates = {line.pk: reaching(bench.mandates, line)[0] for line in lines}
        decision = _decide(bench, lines, kind, cleaned, mandates, None)
        DecisionLine.objects.bulk_create(
            DecisionLine(decision=decision, line=line, delegation=mandates[line.pk].delegation)
            for line in lines
        )
    return decision


def _decide(
    bench: Bench,
    lines: list[RequestLine],
    kind: DecisionKind,
    reason: str,
    mandates: dict[int, Mandate],
    accounts: Accounts | None,
) -> Decision:
    """Move the lines, store the decision with its proof, and record it."""
    actor, now = bench.viewer.user, bench.viewer.now
    after = LINE_MOVES[LineState.OPEN, kind.value]
    ids = [line.pk for line in lines]
    moved = RequestLine.objects.filter(pk__in=ids, state=LineState.OPEN).update(state=after)
    if moved != len(ids):
        raise Conflict(_("Somebody else was first. Look again."))
    QuotaRequest.objects.filter(pk=bench.request.pk).update(
        version=F("version") + 1, updated_at=now
    )
    decision = Decision.objects.create(
        request=bench.request,
        kind=kind,
        actor=actor,
        person=actor,
        reason=clean_text(reason, field="reason", required=False),
        snapshot=snapshot(
            viewer=bench.viewer,
            project=bench.project,
            lines=lines,
            mandates=mandates,
            balances={line.pk: accounts.quota[line.offering_id].balance for line in lines}
            if accounts
            else {},
        ),
        at=now,
    )
    event = record(
        {"approve": "approved", "decline": "declined", "return": "returned"}[kind.value],
        actor=actor,
        now=now,
        project=bench.project,
        subject_kind="request",
        subject_id=bench.request.pk,
        decision=decision.pk,
        lines=ids,
    )
    is_returned = kind == DecisionKind.RETURN
    tell_followers(event, bench.request, NoticeKind.RETURNED if is_returned else NoticeKind.DECIDED)
    return decision
