"""A project returns quota that it does not use, and has it again if it thinks better of it.

By its owners and managers: what is theirs they give back without anybody's yes, and for some
days it is theirs to have again, from where it went and as far as it is there, once. Nobody
takes it from them here: who decides can ask them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Conflict, Forbidden, Invalid, NoRoom, Stale
from portal.lib.locks import lock
from projects.actions.events import record
from projects.actions.project_acts import act
from projects.models import Project, ProjectAct, User
from projects.outgoing.notices import tell_all_of
from projects.rules import may_ask
from projects.states import NoticeKind, ProjectActKind, ProjectState
from quotas.models import Account, Limit, Loan, Offering, QuotaReturn, UnusedQuota
from quotas.queries.leftovers import leftovers_of

from .calendar import managers_of
from .holdings import Holdings, give_back, lock_holdings, tell_clouds
from .ledger import check_amount, holder_name
from .posting import Journal
from .project_desk import ProjectDesk, take_project

WORKS = (ProjectState.ACTIVE, ProjectState.SUSPENDED)


def return_quota(
    *, project: Project, offering: Offering, amount: int, seen: int, actor: User, now: datetime
) -> QuotaReturn:
    """Give back so much of a quota, in base units, of which nothing is in use.

    seen: the quota that the actor saw. Raises NotVisible, Forbidden, Conflict, where it is in
    use with how much is not, Stale, Invalid.
    """
    with transaction.atomic():
        desk = _owners_desk(project, actor, now)
        holdings = lock_holdings(
            desk.project, only=_account_ids(desk.project, offering, at_least=1)
        )
        balance = holdings.accounts[0].balance if holdings.accounts else 0
        if balance != seen:
            raise _moved(offering, seen, balance)
        if not holdings.accounts:
            raise Conflict(_("The project has nothing of this."), offering=offering.slug)
        account = holdings.accounts[0]
        _check_wanted(account, amount)
        _check_free(desk.project, account, amount)
        return _give_back(desk, holdings, account, amount)


def undo_return(
    *, quota_return: QuotaReturn, amount: int | None = None, actor: User, now: datetime
) -> QuotaReturn:
    """Have again what was returned, from where it went; loans until the day they had.

    amount: so much of it, None: all. Raises NotVisible, Forbidden, Conflict where it was undone
    before or is too late, NoRoom with how much of it is there, Invalid.
    """
    with transaction.atomic():
        desk = _owners_desk(_project_of(quota_return), actor, now)
        returned = _undoable(quota_return, desk)
        loans = _loans_of([returned])
        accounts = _lock_accounts(returned, loans)
        parts = _parts(desk, returned, accounts, loans)
        wanted = _wanted_of(returned, parts, amount)
        _check_there(returned, parts, wanted)
        return _have_again(desk, returned, accounts[returned.account_id], parts, wanted)


@dataclass(frozen=True)
class Part:
    """So much of a return that can be had again of one account; lent until then, or for good."""

    source: Account
    amount: int
    ends_at: datetime | None = None


def there_of(returns: Collection[QuotaReturn], now: datetime) -> dict[int, tuple[int, int]]:
    """{return id: (how much could be had again, how much of that is there)}; without locks.

    Two queries for any number.
    """
    loans = _loans_of(returns)
    ids = {pk for each in returns for pk in _ids_of(each, loans)}
    rows = Account.objects.filter(pk__in=ids).select_related("unit", "offering__resource")
    accounts = {each.pk: each for each in rows}
    found = {}
    for each in returns:
        parts = _parts_of(each, accounts, loans, now)
        whole = sum(part.amount for part in parts)
        found[each.pk] = (whole, min(whole, _there(each, parts, whole)))
    return found


def _owners_desk(project: Project, actor: User, now: datetime) -> ProjectDesk:
    """The project, locked, for somebody of its own; authority to decide counts for nothing here."""
    desk = take_project(project, actor, now, decides=False)
    check_owns(desk.roles, desk.project)
    desk.check_state(*WORKS)
    return desk


def check_owns(roles: frozenset[str], project: Project) -> None:
    """Raise Forbidden unless somebody with these roles returns what the project has."""
    if not may_ask(roles):
        words = {"project": project.name}
        raise Forbidden(
            _("Only an owner or a manager of %(project)s returns its quota.") % words,
            project=project.slug,
        )


def _account_ids(project: Project, offering: Offering, *, at_least: int = 0) -> list[int]:
    rows = Account.objects.filter(project=project, offering=offering, balance__gte=at_least)
    return list(rows.values_list("pk", flat=True))


def _moved(offering: Offering, seen: int, balance: int) -> Stale:
    words = {"now": format_amount(balance, offering.resource.unit)}
    sentence = _("The quota is %(now)s by now. Nothing was returned; look again.") % words
    return Stale(sentence, offering=offering.slug, seen=seen, now=balance)


def _check_wanted(account: Account, amount: int) -> None:
    """All of it can be returned whatever its steps are."""
    if amount != account.balance:
        check_amount(amount, account.offering)
    if amount > account.balance:
        words = {"most": format_amount(account.balance, account.offering.resource.unit)}
        raise Invalid({"amount": [_("The project has %(most)s.") % words]})


def _check_free(project: Project, account: Account, amount: int) -> None:
    """Raise Conflict where more would go back than use leaves free, or nobody knows."""
    limits = Limit.objects.filter(
        contributions__offering=account.offering_id, left_out_at__isnull=True
    )
    if limits.filter(endpoint__gaps_since__isnull=False).exists():
        raise Conflict(
            _("A part of the service is down, so what is in use is not known whole: try later."),
            offering=account.offering.slug, free=0,
        )  # fmt: skip
    free = leftovers_of(project.pk, [account]).take(account, amount)
    if free < amount:
        words = {"free": format_amount(free, account.offering.resource.unit)}
        raise Conflict(
            _("The rest is in use: %(free)s can be returned now.") % words,
            offering=account.offering.slug, free=free, asked=amount,
        )  # fmt: skip


def _give_back(desk: ProjectDesk, holdings: Holdings, account: Account, amount: int) -> QuotaReturn:
    now, before = desk.viewer.now, account.balance
    done = act(
        desk.project, ProjectActKind.RETURN, actor=desk.viewer.user, now=now,
        data={"offering": account.offering.slug, "amount": amount, "before": before},
    )  # fmt: skip
    journal = give_back(holdings, {account.pk: amount}, done)
    made = QuotaReturn.objects.create(
        account=account, home=holdings.source[account.offering_id], act=done, amount=amount,
        loans={str(loan_id): -paid for loan_id, paid in journal.paid.items()},
        undo_until=now + timedelta(days=settings.RECLAIM_UNDO_DAYS),
    )  # fmt: skip
    UnusedQuota.objects.filter(account=account).delete()
    _note("quota returned", desk, account.offering, done)
    return made


def _note(verb: str, desk: ProjectDesk, offering: Offering, done: ProjectAct) -> None:
    event = record(
        verb, actor=desk.viewer.user, now=desk.viewer.now, project=desk.project,
        unit=desk.project.unit, subject_kind="project", subject_id=desk.project.pk,
        offering=offering.slug, amount=done.data["amount"], act=done.pk,
    )  # fmt: skip
    tell_all_of(event, managers_of(desk.project, desk.viewer.now), NoticeKind.PROJECT)


def _project_of(quota_return: QuotaReturn) -> Project:
    return Project.objects.get(accounts=quota_return.account_id)


def _undoable(quota_return: QuotaReturn, desk: ProjectDesk) -> QuotaReturn:
    """The return, as it is under the project's lock; raises Conflict where it is over."""
    rows = QuotaReturn.objects.select_related("account__offering__resource", "home")
    found = rows.get(pk=quota_return.pk)
    if found.undone_by_id is not None:
        raise Conflict(_("That was undone already."), undone=found.undone_amount)
    if found.undo_until <= desk.viewer.now:
        raise Conflict(
            _("It is too late to have it again by itself: ask for it, as for any quota."),
            undo_until=found.undo_until.isoformat(), offering=found.account.offering.slug,
        )  # fmt: skip
    if found.account.offering.retired_at is not None:
        raise Conflict(_("This is no longer offered; what is there can be given back."))
    return found


