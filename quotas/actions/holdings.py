"""All that a project has, locked: giving it back, and taking it along into another unit.

The caller has locked the project and its place. Nothing here takes authority into account; each
transfer points at the act that moved it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from portal.lib.locks import lock
from projects.models import Project, ProjectAct, Unit
from quotas.models import Account, Contribution, Loan, Offering, Target
from quotas.queries.accounts import nearest_sources

from .ledger import no_room
from .posting import Journal
from .targets import HINTS_AT_ONCE, touch_targets, wake_after_commit


@dataclass(frozen=True)
class Holdings:
    """A project's accounts with what is in them, and where each draws from today.

    source: {offering id: the nearest envelope above, or the pool}; destination: the same of
    another unit, where one was named; loans: {account id: open ones, the earliest end first}.
    """

    project: Project
    accounts: list[Account]
    source: Mapping[int, Account]
    destination: Mapping[int, Account]
    loans: Mapping[int, list[Loan]]
    by_id: Mapping[int, Account]


def lock_holdings(
    project: Project, *, unit: Unit | None = None, only: Collection[int] | None = None
) -> Holdings:
    """Lock what a project has, and all accounts that it can go to, by id.

    project: locked, with its unit as it stands; unit: where it is to go; only: ids of accounts.
    """
    own = Account.objects.filter(project=project, balance__gt=0)
    if only is not None:
        own = own.filter(pk__in=only)
    offering_ids = list(own.values_list("offering", flat=True))
    source = _ids_by_offering(offering_ids, project.unit)
    destination = _ids_by_offering(offering_ids, unit) if unit is not None else {}
    lent = Loan.objects.filter(account__in=own, outstanding__gt=0)
    ids = {
        *own.values_list("pk", flat=True), *source.values(), *destination.values(),
        *lent.values_list("source", flat=True),
    }  # fmt: skip
    rows = Account.objects.filter(pk__in=ids).select_related(
        "unit", "project", "offering__resource", "offering__zone"
    )
    by_id = {each.pk: each for each in lock(rows)}
    accounts = [each for each in by_id.values() if each.project_id == project.pk and each.balance]
    loans: dict[int, list[Loan]] = defaultdict(list)
    held = Loan.objects.filter(account__in=accounts, outstanding__gt=0)
    for loan in held.order_by("ends_at", "pk"):
        loans[loan.account_id].append(loan)
    return Holdings(
        project=project,
        accounts=accounts,
        source={offering: by_id[pk] for offering, pk in source.items()},
        destination={offering: by_id[pk] for offering, pk in destination.items()},
        loans=loans,
        by_id=by_id,
    )


def _ids_by_offering(offering_ids: Collection[int], unit: Unit) -> dict[int, int]:
    return dict(nearest_sources(offering_ids, unit.path).values_list("offering", "pk"))


def give_back(holdings: Holdings, amounts: Mapping[int, int], act: ProjectAct) -> Journal:
    """Return so much of each account: loans to their sources, the rest to where it draws from.

    amounts: {account id: base units}. The clouds are told. What was written is returned.
    """
    journal = Journal(actor=act.actor, now=act.at, project_act=act)
    moved = [each for each in holdings.accounts if amounts.get(each.pk)]
    for each in moved:
        journal.decrease(
            line=None, account=each, home=holdings.source[each.offering_id],
            loans=holdings.loans.get(each.pk, []), sources=holdings.by_id, amount=amounts[each.pk],
        )  # fmt: skip
    journal.write()
    tell_clouds(holdings.project, {each.offering_id for each in moved})
    return journal


def take_along(holdings: Holdings, act: ProjectAct) -> None:
    """Let the project draw all that it has from another unit's envelopes instead.

    What it has stays as it is, so the clouds are told nothing. A loan is paid back and lent
    anew until the same moment. Where both units draw from the same account nothing moves.
    Raises NoRoom where an envelope has too little.
    """
    journal = Journal(actor=act.actor, now=act.at, project_act=act)
    for each in holdings.accounts:
        before = holdings.source[each.offering_id]
        after = holdings.destination[each.offering_id]
        if before.pk == after.pk:
            continue
        if after.balance < each.balance:
            raise no_room(after, each.balance)
        _redraw(journal, holdings, each, before, after)
    journal.write()


def _redraw(
    journal: Journal, holdings: Holdings, account: Account, before: Account, after: Account
) -> None:
    """Give all back, then draw the same: first the loans, which end when they did."""
    loans = holdings.loans.get(account.pk, [])
    lent = [(loan.outstanding, loan.ends_at) for loan in loans]
    whole = account.balance
    journal.decrease(
        line=None, account=account, home=before, loans=loans, sources=holdings.by_id, amount=whole
    )
    for amount, ends_at in lent:
        journal.increase(line=None, account=account, source=after, amount=amount, ends_at=ends_at)
    rest = whole - sum(amount for amount, _ends_at in lent)
    if rest:
        journal.increase(line=None, account=account, source=after, amount=rest, ends_at=None)


def tell_clouds(project: Project, offering_ids: Iterable[int]) -> None:
    """Raise the generation of every target that these offerings feed, and wake workers."""
    offerings = Offering.objects.filter(pk__in=list(offering_ids))
    endpoints = Contribution.objects.filter(offering__in=offerings).values("limit__endpoint")
    targets = Target.objects.filter(project=project, endpoint__in=endpoints)
    touch_targets(targets)
    wake_after_commit(targets.values_list("pk", flat=True)[:HINTS_AT_ONCE])
