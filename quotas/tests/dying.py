"""Work that dies: done in a child process which is killed right before its nth write.

A write is a statement that changes rows, or a COMMIT. What a process read before it died left
nothing behind, so these are all the points there are.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from django.db import connection, connections

# Longer than any work here has writes.
MOST = 400
WRITES = ("INSERT", "UPDATE", "DELETE")


class _Killer:
    """Counts the writes of this process, and kills it before the nth."""

    def __init__(self, number: int) -> None:
        self._left = number

    def lie_in_wait(self) -> None:
        connection.ensure_connection()
        connection.execute_wrappers.append(self._statement)
        link: Any = connection.connection
        commit = link.commit

        def committing() -> None:
            self._write()
            commit()

        link.commit = committing

    def _statement(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if sql.startswith(WRITES):
            self._write()
        return execute(sql, params, many, context)

    def _write(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_at(number: int, work: Callable[[], object]) -> bool:
    """Do it in a child that is killed before its nth write; False: it came to its end."""
    # Else the child would share the link to the server, and say goodbye on it.
    connections.close_all()
    child = os.fork()
    if child == 0:
        try:
            _Killer(number).lie_in_wait()
            work()
            os._exit(0)
        finally:
            # Whatever it was: the test goes on in the parent alone.
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    _child, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the work failed"
    return False


def done_dying(work: Callable[[], object]) -> int:
    """Do it again and again, each time killed one write later, until it comes to its end.

    How often it was killed.
    """
    for number in range(1, MOST):
        if not killed_at(number, work):
            return number - 1
    raise AssertionError(f"it did not end in {MOST} tries")
