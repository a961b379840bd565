"""How gunicorn serves Remit; each value can be overridden by GUNICORN_CMD_ARGS."""

import gc

from portal.lib import env

bind = f"127.0.0.1:{env.integer('PORT', 8000, low=1, high=65_535)}"
workers = env.integer("WEB_PROCESSES", 2, low=1, high=64)
threads = env.integer("WEB_THREADS", 4, low=1, high=64)
# Before the fork: one refusal when the settings are wrong, not one a worker for ever.
preload_app = True
# Nothing that a person waits for takes this long; a stuck worker is replaced.
timeout = 60
graceful_timeout = 20
# portal.middleware.RequestLogMiddleware writes the access log.
accesslog = None
# A memory file system: the heartbeat file must not wait for a disk.
worker_tmp_dir = "/dev/shm"  # noqa: S108 gunicorn advises it
# Nobody steers it by a socket, and two sites of one user would share it.
control_socket_disable = True
# New objects between two looks of the collector at them; looks at the young between two at the
# older, and of those between two at all. A page's objects go as they are let go of: with Python's
# own 700 it was searched for cycles up to nine times. More than this saves no time, keeps memory.
COLLECTED_AFTER = (3_000, 10, 5)


def when_ready(server: object) -> None:
    """Before the fork: what is loaded stays, and no collection of a worker looks at it again.

    A look writes into each object, and so makes a copy of its page for the worker alone.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTED_AFTER)
