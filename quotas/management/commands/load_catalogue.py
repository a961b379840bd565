"""Make the site as a file says: shows what would change, asks, and stores it."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from quotas.catalogue.changes import Changes
from quotas.catalogue.document import MAX_BYTES
from quotas.catalogue.loading import load, rehearse
from quotas.catalogue.problems import MOST_SHOWN, Refused
from quotas.catalogue.reading import read_site
from quotas.catalogue.site import Site
from quotas.management.lookup import Sentences

MOST_LINES = 200


class Command(BaseCommand):
    help = (
        "Load regions, zones, endpoints, units, people and projects from a YAML file "
        "(contrib/demo/site.yaml explains the format). What is in the file is added or changed, "
        "nothing else is touched."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the YAML file, or - for standard input")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument("--dry-run", action="store_true", help="show it, store nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        site = self._read(options["file"])
        now = timezone.now()
        shown = self._run(rehearse, site, now)
        for note in shown.notes:
            self.stdout.write(f"note: {note}")
        if not shown.found:
            self.stdout.write("Nothing to do: all is as the file says.")
            return
        self._show(shown)
        if options["dry_run"]:
            self.stdout.write("Nothing was stored (--dry-run).")
            return
        if not options["yes"]:
            self._ask()
        done = self._run(load, site, now)
        if done.found != shown.found:
            self.stdout.write("Somebody else changed the site meanwhile; what was done:")
            self._show(done)
        self.stdout.write(f"Loaded: {done.summary()}.")

    def _read(self, name: str) -> Site:
        try:
            if name == "-":
                raw = sys.stdin.buffer.read(MAX_BYTES + 1)
            else:
                with Path(name).open("rb") as file:
                    raw = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
        if len(raw) > MAX_BYTES:
            raise CommandError(f"{name} is larger than {MAX_BYTES // 2**20} MiB.")
        try:
            return read_site(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            raise CommandError(f"{name}, line {line}: the file is not UTF-8.") from error
        except Refused as refused:
            raise self._refusal(name, refused) from refused

    def _run(self, verb: Any, site: Site, now: Any) -> Changes:
        with Sentences():
            try:
                found: Changes = verb(site, now=now)
            except Refused as refused:
                raise self._refusal("the file", refused) from refused
        return found

    def _refusal(self, name: str, refused: Refused) -> CommandError:
        lines = [f"  {problem}" for problem in refused.problems[:MOST_SHOWN]]
        rest = len(refused.problems) - len(lines)
        if rest > 0:
            lines.append(f"  and {rest} more")
        return CommandError("\n".join([f"Nothing was loaded; {name} says what cannot be:", *lines]))

    def _show(self, changes: Changes) -> None:
        for change in changes.found[:MOST_LINES]:
            self.stdout.write(str(change))
        rest = len(changes.found) - MOST_LINES
        if rest > 0:
            self.stdout.write(f"  and {rest} more")
        self.stdout.write(changes.summary() + ".")

    def _ask(self) -> None:
        if not sys.stdin.isatty():
            raise CommandError("Nobody can be asked here; say --yes to store this.")
        if input("Store this? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("Nothing was stored.")
