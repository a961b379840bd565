"""Say that somebody has left the site, or is back."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from projects.models import User
from quotas.actions.leaving import leave_site, return_to_site
from quotas.management.lookup import Sentences, person


class Command(BaseCommand):
    help = (
        "End all that a person may do here: sessions, tokens, roles and authority. Projects that "
        "they owned alone are offered to somebody else. --back lets them sign in again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("subject", metavar="SUBJECT")
        parser.add_argument("--issuer", default="", help="which identity provider, if several do")
        parser.add_argument("--by", metavar="SUBJECT", required=True, help="which operator says so")
        parser.add_argument("--reason", default="", help="why; needed as somebody leaves")
        parser.add_argument("--back", action="store_true", help="they are here again")

    def handle(self, *args: Any, **options: Any) -> None:
        found = User.objects.filter(subject=options["subject"])
        if options["issuer"]:
            found = found.filter(issuer=options["issuer"])
        people = list(found[:2])
        if len(people) != 1:
            known = "Nobody is" if not people else "Several people are"
            raise CommandError(f"{known} known as {options['subject']!r}; see --issuer.")
        verb = return_to_site if options["back"] else leave_site
        with Sentences():
            verb(
                user=people[0], reason=options["reason"], actor=person(options["by"]),
                now=timezone.now(),
            )  # fmt: skip
        was = "is back" if options["back"] else "has left"
        self.stdout.write(f"{people[0]} {was}.")
