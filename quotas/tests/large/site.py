"""The site as a whole: filled table by table, and who is who in it."""

from dataclasses import dataclass
from datetime import datetime

from django.core.management.color import no_style
from django.db import connection, transaction

from projects.models import Project, User
from quotas.queries.queue_walk import mark_waiting

from .asked import assignments, history, open_requests
from .authority import bounds, delegations, policies
from .catalogue import catalogue
from .clouds import clouds
from .filler import Filler
from .ledger import accounts, transfers
from .organisation import people, projects, units
from .record import events, jobs, notices, talk
from .sizes import BUSY_GROUP, UNITS

# Each reads what those before it wrote.
FILLS = (
    catalogue, people, units, delegations, bounds, policies, projects, accounts, transfers,
    clouds, history, open_requests, assignments, talk, events, notices, jobs,
)  # fmt: skip


@dataclass(frozen=True)
class LargeSite:
    """Who is who: people are found by number, as everything here is."""

    now: datetime

    def head_of(self, unit: int) -> User:
        return User.objects.get(pk=unit)

    def owner_of(self, unit: int) -> User:
        """Of the unit's project."""
        return User.objects.get(pk=3 * UNITS + unit)

    @property
    def busy(self) -> User:
        """A member of the group that decides for every tenth unit."""
        return User.objects.get(pk=4 * UNITS + BUSY_GROUP)

    def project_of(self, unit: int) -> Project:
        return Project.objects.select_related("unit").get(pk=unit)


def make_large_site(now: datetime) -> LargeSite:
    """Fill an empty, migrated database, and let the planner look at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Rows that follow from a formula need no look at each foreign key.
        cursor.execute("SET LOCAL session_replication_role = replica")
        filler = Filler(now)
        for fill in FILLS:
            fill(filler)
        mark_waiting(now)
        for sql in connection.ops.sequence_reset_sql(no_style(), filler.models):
            cursor.execute(sql)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    return LargeSite(now)
