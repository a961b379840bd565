"""The verbs of those who decide: approve, decline, return.

A decision stores the figures and the authority that it rests on, posts transfers and
raises generations, all in one transaction; it never calls a cloud.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from portal.lib.inserts import added, inserting, next_key
from portal.lib.together import together, updating
from projects.actions.events import event_of
from projects.models import Event, User
from projects.queries.patience import STOPPED
from projects.states import NoticeKind, ProjectState
from quotas.models import (
    Decision,
    DecisionKind,
    DecisionLine,
    PolicyVersion,
    QuotaRequest,
    RequestLine,
)
from quotas.queries.authority import Mandate
from quotas.states import LINE_MOVES, LineState

from .authority import UsedUp, reaching
from .bench import Bench, take, take_for
from .booking import Accounts, book, lock_accounts, to_book
from .consuming import Addition
from .granting import check_granted, check_seen
from .handing_up import handed_up
from .opening import drop_if_over, open_proposed
from .proof import Evidence, Verdicts, snapshot
from .spending import spend
from .targets import deliver
from .watching import telling_followers
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
    Conflict, Stale (with the figures of now), NoRoom, Invalid; and UsedUp, after which the
    request waits for those who may still grant it.
    """
    try:
        return approve_inside(
            quota_request=quota_request, granted=granted, seen=seen, version=version,
            reason=reason, actor=actor, now=now,
        )  # fmt: skip
    except UsedUp as refusal:
        raise handed_up(refusal, now) from None


def approve_inside(
    *,
    quota_request: QuotaRequest,
    granted: Mapping[int, int],
    seen: Mapping[int, int],
    version: int,
    reason: str = "",
    actor: User,
    now: datetime,
) -> Decision:
    """`approve` as a part of something larger, which a refusal undoes.

    Whoever undoes it hands on what is `UsedUp` afterwards, with `handed_up`, if the request is
    there without that.
    """
    with transaction.atomic():
        return _grant(take(quota_request, actor, now), granted, seen, version, reason)


def approve_by_policy(
    *,
    quota_request: QuotaRequest,
    line_ids: list[int],
    policy_version: PolicyVersion,
    confirm: Callable[[list[RequestLine]], Verdicts],
    now: datetime,
) -> Decision:
    """Grant lines as asked by a rule, in the name and within the bounds of what it stands on.

    confirm: asked once everything is held; what it answers goes into the proof. Raises what it
    and `approve` raise, Forbidden also where the person does not hold that delegation any more;
    nothing is routed anew.
    """
    with transaction.atomic():
        bench = take_for(quota_request, policy_version, now)
        lines = bench.chosen(line_ids, "approve")
        granted = {line.pk: line.wanted for line in lines}
        accounts = lock_accounts(bench, lines)
        bench.hold_authority()
        return _book(bench, lines, granted, accounts, "", confirm(lines))


def _grant(
    bench: Bench, granted: Mapping[int, int], seen: Mapping[int, int], version: int, reason: str
) -> Decision:
    lines = bench.chosen(list(granted), "approve")
    accounts = lock_accounts(bench, lines)
    bench.hold_authority()
    check_seen(bench, lines, accounts, seen, version)
    return _book(bench, lines, granted, accounts, reason, {})


def _book(
    bench: Bench, lines: list[RequestLine], granted: Mapping[int, int], accounts: Accounts,
    reason: str, verdicts: Verdicts,
) -> Decision:  # fmt: skip
    check_granted(bench, lines, granted, accounts)
    spent = spend(bench, lines, granted, accounts)
    booked = to_book(bench, lines, granted, spent.mandates, accounts)
    evidence = Evidence(accounts=accounts, spent=spent, granted=granted, verdicts=verdicts)
    decision = _decide(bench, booked, DecisionKind.APPROVE, reason, spent.mandates, evidence)
    book(bench, decision, booked, granted, accounts)
    if bench.project.state == ProjectState.PROPOSED:
        opener = spent.mandates[lines[0].pk].delegation
        open_proposed(bench.project, decision, opener, now=bench.viewer.now)
    deliver(bench.project, booked)
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
        bench.hold_authority()
        mandates = {line.pk: reaching(bench.mandates, line)[0] for line in lines}
        said = [DecisionLine(line=each, delegation=mandates[each.pk].delegation) for each in lines]
        decision = _decide(bench, said, kind, cleaned, mandates, None)
        drop_if_over(bench.project, actor=bench.actor, now=bench.viewer.now)
    return decision


def _move(bench: Bench, decision: Decision, line_ids: list[int], addition: Addition | None) -> int:
    """Move the lines by compare-and-set, store the decision and tell the totals what is consumed.

    One query; returns the number that its event will have.
    """
    after = LINE_MOVES[LineState.OPEN, decision.kind]
    opened = RequestLine.objects.filter(pk__in=line_ids, state=LineState.OPEN)
    own = QuotaRequest.objects.filter(pk=bench.request.pk)
    moved, _own, keys, ((event_id,),), *consumed = together(
        updating(opened, state=after, **STOPPED),
        updating(own, version=F("version") + 1, updated_at=bench.viewer.now),
        inserting([decision]),
        next_key(Event),
        *([addition.part] if addition and addition.amounts else []),
    )
    if len(moved) != len(line_ids):
        raise Conflict(_("Somebody else was first. Look again."))
    if addition is not None and consumed:
        addition.check(consumed[0])
    added([decision], keys)
    return int(event_id)


def _decide(
    bench: Bench,
    said: list[DecisionLine],
    kind: DecisionKind,
    reason: str,
    mandates: Mapping[int, Mandate],
    evidence: Evidence | None,
) -> Decision:
    """Move the lines, store the decision with its proof and what it says of each, and record it.

    said: of each line, stored nowhere yet. Two queries.
    """
    now = bench.viewer.now
    lines = [each.line for each in said]
    ids = [line.pk for line in lines]
    decision = Decision(
        request=bench.request,
        kind=kind,
        actor=bench.actor,
        person=bench.viewer.user,
        policy_version=bench.policy_version,
        reason=clean_text(reason, field="reason", required=False),
        snapshot=snapshot(bench, lines, mandates, evidence),
        at=now,
    )
    event_id = _move(bench, decision, ids, evidence.spent.addition if evidence else None)
    event = event_of(
        {"approve": "approved", "decline": "declined", "return": "returned"}[kind.value],
        actor=bench.actor,
        now=now,
        project=bench.project,
        subject_kind="request",
        subject_id=bench.request.pk,
        decision=decision.pk,
        lines=ids,
    )
    event.pk = event_id
    for each in said:
        each.decision = decision
    is_returned = kind == DecisionKind.RETURN
    notice = NoticeKind.RETURNED if is_returned else NoticeKind.DECIDED
    keys, *_told = together(
        inserting(said), inserting([event]), telling_followers(event, bench.request, notice)
    )
    added(said, keys)
    return decision
