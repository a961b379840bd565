"""The test site's money, written as the verbs write it but in a few statements.

Nearly every test begins with it. That the rows are those of the verbs is a test (test_site.py).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from projects.models import Event, Unit
from quotas.models import (
    Account,
    EnvelopeAct,
    EnvelopeActKind,
    Holder,
    Offering,
    Transfer,
    TransferKind,
)

# Of each offering the pool was issued so many steps, and each unit was funded by the one before.
ISSUED = 10_000
FUNDED = {"ep": 2_000, "atlas": 1_000}
DAY = timedelta(days=1)


def write_ledger(offerings: Iterable[Offering], units: Mapping[str, Unit], now: datetime) -> None:
    """Issue and fund as `issue` and `fund` do, 99 and 98 days ago."""
    issued_at, funded_at = now - 99 * DAY, now - 98 * DAY
    steps = list(offerings)
    accounts = {each.slug: _accounts(each, units) for each in steps}
    Account.objects.bulk_create(row for rows in accounts.values() for row in rows)
    acts = {
        (each.slug, slug): _acts(each, units[slug], amount, funded_at)
        for each in steps
        for slug, amount in FUNDED.items()
    }
    EnvelopeAct.objects.bulk_create(act for pair in acts.values() for act in pair)
    transfers: list[Transfer] = []
    for each in steps:
        site, *rest = accounts[each.slug]
        amounts = [ISSUED, *FUNDED.values()]
        for number, (debit, credit) in enumerate(zip([site, *rest], rest, strict=False)):
            slug = list(FUNDED)[number - 1]
            transfers.append(
                Transfer(
                    offering=each, debit=debit, credit=credit,
                    amount=amounts[number] * each.resource.step,
                    kind=TransferKind.FUND if number else TransferKind.ISSUE,
                    envelope_act=acts[each.slug, slug][1] if number else None,
                    at=funded_at if number else issued_at,
                )
            )  # fmt: skip
    Transfer.objects.bulk_create(transfers)
    Event.objects.bulk_create(_events(steps, units, acts, transfers))


def _accounts(offering: Offering, units: Mapping[str, Unit]) -> list[Account]:
    """The site's, the pool's and the units', with what is left in them at the end."""
    step = offering.resource.step
    amounts = [ISSUED, *FUNDED.values()]
    left = [
        amount - following for amount, following in zip(amounts, [*amounts[1:], 0], strict=True)
    ]
    rows = [
        Account(offering=offering, holder=Holder.SITE, balance=-ISSUED * step),
        Account(offering=offering, holder=Holder.POOL, balance=left[0] * step),
    ]
    return rows + [
        Account(offering=offering, holder=Holder.UNIT, unit=units[slug], balance=amount * step)
        for slug, amount in zip(FUNDED, left[1:], strict=True)
    ]


def _acts(offering: Offering, unit: Unit, amount: int, at: datetime) -> list[EnvelopeAct]:
    amounts = {EnvelopeActKind.DECLARE: 0, EnvelopeActKind.FUND: amount * offering.resource.step}
    return [
        EnvelopeAct(kind=kind, unit=unit, offering=offering, amount=each, at=at)
        for kind, each in amounts.items()
    ]


def _events(
    offerings: Iterable[Offering], units: Mapping[str, Unit],
    acts: Mapping[tuple[str, str], list[EnvelopeAct]], transfers: Iterable[Transfer],
) -> list[Event]:  # fmt: skip
    """In the order in which the verbs would have written them."""
    found = []
    issues = [each for each in transfers if each.kind == TransferKind.ISSUE]
    for offering, issue in zip(offerings, issues, strict=True):
        found.append(
            Event(
                verb="issued", at=issue.at, subject_kind="transfer", subject_id=issue.pk,
                data={"offering": offering.slug, "amount": issue.amount},
            )
        )  # fmt: skip
        for slug in FUNDED:
            for act in acts[offering.slug, slug]:
                is_fund = act.kind == EnvelopeActKind.FUND
                found.append(
                    Event(
                        verb="funded" if is_fund else "envelope declared", at=act.at,
                        unit=units[slug], subject_kind="envelope_act", subject_id=act.pk,
                        data={"offering": offering.slug, "amount": act.amount},
                    )
                )  # fmt: skip
    return found
