"""Connections to the database that workers keep from task to task, as web processes do.

Celery closes them before and after each task. A new one costs a process of PostgreSQL, which
learns all tables anew: more than what most tasks do with it.
"""

from typing import Any

from celery import Celery
from celery.fixups import django as celerys

# The stubs know neither class as it is.
_Fixup: Any = celerys.DjangoFixup
_WorkerFixup: Any = celerys.DjangoWorkerFixup  # type: ignore[attr-defined]  # as above


class KeptConnections(_WorkerFixup):
    """Closes a connection between tasks where Django would between requests: it is too old, or
    something went wrong with it.

    Elsewhere, as before a worker forks and in a beat of its own process, all are closed as ever:
    two processes must not share one.
    """

    def on_task_prerun(self, sender: Any, **_kwargs: Any) -> None:
        if not getattr(sender.request, "is_eager", False):
            self.close_unfit()

    def on_task_postrun(self, sender: Any, **_kwargs: Any) -> None:
        if not getattr(sender.request, "is_eager", False):
            self.close_unfit()
            self.close_cache()

    def close_unfit(self) -> None:
        for connection in self._db.connections.all(initialized_only=True):
            connection.close_if_unusable_or_obsolete()


class Fixup(_Fixup):
    """Celery's own, but for the connections."""

    _worker_fixup: Any

    @property
    def worker_fixup(self) -> Any:
        if self._worker_fixup is None:
            self._worker_fixup = KeptConnections(self.app)
        return self._worker_fixup

    @worker_fixup.setter
    def worker_fixup(self, value: Any) -> None:
        self._worker_fixup = value


def fixup(app: Celery) -> Any:
    """The fixup, installed: what Celery is told the name of."""
    return Fixup(app).install()
