"""Taking what waits longest costs the same however many came due at the same moment."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from projects.models import Project
from quotas.actions.targets import ensure_targets, touch_endpoints
from quotas.delivery import leases
from quotas.models import Target
from quotas.states import TargetState
from quotas.tests.site import NOW, Site


def test_of_many_that_came_due_at_one_moment_none_are_sorted(site: Site) -> None:
    """As when the catalogue changed what a service enforces."""
    nova = site.endpoints["nova-geneva"]
    unit = site.units["atlas"]
    many = Project.objects.bulk_create(
        Project(slug=f"many-{each}", name=f"many-{each}", unit=unit, created_at=NOW)
        for each in range(1000)
    )
    ensure_targets(many)
    Target.objects.exclude(endpoint=nova).update(state=TargetState.SKIPPED, next_try_at=None)
    touch_endpoints([nova.pk])
    first = Target.objects.filter(endpoint=nova).order_by("pk")[0]
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE quotas_target, projects_project, quotas_endpoint")
    for take in (leases.take_beside, leases.take_elsewhere):
        with CaptureQueriesContext(connection) as asked:
            take(first.pk)
        with connection.cursor() as cursor:
            (sql,) = (each["sql"] for each in asked if "SAVEPOINT" not in each["sql"])
            cursor.execute("EXPLAIN " + sql)
            plan = "\n".join(line for (line,) in cursor.fetchall())
        assert "target_due" in plan
        assert "Sort" not in plan
