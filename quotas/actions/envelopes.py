"""Declaring, funding and taking back envelopes: pool → unit → sub-unit, and back.

By people with `manage envelopes`, within their bounds and with the proof of it; and by the
operators' command, which needs no authority. Every act is a row that its transfer points at.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.lib.errors import Conflict
from portal.lib.locks import lock
from projects.actions.events import record
from projects.actions.units import take_unit
from projects.models import Unit, User
from projects.queries.viewers import Viewer
from quotas.models import (
    Account,
    EnvelopeAct,
    EnvelopeActKind,
    Holder,
    Offering,
    Transfer,
    TransferKind,
)
from quotas.queries.authority import Mandate
from quotas.queries.envelopes import Standing, nearest_above

from .funding import (
    Purse,
    Seen,
    check_changes,
    check_holder,
    check_living,
    check_seen,
    look,
    look_locked,
)
from .funding_proof import proof
from .judging import judge
from .ledger import Cause, check_amount, open_site_and_pool, post
from .wishes import clean_text

EVENTS = {
    EnvelopeActKind.DECLARE: "envelope declared",
    EnvelopeActKind.FUND: "funded",
    EnvelopeActKind.TAKE_BACK: "taken back",
    EnvelopeActKind.SWEEP: "swept",
}


def change(
    *,
    unit: Unit,
    changes: Mapping[str, int],
    seen: Mapping[str, Seen],
    reason: str = "",
    actor: User,
    now: datetime,
) -> list[EnvelopeAct]:
    """Change envelopes of a unit, all of them or none.

    changes: {offering slug: base units}: more than 0 is funded from the nearest envelope above
    or the pool, and declared first where it is not; less is taken back to there; 0 declares.
    seen: {offering slug: what the person saw}. Raises Forbidden, Conflict, Stale (with the
    figures of now), NoRoom (with where the rest is), Invalid. Locks in the order of
    ARCHITECTURE.md.
    """
    check_holder(Viewer.of(actor, now), unit)
    offerings = offerings_named(changes)
    check_changes(changes, offerings)
    said = clean_text(reason, field="reason", required=False)
    with transaction.atomic():
        held = take_unit(unit)
        check_living(held)
        viewer = Viewer.of(actor, now)
        check_holder(viewer, held)
        chosen = sorted(offerings.values(), key=lambda each: each.pk)
        _lock_accounts(held, [each.pk for each in chosen])
        purse, totals = look_locked(look(viewer, held, chosen), now)
        check_holder(purse.viewer, held)
        check_seen(purse, seen)
        acts: list[EnvelopeAct] = []
        for offering in chosen:
            amount = changes[offering.slug]
            mandate = judge(purse, offering, amount)
            acts += _act(purse, offering, amount, mandate, said)
            totals.consume([(mandate, offering, amount)])
            purse = purse.plus(mandate, offering, amount)
    return acts


def fund(
    *, offering: Offering, unit: Unit, amount: int, actor: User | None, now: datetime
) -> Transfer:
    """Move quota into a unit's envelope from the nearest above, or the pool, by command.

    Needs no authority: the operators' command alone calls it. Raises Conflict, NoRoom, Invalid.
    """
    check_amount(amount, offering)
    with transaction.atomic():
        held = take_unit(unit)
        check_living(held)
        if not Account.objects.filter(offering=offering, unit=held).exists():
            declare(unit=held, offering=offering, actor=actor, now=now)
        rows = {each.pk: each for each in _lock_accounts(held, [offering.pk])}
        envelope = next(each for each in rows.values() if each.unit_id == held.pk)
        above = nearest_above(held, [offering.pk])
        source = rows[above[offering.pk].pk] if above else open_site_and_pool(offering)[1]
        act = _store(EnvelopeActKind.FUND, held, offering, amount, actor, now)
        transfer = post(
            debit=source, credit=envelope, amount=amount, kind=TransferKind.FUND,
            cause=Cause(actor, now, envelope_act=act),
        )  # fmt: skip
    return transfer


def declare(*, unit: Unit, offering: Offering, actor: User | None, now: datetime) -> Account:
    """Open an envelope at zero for the operators' command; what lies below draws from it now.

    The caller holds the unit (`take_unit`).
    """
    envelope = Account.objects.create(offering=offering, unit=unit, holder=Holder.UNIT)
    _store(EnvelopeActKind.DECLARE, unit, offering, 0, actor, now)
    return envelope


def offerings_named(slugs: Collection[str]) -> dict[str, Offering]:
    """{slug: offering} of those that exist, retired ones too."""
    printable = [slug for slug in slugs if slug.isprintable()]
    rows = Offering.objects.filter(slug__in=printable).select_related("resource", "zone__region")
    return {each.slug: each for each in rows}


def _lock_accounts(unit: Unit, offering_ids: Collection[int]) -> list[Account]:
    """The envelopes and what pays them, by id. A taken unit declares none beside us."""
    own = Account.objects.filter(unit=unit, offering__in=offering_ids)
    ids = {each.pk for each in nearest_above(unit, offering_ids).values()}
    ids |= set(own.values_list("pk", flat=True))
    rows = Account.objects.filter(pk__in=ids)
    return lock(rows.select_related("unit", "offering__resource", "offering__zone"))


def _act(
    purse: Purse, offering: Offering, amount: int, mandate: Mandate, reason: str
) -> list[EnvelopeAct]:
    """Store one change with its proof, and post it; a declaration is an act of its own."""
    standing = purse.standings[offering.pk]
    unit, actor, now = purse.unit, purse.viewer.user, purse.viewer.now
    why: dict[str, Any] = {
        "delegation": mandate.delegation,
        "reason": reason,
        "snapshot": proof(purse, standing, amount, mandate),
    }
    acts = []
    envelope = standing.account
    if envelope is None:
        envelope = Account.objects.create(offering=offering, unit=unit, holder=Holder.UNIT)
        acts.append(_store(EnvelopeActKind.DECLARE, unit, offering, 0, actor, now, **why))
    if amount:
        kind = EnvelopeActKind.FUND if amount > 0 else EnvelopeActKind.TAKE_BACK
        act = _store(kind, unit, offering, abs(amount), actor, now, **why)
        acts.append(act)
        _move(standing, envelope, amount, Cause(actor, now, envelope_act=act))
    return acts


def _move(standing: Standing, envelope: Account, amount: int, cause: Cause) -> None:
    source = standing.source
    if source is None:  # pragma: no cover - judge refuses it before
        raise Conflict(_("Nothing of this was ever issued to the pool; the operators can do that."))
    if amount > 0:
        post(debit=source, credit=envelope, amount=amount, kind=TransferKind.FUND, cause=cause)
    else:
        post(
            debit=envelope, credit=source, amount=-amount, kind=TransferKind.TAKE_BACK, cause=cause
        )  # fmt: skip


def _store(
    kind: EnvelopeActKind, unit: Unit, offering: Offering, amount: int, actor: User | None,
    now: datetime, **why: Any,
) -> EnvelopeAct:  # fmt: skip
    act = EnvelopeAct.objects.create(
        kind=kind, unit=unit, offering=offering, amount=amount, actor=actor, at=now, **why
    )
    record(
        EVENTS[kind], actor=actor, now=now, unit=unit, subject_kind="envelope_act",
        subject_id=act.pk, offering=offering.slug, amount=amount,
    )  # fmt: skip
    return act


def sweep(
    *, envelope: Account, heir: Account, reason: str, actor: User | None, now: datetime
) -> EnvelopeAct:
    """Move all that a retired unit's envelope has left to the heir's; both are locked."""
    amount, unit = envelope.balance, envelope.unit
    if unit is None:  # pragma: no cover - the constraint account_one_holder
        raise AssertionError("an envelope without a unit")
    act = _store(EnvelopeActKind.SWEEP, unit, envelope.offering, amount, actor, now, reason=reason)
    if amount:
        post(
            debit=envelope, credit=heir, amount=amount, kind=TransferKind.SWEEP,
            cause=Cause(actor, now, envelope_act=act),
        )  # fmt: skip
    return act
