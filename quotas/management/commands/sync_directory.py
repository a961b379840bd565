"""Read the directory of people and groups now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from portal.lib.errors import DomainError
from projects.directory.base import DirectoryFailed
from projects.directory.opening import open_directory
from quotas.actions.directory import note_failure, sync_directory


class Command(BaseCommand):
    help = (
        "Read people and groups from the directory, and write down who is here, who has left "
        "and who is in which group. Of what would take too many away at once nothing is done."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="tell it, store nothing")
        parser.add_argument(
            "--confirm", action="store_true", help="do also what takes many away at once"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now, dry_run = timezone.now(), options["dry_run"]
        try:
            with open_directory() as directory:
                run = sync_directory(
                    directory, now=now, confirm=options["confirm"], dry_run=dry_run,
                    tell=self._tell if options["verbosity"] > 1 else lambda _: None,
                )  # fmt: skip
        except DirectoryFailed as error:
            if not dry_run:
                note_failure(error, now)
            raise CommandError(f"The directory was not read: {error}.") from error
        except DomainError as error:
            raise CommandError(error.sentence) from error
        for name, figure in run.counts.items():
            self.stdout.write(f"{name.replace('_', ' ')}: {figure}")
        for each in run.refused:
            which = f"group {each['id']}" if each["id"] else each["part"]
            self.stderr.write(
                f"Not done: {each['gone']} of {each['known']} would go at once ({which}); "
                "look whether that is so, then use --confirm."
            )
        if run.error:
            raise CommandError(f"The directory was not read to its end: {run.error}.")
        if dry_run:
            self.stdout.write("Nothing was stored.")

    def _tell(self, words: str) -> None:
        self.stdout.write(words)
