"""Workers keep their connection to the database from task to task, as long as it is well."""

from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from portal.celery import app
from portal.kept_connections import KeptConnections
from portal.testing.servers import DatabaseCopy


def backend() -> int:
    """The process of PostgreSQL that answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_a_connection_outlives_a_task_unless_it_broke_or_is_too_old(
    database_copy: DatabaseCopy,
) -> None:
    kept = KeptConnections(app)
    task: Any = app.tasks["celery.backend_cleanup"]

    def between_tasks() -> None:
        kept.on_task_postrun(sender=task)
        kept.on_task_prerun(sender=task)

    first = backend()
    connection.close_at = None  # as old as it likes: that of tests may not grow old at all
    between_tasks()
    assert backend() == first

    with psycopg.connect(database_copy.environment["DATABASE_URL"]) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [first])
    with pytest.raises(OperationalError):
        backend()
    between_tasks()
    second = backend()
    assert second != first

    connection.close_at = 0.0
    between_tasks()
    assert backend() != second


def test_what_a_fork_would_inherit_is_closed(database_copy: DatabaseCopy) -> None:
    first = backend()
    KeptConnections(app).close_database()
    assert connection.connection is None
    assert backend() != first


def test_celery_is_told_of_it() -> None:
    celery: Any = app  # the stubs know no list of fixups
    fixups = [each for each in celery._fixups if hasattr(each, "worker_fixup")]
    assert [type(each.worker_fixup) for each in fixups] == [KeptConnections]
