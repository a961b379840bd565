"""Retire a unit, and hand what it holds to its parent, after saying what that means."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand
from django.db import transaction
from django.utils import timezone

from portal.lib.amounts import format_amount
from quotas.actions import unit_changes
from quotas.actions.ledger import holder_name
from quotas.management.lookup import Sentences, dry, person, unit
from quotas.queries.unit_changes import Retirement


class Command(BaseCommand):
    help = (
        "Retire a unit: retire_unit atlas. Its envelopes, projects and sub-units go to its "
        "parent; the delegations over it end."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("unit", metavar="UNIT", help="its slug")
        parser.add_argument("--reason", default="", help="why; people read it")
        parser.add_argument("--by", metavar="SUBJECT", help="who is written down as having done it")
        parser.add_argument("--issuer", default="", help="which identity provider, if several do")
        parser.add_argument("--dry-run", action="store_true", help="show it, store nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        retired = unit(options["unit"])
        actor = person(options["by"], options["issuer"]) if options["by"] else None
        with Sentences(), transaction.atomic():
            done = unit_changes.retire_unit(
                unit=retired, reason=options["reason"], actor=actor, is_command=True,
                now=timezone.now(),
            )  # fmt: skip
            self._say(done)
            dry(options["dry_run"])
        if options["dry_run"]:
            self.stdout.write("Nothing was stored (--dry-run).")
        else:
            self.stdout.write(f"{retired.label} is retired.")

    def _say(self, done: Retirement) -> None:
        for row in done.swept:
            offering, unit = row.envelope.offering, row.envelope.offering.resource.unit
            heir = holder_name(row.heir) if row.heir is not None else "the pool"
            self.stdout.write(
                f"{offering.slug}: {format_amount(row.envelope.balance, unit)} to {heir}; "
                f"{format_amount(row.lent, unit)} lent returns there."
            )
        for project in done.projects:
            self.stdout.write(f"Project {project.slug} goes to {done.heir}.")
        for child in done.children:
            self.stdout.write(f"Unit {child.slug} goes to {done.heir or 'the top'}.")
        for delegation in done.ended:
            self.stdout.write(f"{delegation} of {delegation.user or delegation.group} ends.")
        for delegation in done.interrupted:
            self.stdout.write(f"{delegation} was handed on below one that ends: no effect.")
        for policy in done.policies:
            self.stdout.write(f"{policy} is switched off.")
