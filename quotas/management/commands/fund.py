"""Issue quota to the pool, or move it from the pool (or the unit above) to a unit."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand
from django.db import transaction
from django.utils import timezone

from portal.lib.amounts import format_amount
from projects.models import Unit, User
from quotas.actions import envelopes, ledger
from quotas.management.lookup import Sentences, amounts, dry, person, unit
from quotas.models import Offering

PROGRESS_EVERY = 100


class Command(BaseCommand):
    help = (
        "Fund the pool or a unit: fund --pool geneva.compute-a.vcpu=3200, then "
        "fund --unit atlas geneva.compute-*.vcpu=512. Amounts add to what is there. A unit is "
        "paid by the nearest envelope above it, or by the pool."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--pool", action="store_true", help="issue to the pool")
        where.add_argument("--unit", metavar="SLUG", help="move into this unit's envelope")
        parser.add_argument(
            "pairs", metavar="OFFERING=AMOUNT", nargs="+", help="* stands for any part of a name"
        )
        parser.add_argument("--by", metavar="SUBJECT", help="who is written down as having done it")
        parser.add_argument("--issuer", default="", help="which identity provider, if several do")
        parser.add_argument("--dry-run", action="store_true", help="show it, store nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = person(options["by"], options["issuer"]) if options["by"] else None
        funded = None if options["pool"] else unit(options["unit"])
        wanted = amounts(options["pairs"])
        with Sentences(), transaction.atomic():
            # By id, so that two of these at once take their locks in one order.
            for number, offering in enumerate(sorted(wanted, key=lambda each: each.pk), start=1):
                self._move(offering, wanted[offering], funded, actor)
                if number % PROGRESS_EVERY == 0:
                    self.stderr.write(f"{number} of {len(wanted)}")
            dry(options["dry_run"])
        if options["dry_run"]:
            self.stdout.write("Nothing was stored (--dry-run).")

    def _move(
        self, offering: Offering, amount: int, funded: Unit | None, actor: User | None
    ) -> None:
        now = timezone.now()
        if funded is None:
            transfer = ledger.issue(offering=offering, amount=amount, actor=actor, now=now)
        else:
            transfer = envelopes.fund(
                offering=offering, unit=funded, amount=amount, actor=actor, now=now
            )
        resource = offering.resource
        holder = ledger.holder_name(transfer.credit)
        self.stdout.write(
            f"{offering.slug}: {format_amount(amount, resource.unit)} to {holder}, which has "
            f"{format_amount(transfer.credit.balance, resource.unit)} left to give."
        )
