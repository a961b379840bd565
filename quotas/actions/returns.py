"""A project returns quota that it does not use.

By its owners and managers: what is theirs they give back without anybody's yes. Nobody takes
it from them here: who decides can ask them. How they have it again: `return_undos`.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Conflict, Forbidden, Invalid, Stale
from projects.actions.events import record
from projects.actions.project_acts import act
from projects.models import Project, ProjectAct, User
from projects.outgoing.notices import tell_all_of
from projects.rules import may_ask
from projects.states import NoticeKind, ProjectActKind, ProjectState
from quotas.models import Account, Limit, Offering, QuotaReturn, UnusedQuota
from quotas.queries.leftovers import leftovers_of

from .calendar import managers_of
from .holdings import Holdings, give_back, lock_holdings
from .ledger import check_amount
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
        desk = owners_desk(project, actor, now, *WORKS)
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


def owners_desk(project: Project, actor: User, now: datetime, *states: str) -> ProjectDesk:
    """The project, locked, for somebody of its own; authority to decide counts for nothing here.

    Raises Conflict unless it is in one of these states.
    """
    desk = take_project(project, actor, now, decides=False)
    check_owns(desk.roles, desk.project)
    desk.check_state(*states)
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
    note("quota returned", desk, account.offering, done)
    return made


def note(verb: str, desk: ProjectDesk, offering: Offering, done: ProjectAct) -> None:
    """Keep what was done as an event, and tell the project's others."""
    event = record(
        verb, actor=desk.viewer.user, now=desk.viewer.now, project=desk.project,
        unit=desk.project.unit, subject_kind="project", subject_id=desk.project.pk,
        offering=offering.slug, amount=done.data["amount"], act=done.pk,
    )  # fmt: skip
    tell_all_of(event, managers_of(desk.project, desk.viewer.now), NoticeKind.PROJECT)
