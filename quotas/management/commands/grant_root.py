"""Give the root of a unit to people: the authority that every other one comes from."""

from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from portal.lib.amounts import AmountError, parse_amount
from projects.models import Unit
from projects.states import Power
from quotas.actions.bounds import UNBOUNDED, Bound
from quotas.actions.roots import delegate_root, too_few_roots
from quotas.management.lookup import (
    Sentences,
    dry,
    end_of_day,
    person,
    too_few_words,
    unit,
    zone,
)
from quotas.models import Resource, Zone

DEPTH = 5


class Command(BaseCommand):
    help = (
        "Give people the root of units. Two different people must hold one over each unit "
        "afterwards, so name two the first time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("subjects", metavar="SUBJECT", nargs="+")
        parser.add_argument("--issuer", default="", help="which identity provider, if several do")
        parser.add_argument(
            "--unit", action="append", metavar="SLUG",
            help="which unit, may be given again (default: every unit at the top)",
        )  # fmt: skip
        parser.add_argument(
            "--power", action="append", choices=Power.values, metavar="POWER",
            help=f"may be given again (default: all): {', '.join(Power.values)}",
        )  # fmt: skip
        parser.add_argument(
            "--bound", action="append", metavar="RESOURCE=AMOUNT", default=[],
            help="the most of a resource in one decision, like vcpu=512 (default: no bound)",
        )  # fmt: skip
        parser.add_argument(
            "--zone", action="append", metavar="REGION.ZONE", default=[],
            help="only in this zone, like geneva.compute-a; may be given again (default: any)",
        )  # fmt: skip
        parser.add_argument(
            "--depth", type=int, default=DEPTH, help=f"how often it may be handed on ({DEPTH})"
        )
        parser.add_argument("--ends", metavar="DATE", help="the last day of it, like 2027-03-31")
        parser.add_argument("--dry-run", action="store_true", help="show it, store nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        users = list(
            {each.pk: each for each in (person(s, options["issuer"]) for s in options["subjects"])}
            .values()
        )  # fmt: skip
        units = self._units(options["unit"])
        powers = [Power(each) for each in options["power"] or Power.values]
        ends_at = end_of_day(options["ends"], now) if options["ends"] else None
        with Sentences(), transaction.atomic():
            made = delegate_root(
                users=users, units=units, powers=powers, depth=options["depth"], ends_at=ends_at,
                bounds=self._bounds(options["bound"], options["zone"]), now=now,
            )  # fmt: skip
            soon = [each for place in units for each in too_few_words(
                place, too_few_roots(place, powers, now)
            )]  # fmt: skip
            dry(options["dry_run"])
        for root in made:
            self.stdout.write(f"{root.user} holds the root of {root.unit.label}.")
        if not made:
            self.stdout.write("Nothing to do: they hold these roots already.")
        for sentence in soon:
            self.stdout.write(sentence)
        if made and options["dry_run"]:
            self.stdout.write("Nothing was stored (--dry-run).")

    def _units(self, slugs: list[str] | None) -> list[Unit]:
        if slugs:
            return list({each.pk: each for each in map(unit, slugs)}.values())
        top = list(
            Unit.objects.filter(parent__isnull=True, retired_at__isnull=True).order_by("path")
        )
        if not top:
            raise CommandError("There is no unit yet; load them with load_catalogue.")
        return top

    def _bounds(self, pairs: list[str], zone_ids: list[str]) -> tuple[Bound, ...]:
        """Each amount in each zone; without amounts each zone without bound."""
        zones: list[Zone | None] = [zone(each) for each in zone_ids]
        if not pairs and not zones:
            return UNBOUNDED
        amounts = [self._amount(pair) for pair in pairs] or [Bound()]
        return tuple(replace(each, zone=where) for each in amounts for where in zones or [None])

    def _amount(self, pair: str) -> Bound:
        slug, __, text = pair.partition("=")
        resource = Resource.objects.filter(slug=slug).first()
        if resource is None:
            raise CommandError(f"There is no resource {slug!r}.")
        try:
            amount = parse_amount(text, unit=resource.unit, current=0, step=resource.step)
        except AmountError as error:
            raise CommandError(f"{slug}: {error.sentence}") from error
        return Bound(resource=resource, per_decision=amount)
