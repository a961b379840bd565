"""Load the demo site with its people, its past and its usage, once."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from contrib.demo.cloud import fill, find_sandbox
from contrib.demo.loading import is_loaded, load_demo
from contrib.demo.mishaps import change_by_hand, keep_former_limits
from contrib.demo.usage import Usage
from quotas.actions.usage_days import add_up_usage
from quotas.backends import BackendError
from quotas.management.lookup import Sentences


class Command(BaseCommand):
    help = (
        "Load the demo site (contrib/demo) into an empty database: catalogue, people, "
        "delegations, four months of requests. Everybody's password is remit-demo."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.IS_PRODUCTION or not settings.LOCAL_ACCOUNTS:
            raise CommandError(
                "The demo opens accounts whose password everybody knows: it is not loaded into a "
                "production site, nor where LOCAL_ACCOUNTS is off."
            )
        now = timezone.now()
        if is_loaded():
            self.stdout.write("The demo is here already; nothing was changed.")
            return
        with Sentences():
            loaded = load_demo(now)
            add_up_usage(now)
        self.stdout.write(
            f"Loaded {loaded.project_count} projects, {loaded.request_count} requests and "
            f"{loaded.peak_count} daily peaks."
        )
        self._fill_sandbox(Usage(now))

    def _fill_sandbox(self, usage: Usage) -> None:
        """Usage is decoration: without a sandbox the demo has none, and says so."""
        clouds_file = Path(settings.CLOUDS_YAML or settings.DATA_DIR / "clouds.yaml")
        sandbox = find_sandbox(clouds_file) if settings.SANDBOX else None
        if sandbox is None:
            self.stdout.write("No sandbox cloud is running here, so nothing is in use yet.")
            return
        try:
            count = fill(sandbox, clouds_file, usage)
            if settings.CLOUDS_YAML:
                # What workers do, which find their clouds by it.
                keep_former_limits()
                change_by_hand()
        except (BackendError, OSError, ValueError) as error:
            self.stderr.write(f"The sandbox cloud did not take all of the demo: {error}")
            return
        self.stdout.write(f"{count} projects use the sandbox cloud.")
