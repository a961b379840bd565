"""What a verb or a page costs the database: its statements, and tables that they read whole."""

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from portal.lib.prepared import PreparedCursor
from portal.testing.statements import is_counted

# A table of fewer rows is read whole for good reasons.
MANY_ROWS = 1000


@dataclass
class Cost:
    """How many statements, which large tables or indexes a plan of theirs reads from end to end."""

    queries: int = 0
    scans: set[str] = field(default_factory=set)
    statements: list[str] = field(default_factory=list)

    @property
    def json(self) -> dict[str, Any]:
        return {"queries": self.queries, "scans": sorted(self.scans)}


def large_tables() -> set[str]:
    """Names of tables with so many rows that they grow with the site."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= %s "
            "AND relnamespace = 'public'::regnamespace",
            [MANY_ROWS],
        )
        return {name for (name,) in cursor.fetchall()}


def cost_of(act: Callable[[], object], large: Collection[str]) -> Cost:
    """Do it, and ask for the plan of each statement right before it is carried out."""
    cost = Cost()

    def look(
        execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        if is_counted(sql):
            cost.queries += 1
            cost.statements.append(sql)
            plan = _plan(context["cursor"].cursor, sql, params)
            cost.scans |= {each for each in scanned(plan[0]["Plan"]) if each.split()[0] in large}
        return execute(sql, params, many, context)

    with connection.execute_wrapper(look):
        act()
    return cost


def _plan(cursor: Any, sql: str, params: Any) -> list[dict[str, Any]]:
    """The plan that the statement is carried out by: of a prepared one that for any values."""
    is_prepared = isinstance(cursor, PreparedCursor)
    with cursor.connection.cursor() as asking:
        if is_prepared:
            asking.execute(b"EXPLAIN (GENERIC_PLAN, FORMAT JSON) " + cursor.text)
        else:
            asking.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        (found,) = asking.fetchone()
    plan: list[dict[str, Any]] = found if isinstance(found, list) else json.loads(found)
    return plan


def scanned(plan: dict[str, Any], is_cut: bool = False) -> Iterator[str]:
    """Tables that a plan reads whole, by themselves or along an index.

    is_cut: by a LIMIT above, or a merge that ends with its other side; who reads along an index
    then stops early.
    """
    kind = plan["Node Type"]
    if kind == "Seq Scan":
        yield plan["Relation Name"]
    elif kind in {"Index Scan", "Index Only Scan"} and "Index Cond" not in plan and not is_cut:
        yield f"{plan['Relation Name']} along {plan['Index Name']}"
    is_cut = kind == "Limit" or (is_cut and kind not in {"Sort", "Aggregate", "Hash"})
    parts = plan.get("Plans", ())
    together = sum(each["Total Cost"] for each in parts)
    for each in parts:
        # A merge that costs less than both its sides does not read this one to its end.
        ends_early = kind == "Merge Join" and plan["Total Cost"] < together
        yield from scanned(each, is_cut or ends_early)
