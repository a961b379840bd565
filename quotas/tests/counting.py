"""Query counts of pages: the same for few rows and for many, and the same as recorded.

The recorded counts stand in query_counts.json; `RECORD_QUERY_COUNTS=1` writes them anew.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.testing.statements import TRANSACTION_CONTROL

RECORD = Path(__file__).with_name("query_counts.json")


def count_queries(load: Callable[[], object]) -> tuple[int, str]:
    """How many queries a call takes, and what they were, one a line."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        load()
    said = [query["sql"][:200] for query in captured.captured_queries]
    return len(said), "\n".join(said)


def assert_flat(name: str, load: Callable[[], object], grow: Callable[[], object]) -> None:
    """A page costs the same before and after `grow`, and what query_counts.json says of `name`.

    load: fetches the page and checks that it is the page; grow: makes many more rows.
    """
    assert_all_flat({name: load}, grow)


def assert_all_flat(loads: Mapping[str, Callable[[], object]], grow: Callable[[], object]) -> None:
    """As `assert_flat`, of several pages that show the same rows. loads: by name."""
    few = {}
    for name, load in loads.items():
        load()  # what is cached for the life of a process is not the page's cost
        few[name] = count_queries(load)
    grow()
    for name, load in loads.items():
        count, queries = few[name]
        many, queries_of_many = count_queries(load)
        assert count == many, f"{name}: {count} queries grew to {many}\n{queries_of_many}"
        _compare(name, count, queries)


def assert_recorded(name: str, act: Callable[[], object]) -> None:
    """A verb costs what query_counts.json says of `name`, transaction control left out."""
    with CaptureQueriesContext(connection) as captured:
        act()
    said = [each["sql"][:200] for each in captured.captured_queries]
    said = [each for each in said if not each.startswith(TRANSACTION_CONTROL)]
    _compare(name, len(said), "\n".join(said))


def _compare(name: str, count: int, queries: str) -> None:
    recorded: dict[str, int] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    if os.environ.get("RECORD_QUERY_COUNTS") == "1":
        recorded[name] = count
        RECORD.write_text(json.dumps(recorded, indent=2, sort_keys=True) + "\n")
    assert recorded.get(name) == count, (
        f"{name}: {count} queries, recorded {recorded.get(name)}. If that is meant, run the test "
        f"with RECORD_QUERY_COUNTS=1 and commit query_counts.json.\n{queries}"
    )
