"""Mark somebody as an operator of the cloud, which lets them decide no quota."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import BaseCommand
from django.utils import timezone

from projects.actions.people import set_operator
from quotas.management.lookup import Sentences, person


class Command(BaseCommand):
    help = "Mark a person as an operator: sees deliveries and endpoints, decides no quota."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "subject", metavar="SUBJECT", help="their name at the identity provider"
        )
        parser.add_argument("--issuer", default="", help="which identity provider, if several do")
        parser.add_argument("--remove", action="store_true", help="take the mark away")

    def handle(self, *args: Any, **options: Any) -> None:
        user = person(options["subject"], options["issuer"])
        wanted = not options["remove"]
        with Sentences():
            changed = set_operator(user=user, is_operator=wanted, actor=None, now=timezone.now())
        if not changed:
            self.stdout.write(f"{user} is {'an' if wanted else 'no'} operator already.")
        else:
            self.stdout.write(f"{user} is {'now' if wanted else 'no longer'} an operator.")
