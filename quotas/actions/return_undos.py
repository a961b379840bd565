"""A project has again what it returned, if it thinks better of it: once, within some days.

From where it went and as far as it is there, by its owners and managers. Nobody decides it, so
it never makes more of what was decided: what was given since is not given twice.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction
from django.db.models import BigIntegerField, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from portal.lib.amounts import format_amount
from portal.lib.errors import Conflict, Invalid, NoRoom
from portal.lib.locks import lock
from projects.actions.project_acts import act
from projects.models import Project, User
from projects.states import DRAWING_ANEW, ProjectActKind, ProjectState
from quotas.models import Account, Loan, QuotaReturn, Transfer, TransferKind
from quotas.queries.accounts import nearest_sources

from .holdings import tell_clouds
from .ledger import check_amount, holder_name
from .posting import Journal
from .project_desk import ProjectDesk
from .returns import note, owners_desk

GIVEN = (TransferKind.GRANT, TransferKind.LOAN)
# How much of it is there, as its project is told.
ALL, SOME, NONE = "all", "some", "none"


def undo_return(
    *, quota_return: QuotaReturn, amount: int | None = None, as_much: bool = False, actor: User,
    now: datetime,
) -> QuotaReturn:  # fmt: skip
    """Have again what was returned, from where it went; loans until the day they had.

    amount: so much of it, None: all; as_much: of that what is there. Raises NotVisible,
    Forbidden, Conflict where it was undone before, is too late or was given since, NoRoom with
    whether any of it is there, Invalid. How much is there, which is what others hold, is learnt
    by taking it.
    """
    with transaction.atomic():
        project = Project.objects.get(accounts=quota_return.account_id)
        # As for a decision: a suspended project is given nothing.
        desk = owners_desk(project, actor, now, ProjectState.ACTIVE)
        rows = QuotaReturn.objects.select_related("account__offering__resource")
        returned = rows.get(pk=quota_return.pk)
        ways = _ways_of(desk.project, [returned], is_locked=True)
        parts = ways.parts_of(returned, now)
        wanted = _wanted_of(returned, parts, amount)
        there = _there(returned, parts, wanted)
        if there < wanted and not (as_much and there):
            raise _not_there(returned, parts, wanted, there)
        wanted = min(wanted, there)
        return _have_again(desk, returned, ways.accounts[returned.account_id], parts, wanted)


def there_of(
    project: Project, returns: Collection[QuotaReturn], now: datetime
) -> dict[int, tuple[int, str]]:
    """{return id: (how much could be had again, ALL, SOME or NONE of which is there)}; no locks.

    Of one project's returns, zero where it would be refused; four queries for any number.
    """
    found = {each.pk: (0, NONE) for each in returns}
    if project.state != ProjectState.ACTIVE or not returns:
        return found
    ways = _ways_of(project, returns)
    for each in returns:
        try:
            parts = ways.parts_of(each, now)
        except Conflict:
            continue
        whole = sum(part.amount for part in parts)
        there = _there(each, parts, whole)
        found[each.pk] = (whole, ALL if there >= whole else SOME if there else NONE)
    return found


@dataclass(frozen=True)
class Part:
    """So much of a return that can be had again of one account; lent until then, or for good."""

    source: Account
    amount: int
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Ways:
    """On what ways a project's returns can come back, if they can.

    nearest: {offering id: the account that pays for it today}; given: {return id: how much the
    account was given since}.
    """

    project: Project
    accounts: Mapping[int, Account]
    loans: Mapping[int, Loan]
    nearest: Mapping[int, int]
    given: Mapping[int, int]

    def parts_of(self, returned: QuotaReturn, now: datetime) -> list[Part]:
        """What of a return can be had again; raises Conflict where nothing can."""
        _check_open(returned, now)
        parts = self._parts(returned, now)
        if not parts:
            raise Conflict(_("It was on loan until a day that is over: ask for it."))
        here = [each for each in parts if self._lies_above(each.source)]
        if not here:
            unit = parts[0].source.unit
            words = {"unit": unit.label if unit is not None else ""}
            raise Conflict(
                _("The project has left %(unit)s since, where it went: ask for it.") % words
            )
        pays = self.nearest.get(returned.account.offering_id)
        here = [each for each in here if each.ends_at is not None or each.source.pk == pays]
        if not here:
            raise Conflict(_("The project draws from elsewhere by now: ask for it."))
        left = _without(here, self._given_since(returned, here))
        if not left:
            raise Conflict(_("It was given as much since: ask for more."))
        return left

    def _parts(self, returned: QuotaReturn, now: datetime) -> list[Part]:
        """What was theirs for good first, then loans, the last to end first; not ended ones."""
        rest = returned.amount - sum(returned.loans.values())
        parts = [Part(self.accounts[returned.home_id], rest)] if rest else []
        lent = [self.loans[int(pk)] for pk in returned.loans]
        return parts + [
            Part(self.accounts[each.source_id], returned.loans[str(each.pk)], each.ends_at)
            for each in sorted(lent, key=lambda each: (each.ends_at, each.pk), reverse=True)
            if each.ends_at > now
        ]

    def _lies_above(self, source: Account) -> bool:
        return source.unit is None or self.project.unit.path.startswith(source.unit.path)

    def _given_since(self, returned: QuotaReturn, parts: Sequence[Part]) -> int:
        """How much of it is theirs again by other ways; nobody has an access twice."""
        given = self.given[returned.pk]
        if not returned.account.offering.resource.is_access:
            return given
        whole = sum(each.amount for each in parts)
        return max(given, self.accounts[returned.account_id].balance + whole - 1)


def _check_open(returned: QuotaReturn, now: datetime) -> None:
    """Raise Conflict where a return is over, or what it was of is."""
    offering = returned.account.offering
    if returned.undone_by_id is not None:
        raise Conflict(_("That was undone already."), undone=returned.undone_amount)
    if returned.undo_until <= now:
        raise Conflict(
            _("It is too late to have it again by itself: ask for it, as for any quota."),
            undo_until=returned.undo_until.isoformat(), offering=offering.slug,
        )  # fmt: skip
    if offering.retired_at is not None:
        raise Conflict(_("This is no longer offered; what is there can be given back."))


def _without(parts: Sequence[Part], amount: int) -> list[Part]:
    """These parts less so much, of the first ones first."""
    found = []
    for each in parts:
        cut = min(each.amount, max(amount, 0))
        amount -= cut
        if cut < each.amount:
            found.append(replace(each, amount=each.amount - cut))
    return found


def _ways_of(
    project: Project, returns: Collection[QuotaReturn], *, is_locked: bool = False
) -> Ways:
    """Of returns with their offerings; four queries. is_locked: with the accounts locked."""
    loans = Loan.objects.in_bulk({int(pk) for each in returns for pk in each.loans})
    ids = {pk for each in returns for pk in (each.account_id, each.home_id)}
    ids |= {each.source_id for each in loans.values()}
    rows = Account.objects.filter(pk__in=ids).select_related(
        "unit", "project", "offering__resource", "offering__zone"
    )
    accounts = {each.pk: each for each in (lock(rows) if is_locked else rows)}
    offering_ids = {each.account.offering_id for each in returns}
    paying = nearest_sources(offering_ids, project.unit.path).values_list("offering", "pk")
    return Ways(project, accounts, loans, dict(paying), _given_since(returns))


def _given_since(returns: Collection[QuotaReturn]) -> dict[int, int]:
    """{return id: what its account was given after it}, in the order in which it was written."""
    own = Transfer.objects.filter(project_act=OuterRef(OuterRef("act"))).order_by("-pk")
    since = Transfer.objects.filter(
        credit=OuterRef("account"), kind__in=GIVEN, pk__gt=Subquery(own.values("pk")[:1])
    ).exclude(project_act__kind__in=DRAWING_ANEW)
    total = since.order_by().values("credit").annotate(total=Sum("amount")).values("total")
    rows = QuotaReturn.objects.filter(pk__in=[each.pk for each in returns]).annotate(
        given=Coalesce(Subquery(total, output_field=BigIntegerField()), 0)
    )
    return dict(rows.values_list("pk", "given"))


def _wanted_of(returned: QuotaReturn, parts: Sequence[Part], amount: int | None) -> int:
    whole = sum(each.amount for each in parts)
    if amount is None or amount == whole:
        return whole
    check_amount(amount, returned.account.offering)
    if amount > whole:
        words = {"most": format_amount(whole, returned.account.offering.resource.unit)}
        raise Invalid({"amount": [_("At most %(most)s of it can be had again.") % words]})
    return amount


def _not_there(returned: QuotaReturn, parts: Sequence[Part], wanted: int, there: int) -> NoRoom:
    """Others were promised it: whether any of it is there, and what to do."""
    offering = returned.account.offering
    unit = offering.resource.unit
    words = {"holder": holder_name(parts[0].source), "needed": format_amount(wanted, unit)}
    if there:
        sentence = _(
            "%(holder)s gave it to others meanwhile: a part of %(needed)s is there. Take that, "
            "and ask for the rest."
        )
    else:
        sentence = _("%(holder)s gave it to others meanwhile: ask for it.")
    return NoRoom(
        sentence % words, offering=offering.slug, holder=words["holder"], needed=wanted, unit=unit,
        there=SOME if there else NONE,
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
    note("return undone", desk, offering, done)
    returned.undone_by, returned.undone_amount = done, wanted
    return returned
