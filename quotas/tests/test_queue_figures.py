"""That what a queue's page asks of its lines is worked out once, however few a plan thinks of."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from quotas.queries.queue_figures import GLANCE


@pytest.mark.django_db
def test_no_plan_adds_accounts_up_line_by_line() -> None:
    """A plan that thinks of ten lines did so for each of a hundred: 180 ms where 4 are enough."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (GENERIC_PLAN, FORMAT JSON) " + _numbered(GLANCE))
        (plan,) = cursor.fetchone()
    found = plan if isinstance(plan, list) else json.loads(plan)

    parts = list(_parts_that_read("quotas_account", found[0]["Plan"], "the rows themselves"))

    assert set(parts) == {"CTE above", "CTE sizes"}


def _numbered(statement: str) -> str:
    first, *others = statement.split("%s")
    return first + "".join(f"${place}{each}" for place, each in enumerate(others, 1))


def _parts_that_read(table: str, plan: dict[str, Any], part: str) -> Iterator[str]:
    """The nearest part with a name above each scan of that table."""
    name = plan.get("Subplan Name", "")
    if name.startswith("CTE "):
        part = name
    if plan.get("Relation Name") == table:
        yield part
    for each in plan.get("Plans", ()):
        yield from _parts_that_read(table, each, part)
