"""That what a queue asks keeps its plans, whatever the statistics of a site make of it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from portal.lib.together import Stated
from quotas.queries.queue_figures import GLANCE
from quotas.queries.queue_walk import BY_NUMBER, BY_NUMBER_BACK, OLDEST, OLDEST_BACK, walk_part

Plan = dict[str, Any]


@pytest.mark.django_db
def test_no_plan_adds_accounts_up_line_by_line() -> None:
    """A plan that thinks of ten lines did so for each of a hundred: 180 ms where 4 are enough."""
    parts = [part for part, _scan in _scans("quotas_account", _plan(GLANCE), "the rows")]

    assert set(parts) == {"CTE above", "CTE sizes"}


@pytest.mark.django_db
@pytest.mark.parametrize("order", [OLDEST, OLDEST_BACK, BY_NUMBER, BY_NUMBER_BACK])
def test_a_queue_is_walked_along_its_index_both_ways(order: str) -> None:
    """Whoever goes back one from the end does not read all that lies before."""
    values: dict[str, Any] = {"user": 0, "groups": [], "held": [], "now": None}
    if not order.startswith(BY_NUMBER):
        values |= {"since": None, "number": 0}
    walk = walk_part(order, 2, values).queryset
    assert isinstance(walk, Stated)
    with connection.cursor() as cursor:
        # The tables of tests are too small for any index to be worth it, and what other tests
        # left in their statistics can say that one row is found, which costs nothing to sort.
        for way in ("seqscan", "bitmapscan", "sort", "incremental_sort"):
            cursor.execute(f"SET LOCAL enable_{way} = off")

    scans = [scan for _part, scan in _scans("quotas_assignment", _plan(walk.sql), "the rows")]

    direction = "Backward" if order.endswith("DESC") else "Forward"
    assert [each["Scan Direction"] for each in scans] == [direction] * 2


def _plan(statement: str) -> Plan:
    """The one for any values."""
    first, *others = statement.split("%s")
    numbered = first + "".join(f"${place}{each}" for place, each in enumerate(others, 1))
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (GENERIC_PLAN, FORMAT JSON) " + numbered)
        (found,) = cursor.fetchone()
    plan: Plan = (found if isinstance(found, list) else json.loads(found))[0]["Plan"]
    return plan


def _scans(table: str, plan: Plan, part: str) -> Iterator[tuple[str, Plan]]:
    """(the nearest part with a name above it, scan) of each scan of that table."""
    name = plan.get("Subplan Name", "")
    if name.startswith("CTE "):
        part = name
    if plan.get("Relation Name") == table:
        yield part, plan
    for each in plan.get("Plans", ()):
        yield from _scans(table, each, part)
