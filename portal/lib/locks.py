"""Row locks, taken in the one order that ARCHITECTURE.md writes down.

Every lock is taken inside a transaction and in the order of the primary key; the
connection's lock_timeout bounds the wait.
"""

from collections.abc import Iterable
from typing import TypeVar

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _
from psycopg import errors

from portal.lib.errors import Conflict

Row = TypeVar("Row", bound=Model)
# What ends a compiled statement whose rows are shared: `share_rows`.
SHARED = "FOR SHARE"


class Busy(Conflict):
    """Somebody else held the row for longer than one waits."""

    code = "busy"


def refusal_of(error: BaseException) -> Busy | None:
    """What a lock that was not had is called; None for any other error."""
    if not isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected):
        return None
    return Busy(_("Somebody else is changing this at the moment. Nothing was done; try again."))


class NotInTransaction(RuntimeError):
    """A lock outside a transaction would be gone before it is of use."""


def require_transaction() -> None:
    """Raise NotInTransaction outside of one."""
    if not connection.in_atomic_block:
        raise NotInTransaction("take row locks inside transaction.atomic()")


def lock(rows: QuerySet[Row]) -> list[Row]:
    """The rows, locked against change by others, by primary key.

    FOR NO KEY UPDATE: rows that only point at these are not made to wait.
    """
    require_transaction()
    return list(rows.order_by("pk").select_for_update(no_key=True, of=("self",)))


def lock_ids(rows: QuerySet[Row]) -> list[int]:
    """`lock` for many rows of which only the ids are wanted.

    Before an UPDATE of several rows, which by itself takes them in no order at all.
    """
    require_transaction()
    locked = rows.order_by("pk").select_for_update(no_key=True, of=("self",))
    return list(locked.values_list("pk", flat=True))


def share(model: type[Model], ids: Iterable[int]) -> None:
    """Hold rows as they are until the transaction ends; others may hold them too.

    FOR SHARE, which Django lacks: many decisions share a delegation or a unit, and only
    who changes one waits for them all.
    """
    require_transaction()
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {table} WHERE id = ANY(%s) ORDER BY id FOR SHARE",  # noqa: S608 - a table's own name
            [sorted(set(ids))],
        )


def share_rows(rows: QuerySet[Row]) -> list[Row]:
    """`share`, with the rows as they are once they are held; of one table, without joins."""
    require_transaction()
    try:
        sql, parameters = rows.order_by("pk").query.sql_with_params()
    except EmptyResultSet:
        return []
    return list(rows.model._default_manager.raw(f"{sql} {SHARED}", parameters))
