"""Add the whole ledger up again from its transfers; exit 1 where a figure differs.

And look whether queues have what waits, as whom a line waits for is written down like a balance.
"""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand
from django.utils import timezone

from quotas.models import Account, Loan, Offering, Transfer
from quotas.queries.accounts import audit
from quotas.queries.queue_walk import misplaced

LARGE = 100_000


class Command(BaseCommand):
    help = "Prove every balance from the transfers; exits 1 and names each account that differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="say nothing of a clean ledger")

    def handle(self, *args: Any, **options: Any) -> None:
        transfer_count = Transfer.objects.count()
        if transfer_count >= LARGE:
            self.stderr.write(f"Adding up {transfer_count:,} transfers…")
        wrong = audit()
        for each in wrong:
            self.stdout.write(f"{each.what}: {each.found} stored, {each.expected} by {each.by}.")
        if wrong:
            self.stdout.write(f"{len(wrong)} figures of the ledger do not add up.")
        lost = misplaced(timezone.now())
        for assignment, request in lost:
            self.stdout.write(
                f"request #{request} waits for somebody whose queue has it elsewhere or not at all "
                f"(assignment {assignment})."
            )
        if wrong or lost:
            sys.exit(1)
        if not options["quiet"]:
            self.stdout.write(
                f"The ledger adds up: {Account.objects.count():,} accounts of "
                f"{Offering.objects.count():,} offerings, {transfer_count:,} transfers, "
                f"{Loan.objects.filter(outstanding__gt=0).count():,} open loans."
            )
