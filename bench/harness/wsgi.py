"""What gunicorn serves while it is measured: Remit, and the floors under /floor/, beside it.

Each answer says in headers what it cost: CPU of its thread here, CPU of the PostgreSQL process that
worked for it, and statements where `X-Bench-Count` asks for them. `portal.wsgi` does all the rest,
as in production.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection

from bench.floors.handler import PREFIX, FloorHandler
from portal.testing.statements import is_counted
from portal.wsgi import application as remit

from . import cpu

floors = FloorHandler()
Serve = Callable[..., Iterable[bytes]]
StartResponse = Callable[..., Any]


def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
    """One call, and what it took. CPU is of the thread, so that others at work do not add to it."""
    serves: Serve = floors if environ["PATH_INFO"].startswith(PREFIX) else remit
    said: list[Any] = []
    statements: list[str] = []

    def hear(status: str, headers: list[tuple[str, str]], *rest: Any) -> None:
        said[:] = [status, headers]

    def note(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if is_counted(sql):
            statements.append(sql)
        return execute(sql, *rest)

    backend, began = cpu.backend(), time.thread_time()
    if "HTTP_X_BENCH_COUNT" in environ:
        with connection.execute_wrapper(note):
            body = _read(serves(environ, hear))
    else:
        body = _read(serves(environ, hear))
    spent = time.thread_time() - began
    status, headers = said
    costs = [("X-Bench-Cpu-Ms", f"{spent * 1000:.3f}"), ("X-Bench-Queries", str(len(statements)))]
    if (worked := _spent_since(backend)) is not None:
        costs.append(("X-Bench-Backend-Ms", f"{worked * 1000:.3f}"))
    start_response(status, [*headers, *costs])
    return [body]


def _spent_since(before: tuple[int, float] | None) -> float | None:
    """Seconds of the connection's PostgreSQL process; all of one that was begun meanwhile."""
    after = cpu.backend()
    if after is None:
        return None
    is_same = before is not None and before[0] == after[0]
    return after[1] - before[1] if is_same and before is not None else after[1]


def _read(answer: Any) -> bytes:
    """All of it, and what is done at its end."""
    try:
        return b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
