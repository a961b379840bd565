"""The verbs of those who decide: approve, decline, return.

A decision stores the figures and the authority that it rests on, posts transfers and
raises generations, all in one transaction; it never calls a cloud.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Conflict, Invalid, Stale
from portal.lib.locks import lock, share
from projects.actions.events import record
from projects.models import Delegation, Project, Unit, User
from projects.queries.viewers import Viewer
from projects.states import Power, ProjectState
from quotas.models import (
    Account,
    Decision,
    DecisionKind,
    DecisionLine,
    Holder,
    Loan,
    QuotaRequest,
    RequestLine,
)
from quotas.queries.accounts import sources
from quotas.queries.authority import Mandate, mandates_of
from quotas.states import LINE_MOVES, LineState

from .authority import barred, choose_mandate
from .ledger import decrease, increase, no_room, open_quota
from .proof import snapshot
from .targets import deliver, touch
from .wishes import check_known, clean_text


@dataclass
class Bench:
    """Everything that a decision looks at, locked: nothing here changes under it."""

    request: QuotaRequest
    project: Project
    viewer: Viewer
    lines: dict[int, RequestLine]
    mandates: list[Mandate]

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
        bench = _take(quota_request, actor, now)
        lines = bench.chosen(list(granted), "approve")
        accounts = _lock_accounts(bench, lines)
        _check_seen(bench, lines, accounts, seen, version)
        _check_granted(bench, lines, granted, accounts)
        mandates = {
            line.pk: choose_mandate(
                bench.mandates, line, granted[line.pk] - accounts.quota[line.offering_id].balance
            )
            for line in lines
        }
        decision = _decide(bench, lines, DecisionKind.APPROVE, reason, mandates, accounts)
        booked = [
            _book(bench, decision, line, granted[line.pk], mandates[line.pk], accounts)
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
        bench = _take(quota_request, actor, now)
        lines = bench.chosen(line_ids, kind.value)
        _check_version(bench, version)
        if bench.request.all_or_nothing:
            _require_all_lines(bench, lines)
        mandates = {line.pk: bench.mandates[0] for line in lines}
        decision = _decide(bench, lines, kind, cleaned, mandates, None)
        DecisionLine.objects.bulk_create(
            DecisionLine(decision=decision, line=line, delegation=mandates[line.pk].delegation)
            for line in lines
        )
    return decision


def _take(quota_request: QuotaRequest, actor: User, now: datetime) -> Bench:
    """Lock project, unit path and request, then ask who the actor is."""
    project = lock(Project.objects.filter(pk=quota_request.project_id).select_related("unit"))[0]
    path_units = Unit.objects.above(project.unit.path).values_list("pk", flat=True)
    share(Unit, path_units)
    request = lock(QuotaRequest.objects.filter(pk=quota_request.pk))[0]
    request.project = project
    viewer = Viewer.of(actor, now)
    lines = {
        line.pk: line
        for line in RequestLine.objects.filter(request=request).select_related(
            "offering__resource", "offering__zone"
        )
    }
    mandates = mandates_of(viewer, project.unit.path, Power.DECIDE_QUOTA)
    barred(viewer, request, mandates)
    if project.state != ProjectState.ACTIVE:
        words = {"project": project.name, "state": project.get_state_display()}
        raise Conflict(_("%(project)s is %(state)s; nothing is granted to it.") % words)
    return Bench(request, project, viewer, lines, mandates)


@dataclass
class LockedAccounts:
    """The locked accounts of a decision, by offering and by id."""

    by_id: dict[int, Account]
    quota: dict[int, Account]
    sources: dict[int, list[Account]]
    loans: dict[int, list[Loan]]


def _lock_accounts(bench: Bench, lines: list[RequestLine]) -> LockedAccounts:
    """Quotas, possible sources and sources of loans, locked by id, then delegations."""
    offering_ids = [line.offering_id for line in lines]
    open_quota(bench.project, offering_ids)
    found = sources(offering_ids, bench.project.unit.path)
    quotas = Account.objects.filter(project=bench.project, offering__in=offering_ids)
    loans: dict[int, list[Loan]] = {offering_id: [] for offering_id in offering_ids}
    for loan in (
        Loan.objects.filter(account__in=quotas, outstanding__gt=0)
        .select_related("account")
        .order_by("ends_at", "pk")
    ):
        loans[loan.account.offering_id].append(loan)
    # Only the nearest source pays; the one above it is read for the sentence of NoRoom.
    ids = {account.pk for accounts in found.values() for account in accounts[:1]}
    ids |= {loan.source_id for each in loans.values() for loan in each}
    ids |= set(quotas.values_list("pk", flat=True))
    rows = lock(
        Account.objects.filter(pk__in=ids).select_related(
            "unit", "offering__resource", "offering__zone"
        )
    )
    by_id = {account.pk: account for account in rows}
    share(Delegation, [link.pk for mandate in bench.mandates for link in mandate.chain])
    # Somebody may have revoked between the first look and the lock.
    bench.mandates = mandates_of(
        Viewer.of(bench.viewer.user, bench.viewer.now), bench.project.unit.path, Power.DECIDE_QUOTA
    )
    barred(bench.viewer, bench.request, bench.mandates)
    return LockedAccounts(
        by_id=by_id,
        quota={
            account.offering_id: account for account in rows if account.holder == Holder.PROJECT
        },
        sources={
            offering_id: [by_id.get(account.pk, account) for account in accounts]
            for offering_id, accounts in found.items()
        },
        loans=loans,
    )


def _check_version(bench: Bench, version: int) -> None:
    if bench.request.version != version:
        raise Stale(
            _("The request has changed since you opened it. Look again, then decide."),
            version=bench.request.version,
        )


def _check_seen(
    bench: Bench,
    lines: list[RequestLine],
    accounts: LockedAccounts,
    seen: Mapping[int, int],
    version: int,
) -> None:
    """The decider must have seen the quota as it is: authority is judged on the difference."""
    _check_version(bench, version)
    missing = [line.pk for line in lines if line.pk not in seen]
    if missing:
        raise Invalid({"seen": [_("Say which quota you saw for each line.")]})
    moved = {
        line.pk: accounts.quota[line.offering_id].balance
        for line in lines
        if accounts.quota[line.offering_id].balance != seen[line.pk]
    }
    if moved:
        first = bench.lines[next(iter(moved))].offering
        words = {
            "resource": first.resource.name,
            "zone": first.zone.name,
            "now": format_amount(moved[next(iter(moved))], first.resource.unit),
        }
        raise Stale(
            _(
                "The quota of %(resource)s in %(zone)s is %(now)s by now. Nothing of yours was "
                "booked; look again, then decide."
            )
            % words,
            figures={str(line_id): balance for line_id, balance in moved.items()},
            version=bench.request.version,
        )


def _check_granted(
    bench: Bench,
    lines: list[RequestLine],
    granted: Mapping[int, int],
    accounts: LockedAccounts,
) -> None:
    """Between the quota now and what was asked for, in steps; all in full if it is all or none."""
    errors: dict[str, list[str]] = {}
    for line in lines:
        sentence = _grant_error(line, granted[line.pk], accounts.quota[line.offering_id].balance)
        if sentence:
            errors[f"granted.{line.pk}"] = [sentence]
    if errors:
        raise Invalid(errors)
    if bench.request.all_or_nothing:
        _require_all_lines(bench, lines)
        trimmed = next((line for line in lines if granted[line.pk] != line.wanted), None)
        if trimmed is not None:
            raise Invalid({
                f"granted.{trimmed.pk}": [
                    _("This request is all or nothing: grant each line as asked, or none.")
                ]
            })  # fmt: skip


def _grant_error(line: RequestLine, amount: int, balance: int) -> str:
    resource = line.offering.resource
    low, high = sorted((balance, line.wanted))
    words = {
        "resource": resource.name,
        "zone": line.offering.zone.name,
        "low": format_amount(low, resource.unit),
        "high": format_amount(high, resource.unit),
        "step": format_amount(resource.step, resource.unit),
    }
    if amount == balance:
        return _("%(resource)s in %(zone)s would stay as it is: decline the line instead.") % words
    if not low <= amount <= high:
        return (
            _(
                "%(resource)s in %(zone)s: grant between %(low)s, the quota now, and %(high)s, "
                "what was asked for."
            )
            if line.wanted >= balance
            else _(
                "%(resource)s in %(zone)s: grant between %(low)s, what was asked for, and "
                "%(high)s, the quota now."
            )
        ) % words
    if amount % resource.step:
        return _("%(resource)s in %(zone)s is given in steps of %(step)s.") % words
    return ""


def _require_all_lines(bench: Bench, lines: list[RequestLine]) -> None:
    waiting = {each.pk for each in bench.lines.values() if each.state == LineState.OPEN}
    if waiting != {line.pk for line in lines}:
        raise Invalid({
            "lines": [_("This request is all or nothing: decide all of its lines together.")]
        })  # fmt: skip


def _decide(
    bench: Bench,
    lines: list[RequestLine],
    kind: DecisionKind,
    reason: str,
    mandates: dict[int, Mandate],
    accounts: LockedAccounts | None,
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
    record(
        {"approve": "approved", "decline": "declined", "return": "returned"}[kind.value],
        actor=actor,
        now=now,
        project=bench.project,
        subject_kind="request",
        subject_id=bench.request.pk,
        decision=decision.pk,
        lines=ids,
    )
    return decision


def _book(
    bench: Bench,
    decision: Decision,
    line: RequestLine,
    granted: int,
    mandate: Mandate,
    accounts: LockedAccounts,
) -> DecisionLine:
    """Post the difference between what was granted and the quota now."""
    account = accounts.quota[line.offering_id]
    above = accounts.sources.get(line.offering_id, [])
    if not above:
        raise Conflict(_("Nothing of this was ever issued to the pool; the operators can do that."))
    delta = granted - account.balance
    if delta > above[0].balance:
        raise no_room(above[0], delta, next_source=above[1] if len(above) > 1 else None)
    booked = DecisionLine.objects.create(
        decision=decision,
        line=line,
        delegation=mandate.delegation,
        source=above[0],
        before=account.balance,
        granted=granted,
    )
    common = {
        "account": account,
        "decision_line": booked,
        "actor": decision.actor,
        "now": decision.at,
    }
    if delta > 0:
        increase(source=above[0], amount=delta, ends_at=end_of(bench.request), **common)
    else:
        decrease(
            home=above[0],
            loans=accounts.loans[line.offering_id],
            accounts=accounts.by_id,
            amount=-delta,
            **common,
        )
    return booked


def end_of(quota_request: QuotaRequest) -> datetime | None:
    """When what is granted to a request returns: after its last day, in the site's zone."""
    if quota_request.until_on is None:
        return None
    next_day = quota_request.until_on + timedelta(days=1)
    return timezone.make_aware(
        datetime.combine(next_day, time.min), timezone.get_default_timezone()
    )
