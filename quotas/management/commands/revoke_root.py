"""End a root: refused where fewer than two people would be left who hold one."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from projects.models import Delegation
from quotas.actions.roots import revoke_root
from quotas.management.lookup import Sentences, dry, too_few_words


class Command(BaseCommand):
    help = (
        "End root delegations, and with them all that was handed on below. Two different active "
        "people must hold each power over the unit by a root afterwards; give others one first "
        "with grant_root."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("names", metavar="D-NUMBER", nargs="+", help="like D-12")
        parser.add_argument("--reason", default="", help="kept with it, for those who lose it")
        parser.add_argument("--dry-run", action="store_true", help="show it, store nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        roots = list({each.pk: each for each in map(_root, options["names"])}.values())
        with Sentences(), transaction.atomic():
            for root in roots:
                ended = revoke_root(root=root, why=options["reason"], now=now)
                self.stdout.write(f"{root} of {root.user} for {root.unit.label} is ended.")
                if ended.below_count:
                    self.stdout.write(f"With it {ended.below_count} handed on below end too.")
                for sentence in too_few_words(root.unit, ended.too_few):
                    self.stdout.write(sentence)
            dry(options["dry_run"])
        if options["dry_run"]:
            self.stdout.write("Nothing was stored (--dry-run).")


def _root(name: str) -> Delegation:
    """The root of a name such as "D-12"; raises CommandError."""
    digits = name.upper().removeprefix("D-")
    found = None
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        found = Delegation.objects.select_related("unit", "user").filter(pk=int(digits)).first()
    if found is None:
        raise CommandError(f"There is no delegation {name!r}.")
    if found.parent_id is not None:
        raise CommandError(
            f"{found} is no root: {found.grantor} handed it on, and can take it back on its page."
        )
    return found
