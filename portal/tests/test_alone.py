"""One of a kind at a time, wherever it runs, and nothing waits for its lock but its like."""

import psycopg
import pytest

from portal.lib.alone import alone
from portal.lib.errors import Conflict
from portal.testing.servers import DatabaseCopy

NUMBER = 41
HELD = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 41)"


def test_the_second_is_refused_until_the_first_has_ended(database_copy: DatabaseCopy) -> None:
    with alone(NUMBER, refusal="It runs already."):
        with pytest.raises(Conflict) as refusal, alone(NUMBER, refusal="It runs already."):
            pytest.fail("both hold it")
        assert refusal.value.sentence == "It runs already."
    with alone(NUMBER, refusal="It runs already."):
        pass


def test_who_holds_it_keeps_no_row_from_being_cleared_away(database_copy: DatabaseCopy) -> None:
    with psycopg.connect(database_copy.url, autocommit=True) as beside:
        with alone(NUMBER, refusal=""):
            found = beside.execute(
                f"SELECT state, backend_xid, backend_xmin FROM pg_stat_activity WHERE {HELD}"
            )
            assert found.fetchall() == [("idle in transaction", None, None)]


def test_it_goes_with_the_connection_of_whoever_is_killed(database_copy: DatabaseCopy) -> None:
    with psycopg.connect(database_copy.url, autocommit=True) as beside:
        with alone(NUMBER, refusal=""):
            beside.execute(
                f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {HELD}"
            )
            with alone(NUMBER, refusal="", patience=5):
                pass