def _loans_of(returns: Collection[QuotaReturn]) -> dict[int, Loan]:
    return Loan.objects.in_bulk({int(pk) for each in returns for pk in each.loans})


def _ids_of(returned: QuotaReturn, loans: Mapping[int, Loan]) -> set[int]:
    """The accounts that it moves between, ids."""
    sources = {loans[int(pk)].source_id for pk in returned.loans}
    return {returned.account_id, returned.home_id, *sources}


def _lock_accounts(returned: QuotaReturn, loans: Mapping[int, Loan]) -> dict[int, Account]:
    rows = Account.objects.filter(pk__in=_ids_of(returned, loans))
    rows = rows.select_related("unit", "project", "offering__resource", "offering__zone")
    return {each.pk: each for each in lock(rows)}


def _parts(
    desk: ProjectDesk, returned: QuotaReturn, accounts: Mapping[int, Account],
    loans: Mapping[int, Loan],
) -> list[Part]:  # fmt: skip
    """What of it can be had again; raises Conflict where nothing can."""
    for each in accounts.values():
        if each.unit is not None and not desk.project.unit.path.startswith(each.unit.path):
            words = {"unit": each.unit.label}
            raise Conflict(
                _("The project has left %(unit)s since, where it went: ask for it.") % words
            )
    parts = _parts_of(returned, accounts, loans, desk.viewer.now)
    if not parts:
        raise Conflict(_("It was on loan until a day that is over: ask for it."))
    return parts


