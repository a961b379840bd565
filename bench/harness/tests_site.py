"""The large site of the tests of cost as a database of the bench: there in a minute."""

from datetime import timedelta

import psycopg
from django.core.management import call_command
from django.utils import timezone
from psycopg import sql

from portal.lib.servers import Addresses
from projects.models import User
from quotas.models import RequestLine
from quotas.states import LineState
from quotas.tests.large import AMOUNTS, FIRST, UNITS, make_large_site
from quotas.tests.large.site import LargeSite

from .quick import TESTS, Look


def ensure(addresses: Addresses) -> None:
    """Make it, unless it is there."""
    with psycopg.connect(addresses.database_url, autocommit=True) as link:
        known = link.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TESTS]).fetchone()
        if known is None:
            link.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TESTS)))
    call_command("migrate", verbosity=0)
    if not User.objects.exists():
        make_large_site(timezone.now() - timedelta(minutes=1))


def looks() -> dict[str, Look]:
    """As quotas/tests/large_pages.py has them."""
    large = LargeSite(timezone.now())
    line = (
        RequestLine.objects.filter(
            state=LineState.OPEN, offering__resource__slug="vcpu",
            project__unit__in=range(FIRST[4] + 10, UNITS, 10), balance_seen=50,
            wanted=50 + AMOUNTS[1],
        ).select_related("request__project__unit").order_by("pk")[0]
    )  # fmt: skip
    project = line.request.project
    owner, busy, root = large.owner_of(project.pk).pk, large.busy.pk, large.head_of(1).pk
    head, slug = large.head_of(project.unit_id).pk, project.slug
    fifty, api = "/floor/requests/50/", "/floor/api"
    return {
        "home": Look(owner, "/", fifty),
        "home of a decider": Look(busy, "/", fifty),
        "project": Look(owner, f"/projects/{slug}/", f"/floor/quota/{slug}/"),
        "queue": Look(busy, "/decide/", fifty),
        "decide": Look(head, f"/decide/{line.request_id}/", fifty),
        "request": Look(owner, f"/requests/new/?project={slug}", fifty),
        "explain": Look(owner, f"/projects/{slug}/most/r{project.pk % 5 + 1}.z0.vcpu/", fifty),
        "search": Look(root, "/find/?q=11", fifty),
        "api queue": Look(busy, "/api/v1/queue/", f"{api}/requests/"),
        "api requests": Look(root, "/api/v1/requests/", f"{api}/requests/"),
        "api projects": Look(root, "/api/v1/projects/", f"{api}/projects/"),
        "api events": Look(root, "/api/v1/events/", f"{api}/events/"),
        "api transfers": Look(
            owner, f"/api/v1/projects/{slug}/transfers/", f"{api}/transfers/{slug}/"
        ),
    }
