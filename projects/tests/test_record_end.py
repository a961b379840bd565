"""The end of the record is found along its index, however long the record is."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from projects.outgoing import feeding


def end_of_function() -> str:
    """What each new connection asks, by `remit_begin_era`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'remit_last_xid'")
        return str(cursor.fetchone()[0])


def end_of_feed() -> str:
    """What the sweep of webhooks asks every two seconds."""
    with CaptureQueriesContext(connection) as asked:
        feeding._tip()
    return asked[0]["sql"]


@pytest.mark.django_db
@pytest.mark.parametrize("statement", [end_of_function, end_of_feed])
def test_nobody_sorts_the_record_to_find_its_end(statement: object) -> None:
    assert callable(statement)
    sql = statement()
    with connection.cursor() as cursor:
        # Of an empty table any plan is cheap.
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "event_feed" in plan
    assert "Sort" not in plan
