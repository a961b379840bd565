"""Seconds on a core, of this process and of the PostgreSQL process that works for it.

On a machine that others use too, these say what wall clocks do not.
"""

import time
from pathlib import Path


class Cpu:
    """A clock that stands while neither works. Of the connection that is open now."""

    def __init__(self) -> None:
        from django.db import connection

        connection.ensure_connection()
        self._backend = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")

    def now(self) -> float:
        """In seconds."""
        return time.process_time() + int(self._backend.read_text().split()[0]) / 1e9
