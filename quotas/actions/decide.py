"""The verbs of those who decide: approve, decline, return.

A decision stores the figures and the authority that it rests on, posts transfers and
raises generations, all in one transaction; it never calls a cloud.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from django.db import transaction

from projects.models import User
from projects.states import ProjectState
from quotas.models import (
    Decision,
    DecisionKind,
    DecisionLine,
    PolicyVersion,
    QuotaRequest,
    RequestLine,
)

from .authority import UsedUp, reaching
from .bench import Bench, take, take_for
from .booking import Accounts, lock_accounts
from .consuming import hold_used
from .granting import check_granted, check_seen
from .handing_up import handed_up
from .opening import drop_if_over, open_proposed
from .planning import decision_of, plan
from .posting import Journal
from .proof import Verdicts, snapshot
from .spending import spender
from .storing import Said, store
from .targets import deliver
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
    now = bench.viewer.now
    purse = hold_used([spender(bench, lines, granted, accounts)], now)
    journal = Journal(actor=bench.actor, now=now)
    grant = plan(bench, lines, granted, accounts, purse, journal, reason, verdicts)
    store([grant.said], journal, purse.totals.addition(grant.increases))
    if bench.project.state == ProjectState.PROPOSED:
        open_proposed(bench.project, grant.said.decision, grant.opener, now=now)
    deliver(grant.said.lines)
    return grant.said.decision


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
        decision = decision_of(bench, kind, cleaned, snapshot(bench, lines, mandates, None))
        said = [DecisionLine(line=each, delegation=mandates[each.pk].delegation) for each in lines]
        store([Said(bench, decision, said)])
        drop_if_over(bench.project, actor=bench.actor, now=bench.viewer.now)
    return decision
