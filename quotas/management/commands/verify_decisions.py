"""Check every decision, and acts on envelopes and projects; exit 1 with each finding in words."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from quotas.queries.verifying import verify


class Command(BaseCommand):
    help = (
        "Check the proof of every decision, and of what people did to envelopes and projects by "
        "authority, against history; exits 1 and names each that fails."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since", type=_moment, help="only decisions from this day or moment on (ISO 8601)"
        )
        parser.add_argument(
            "--json", action="store_true", help="one JSON object a line, the last one sums up"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self.checked = 0
        with _one_moment():
            found = self._check(options)
        if found:
            sys.exit(1)

    def _check(self, options: dict[str, Any]) -> int:
        found = 0
        for each in verify(since=options["since"], progress=self._progress):
            found += 1
            if options["json"]:
                row: dict[str, Any] = {"decision": each.decision, "act": each.act}
                row |= {"project_act": each.project_act, "what": each.what}
                row |= {"expected": _plain(each.expected), "found": _plain(each.found)}
                self.stdout.write(json.dumps(row))
            else:
                self.stdout.write(each.sentence)
        if options["json"]:
            self.stdout.write(json.dumps({"checked": self.checked, "findings": found}))
        elif found:
            self.stdout.write(f"{self.checked:,} decisions and acts, {found:,} findings.")
        else:
            what = f"{self.checked:,} decisions and acts on envelopes and projects"
            self.stdout.write(f"{what}, each allowed by what history says.")
        return found

    def _progress(self, checked: int, count: int) -> None:
        self.checked = checked
        if checked < count:
            self.stderr.write(f"{checked:,} of {count:,} decisions and acts…")


@contextmanager
def _one_moment() -> Iterator[None]:
    """See the database as it is now, whatever is decided meanwhile; it writes nothing."""
    with transaction.atomic():
        # Within somebody's transaction, as a test's, it sees what that one sees.
        if not connection.savepoint_ids:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _moment(text: str) -> datetime:
    moment = parse_datetime(text)
    if moment is None and (day := parse_date(text)) is not None:
        moment = datetime.combine(day, datetime.min.time())
    if moment is None:
        raise CommandError(f"{text} is no day or moment: write 2026-11-20 or 2026-11-20T12:00Z.")
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str | list | None) else str(value)
