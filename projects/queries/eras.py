"""Is the record on another count of transactions, and is a place of it still one?"""

from contextlib import suppress
from typing import Any

from django.db import ProgrammingError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.translation import gettext as _

from portal.lib.errors import DomainError

from .events import Place


class MarkerGone(DomainError):
    """A place that a restore of the database took away, or that never was one here."""

    status = 410
    code = "marker_gone"


def check_stands(place: Place) -> None:
    """Raise MarkerGone for a place beyond which a reader would miss something. One query."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT %(xid)s > remit_tip()::text::bigint OR EXISTS ("
            "SELECT FROM projects_era WHERE last_xid < %(xid)s AND %(xid)s < gone_until)",
            {"xid": place.xid},
        )
        is_gone = cursor.fetchone()[0]
    if is_gone:
        raise MarkerGone(
            _("The record has no such place any more: the database was restored. Begin anew.")
        )


def begin_where_moved(connection: BaseDatabaseWrapper = connection, **_signal: Any) -> None:
    """Begin another era where the database moved; asked of each connection as it is made.

    A restore and a failover end all connections: so nobody writes by the old count.
    """
    # Before its migration there is none to begin.
    with suppress(ProgrammingError), connection.wrap_database_errors:
        connection.ensure_connection()
        connection.connection.execute("SELECT remit_begin_era()")
