"""The only code that moves quota: transfers between accounts, and what they imply.

Callers hold the locks (order: ARCHITECTURE.md); nothing here takes authority into account.
Who funds an envelope, and may: quotas.actions.envelopes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from portal.lib.amounts import MAX_AMOUNT, format_amount
from portal.lib.errors import Invalid, NoRoom
from portal.lib.locks import lock
from projects.actions.events import record
from projects.models import Project, User
from quotas.models import (
    Account,
    DecisionLine,
    EnvelopeAct,
    Holder,
    Offering,
    Transfer,
    TransferKind,
)


@dataclass(frozen=True)
class Cause:
    """Why quota moves: by whom, when, and under which decision or act on an envelope."""

    actor: User | None
    now: datetime
    decision_line: DecisionLine | None = None
    envelope_act: EnvelopeAct | None = None


def post(
    *, debit: Account, credit: Account, amount: int, kind: TransferKind, cause: Cause
) -> Transfer:
    """Move `amount` base units from one locked account to another of the same offering.

    The balances of both given objects are brought up to date. Raises NoRoom where the
    debited account, unless it is the site's, has less.
    """
    if debit.holder != Holder.SITE and debit.balance < amount:
        raise no_room(debit, amount)
    transfer = Transfer.objects.create(
        offering_id=debit.offering_id,
        debit=debit,
        credit=credit,
        amount=amount,
        kind=kind,
        decision_line=cause.decision_line,
        envelope_act=cause.envelope_act,
        actor=cause.actor,
        at=cause.now,
    )
    Account.objects.filter(pk=debit.pk).update(balance=F("balance") - amount)
    Account.objects.filter(pk=credit.pk).update(balance=F("balance") + amount)
    debit.balance -= amount
    credit.balance += amount
    return transfer


def no_room(source: Account, amount: int, *, next_source: Account | None = None) -> NoRoom:
    """The refusal of a source that has too little: the shortfall, and who could help.

    next_source: the next account above, if there is one.
    """
    resource = source.offering.resource
    facts = {
        "offering": source.offering.slug,
        "holder": holder_name(source),
        "free": source.balance,
        "needed": amount,
        "short": amount - source.balance,
        "unit": resource.unit,
    }
    sentence = _("%(holder)s has %(free)s left of %(resource)s in %(zone)s; %(needed)s is needed.")
    if next_source is not None:
        facts["next_holder"] = holder_name(next_source)
        facts["next_free"] = next_source.balance
        sentence += " " + _("The next above is %(next_holder)s, which has %(next_free)s.")
    words = {
        **facts,
        "free": format_amount(source.balance, resource.unit),
        "needed": format_amount(amount, resource.unit),
        "next_free": format_amount(next_source.balance if next_source else 0, resource.unit),
        "resource": resource.name,
        "zone": source.offering.zone.name,
    }
    return NoRoom(sentence % words, **facts)


def holder_name(account: Account) -> str:
    """What people call the holder of a source."""
    if account.unit is not None:
        return account.unit.label
    return str(_("the pool"))


def issue(*, offering: Offering, amount: int, actor: User | None, now: datetime) -> Transfer:
    """Promise `amount` more base units of an offering: from the site to the pool."""
    check_amount(amount, offering)
    with transaction.atomic():
        site, pool = open_site_and_pool(offering)
        locked = {each.pk: each for each in lock(Account.objects.filter(pk__in=[site.pk, pool.pk]))}
        if amount - locked[site.pk].balance > MAX_AMOUNT:
            raise Invalid(
                {
                    "amount": [
                        _("More than %(most)s in all cannot be counted.") % {"most": MAX_AMOUNT}
                    ]
                }
            )
        transfer = post(
            debit=locked[site.pk], credit=locked[pool.pk], amount=amount,
            kind=TransferKind.ISSUE, cause=Cause(actor, now),
        )  # fmt: skip
        record(
            "issued", actor=actor, now=now, subject_kind="transfer", subject_id=transfer.pk,
            offering=offering.slug, amount=amount,
        )  # fmt: skip
    return transfer


def open_site_and_pool(offering: Offering) -> tuple[Account, Account]:
    """The site's and the pool's account of an offering, made if they are not there."""
    site, __ = Account.objects.get_or_create(offering=offering, holder=Holder.SITE)
    pool, __ = Account.objects.get_or_create(offering=offering, holder=Holder.POOL)
    return site, pool


def open_quota(project: Project, offering_ids: list[int]) -> None:
    """Make the project's accounts that are missing, at zero."""
    open_quotas((project.pk, each) for each in offering_ids)


def open_quotas(missing: Iterable[tuple[int, int]]) -> None:
    """`open_quota` for many: (project id, offering id) of each."""
    Account.objects.bulk_create(
        [
            Account(offering_id=offering_id, project_id=project_id, holder=Holder.PROJECT)
            for project_id, offering_id in missing
        ],
        ignore_conflicts=True,
    )


def check_amount(amount: int, offering: Offering) -> None:
    """Raise Invalid unless `amount` is positive, storable and in steps of the resource."""
    step = offering.resource.step
    if not 0 < amount <= MAX_AMOUNT:
        words = {"amount": amount, "most": MAX_AMOUNT}
        raise Invalid({"amount": [_("%(amount)s must lie between 1 and %(most)s.") % words]})
    if amount % step:
        words = {"amount": amount, "step": step}
        raise Invalid(
            {"amount": [_("%(amount)s is no multiple of %(step)s, the resource's step.") % words]}
        )
