"""The large site of the tests of cost as a database of the bench: there in a minute."""

from datetime import timedelta

import psycopg
from django.core.management import call_command
from django.utils import timezone
from psycopg import sql

from portal.lib.servers import Addresses
from projects.models import Project, User
from quotas.tests.large import FIRST, make_large_site
from quotas.tests.large.site import LargeSite

from .people import Who
from .places import TESTS


def ensure(addresses: Addresses) -> None:
    """Make it, unless it is there."""
    with psycopg.connect(addresses.database_url, autocommit=True) as link:
        known = link.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TESTS]).fetchone()
        if known is None:
            link.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TESTS)))
    call_command("migrate", verbosity=0)
    if not User.objects.exists():
        make_large_site(timezone.now() - timedelta(minutes=1))


def who() -> Who:
    """As quotas/tests/large_pages.py has them."""
    large = LargeSite(timezone.now())
    project = Project.objects.get(pk=FIRST[4] + 10)
    return Who(
        owner=large.owner_of(project.pk).pk, project=project.slug,
        offering=f"r{project.pk % 5 + 1}.z0.vcpu", decider=large.busy.pk,
        root=large.head_of(1).pk, search="11",
    )  # fmt: skip