def _parts_of(
    returned: QuotaReturn, accounts: Mapping[int, Account], loans: Mapping[int, Loan],
    now: datetime,
) -> list[Part]:  # fmt: skip
    """What was theirs for good first, then loans, the last to end first; not those that ended."""
    rest = returned.amount - sum(returned.loans.values())
    parts = [Part(accounts[returned.home_id], rest)] if rest else []
    lent = [loans[int(pk)] for pk in returned.loans]
    return parts + [
        Part(accounts[each.source_id], returned.loans[str(each.pk)], each.ends_at)
        for each in sorted(lent, key=lambda each: (each.ends_at, each.pk), reverse=True)
        if each.ends_at > now
    ]


def _wanted_of(returned: QuotaReturn, parts: Sequence[Part], amount: int | None) -> int:
    whole = sum(each.amount for each in parts)
    if amount is None or amount == whole:
        return whole
    check_amount(amount, returned.account.offering)
    if amount > whole:
        words = {"most": format_amount(whole, returned.account.offering.resource.unit)}
        raise Invalid({"amount": [_("At most %(most)s of it can be had again.") % words]})
    return amount


def _check_there(returned: QuotaReturn, parts: Sequence[Part], wanted: int) -> None:
    """Raise NoRoom where others were promised it: how much is there, and what to do."""
    there = _there(returned, parts, wanted)
    if there >= wanted:
        return
    offering = returned.account.offering
    unit = offering.resource.unit
    words = {
        "holder": holder_name(parts[0].source),
        "free": format_amount(there, unit),
        "needed": format_amount(wanted, unit),
    }
    raise NoRoom(
        _(
            "%(holder)s gave it to others meanwhile: %(free)s of %(needed)s can be had again. "
            "Take that, and ask for the rest."
        )
        % words,
        offering=offering.slug, holder=words["holder"], free=there, needed=wanted,
        short=wanted - there, unit=unit,
    )  # fmt: skip


def _there(returned: QuotaReturn, parts: Sequence[Part], wanted: int) -> int:
    """How much of these parts their accounts have; less than all in whole steps."""
    left = {each.source.pk: each.source.balance for each in parts}
    found = 0
    for each in parts:
        there = min(each.amount, left[each.source.pk])
        left[each.source.pk] -= there
        found += there
    step = returned.account.offering.resource.step
    return found if found >= wanted else found // step * step


def _have_again(
    desk: ProjectDesk, returned: QuotaReturn, account: Account, parts: Sequence[Part], wanted: int
) -> QuotaReturn:
    offering = returned.account.offering
    done = act(
        desk.project, ProjectActKind.UNDO_RETURN, actor=desk.viewer.user, now=desk.viewer.now,
        data={"offering": offering.slug, "amount": wanted, "return": returned.act_id},
    )  # fmt: skip
    rows = QuotaReturn.objects.filter(pk=returned.pk, undone_by__isnull=True)
    if not rows.update(undone_by=done, undone_amount=wanted):
        raise Conflict(_("Somebody else was first. Look again."))
    journal = Journal(actor=done.actor, now=done.at, project_act=done)
    rest = wanted
    for each in parts:
        amount = min(each.amount, each.source.balance, rest)
        if amount:
            journal.increase(
                line=None, account=account, source=each.source, amount=amount,
                ends_at=each.ends_at,
            )  # fmt: skip
            rest -= amount
    journal.write()
    tell_clouds(desk.project, {account.offering_id})
    _note("return undone", desk, offering, done)
    returned.undone_by, returned.undone_amount = done, wanted
    return returned
