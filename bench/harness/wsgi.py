"""What gunicorn serves while it is measured: Remit, and the floors under /floor/, beside it.

Each answer says what it cost this process, in headers: CPU time of its thread, and statements
where `X-Bench-Count` asks for them. `portal.wsgi` does all the rest, as in production.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from django.db import connection

from bench.floors.handler import PREFIX, FloorHandler
from portal.testing.statements import is_counted
from portal.wsgi import application as remit

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

    began = time.thread_time()
    if "HTTP_X_BENCH_COUNT" in environ:
        with connection.execute_wrapper(note):
            body = _read(serves(environ, hear))
    else:
        body = _read(serves(environ, hear))
    spent = time.thread_time() - began
    status, headers = said
    start_response(
        status,
        [*headers, ("X-Bench-Cpu-Ms", f"{spent * 1000:.3f}"),
         ("X-Bench-Queries", str(len(statements)))],
    )  # fmt: skip
    return [body]


def _read(answer: Any) -> bytes:
    """All of it, and what is done at its end."""
    try:
        return b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
