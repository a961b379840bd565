"""Put a unit, with all below it, under another parent, after saying what that means."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand
from django.db import transaction
from django.utils import timezone

from portal.lib.amounts import format_amount
from quotas.actions import unit_changes
from quotas.management.lookup import Sentences, dry, person, unit
from quotas.queries.unit_changes import Move, move_of


class Command(BaseCommand):
    help = (
        "Move a unit: move_unit atlas --below it, or --top. Envelopes and quota stay with their "
        "holders; who decides, and which envelope pays, follows the new place."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("unit", metavar="UNIT", help="its slug")
        where = parser.add_mutually_exclusive_group(required=True)
        where.add_argument("--below", metavar="UNIT", help="the new parent")
        where.add_argument("--top", action="store_true", help="stand below no unit")
        parser.add_argument("--by", metavar="SUBJECT", help="who is written down as having done it")
        parser.add_argument("--issuer", default="", help="which identity provider, if several do")
        parser.add_argument("--dry-run", action="store_true", help="show it, store nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        moved, now = unit(options["unit"]), timezone.now()
        parent = None if options["top"] else unit(options["below"])
        actor = person(options["by"], options["issuer"]) if options["by"] else None
        before = moved.label
        with Sentences(), transaction.atomic():
            self._say(move_of(moved, parent, now))
            is_moved = unit_changes.move_unit(
                unit=moved, parent=parent, actor=actor, is_command=True, now=now
            )
            dry(options["dry_run"])
        if not is_moved:
            self.stdout.write(f"{before} stands there already.")
        elif options["dry_run"]:
            self.stdout.write("Nothing was stored (--dry-run).")
        else:
            self.stdout.write(f"{before} is {moved.label} now.")

    def _say(self, move: Move) -> None:
        self.stdout.write(
            f"{move.unit.label}: {move.unit_count} units, {len(move.projects)} projects, "
            f"{move.open_count} open requests go along."
        )
        for each in move.shifts:
            resource = each.account.offering.resource
            self.stdout.write(
                f"{each.account}: {format_amount(each.before.size, resource.unit)} → "
                f"{format_amount(each.after.size, resource.unit)}, "
                f"{format_amount(each.after.free, resource.unit)} left as before."
            )
        for delegation in move.lost:
            self.stdout.write(f"{delegation} ({delegation.unit.label}) is without effect there.")
        for delegation in move.gained:
            self.stdout.write(f"{delegation} ({delegation.unit.label}) reaches it from now on.")
