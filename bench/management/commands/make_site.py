"""Make a site of a known size in an empty database, to measure Remit on."""

from argparse import ArgumentParser
from time import perf_counter
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from bench.site.making import NotEmpty, check_empty, make_site
from bench.site.sizes import SCALES
from bench.site.story import Misfit


class Command(BaseCommand):
    help = (
        "Fill an empty database by COPY with a made-up site: small, tenth or large. The same seed "
        "and moment give the same rows. Never in production."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--scale", choices=list(SCALES), default="small")
        parser.add_argument("--open", type=int, help="so many requests wait for a decision")
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--now", help="when its history ends (ISO 8601); without it, now")
        parser.add_argument("--dry-run", action="store_true", help="say what would be made")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_PRODUCTION:
            raise CommandError("A made-up site does not go into production.")
        scale = SCALES[options["scale"]]
        if options["open"] is not None:
            scale = scale.with_open(options["open"])
        now = parse_datetime(options["now"]) if options["now"] else timezone.now()
        if now is None or timezone.is_naive(now):
            raise CommandError("--now is no moment: write 2026-11-20T12:00Z.")
        self.stdout.write(
            f"{scale.name}: {scale.units:,} units, {scale.projects:,} projects, {scale.people:,} "
            f"people, {scale.delegations:,} delegations, {scale.requests:,} requests, "
            f"{scale.open:,} open, {scale.transfers:,} transfers, {scale.events:,} events."
        )
        try:
            if options["dry_run"]:
                check_empty()
                return
            began = perf_counter()
            counts = make_site(scale, options["seed"], now, self.stderr.write)
        except NotEmpty as error:
            raise CommandError(
                f"This database has something in it ({error}). Make the site in an empty one: "
                "createdb and `manage.py migrate` make that, or another DATA_DIR."
            ) from error
        except Misfit as error:
            raise CommandError(str(error)) from error
        for model, count in sorted(counts.items(), key=lambda each: -each[1]):
            self.stdout.write(f"  {model._meta.db_table}: {count:,}")
        self.stdout.write(f"Made in {perf_counter() - began:.0f} s.")
