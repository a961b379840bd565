"""Acts of several processes that begin together, and on what clock they were done."""

import multiprocessing
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_SECONDS = 600


@dataclass(frozen=True)
class Together:
    """seconds: from the first one's beginning to the last one's end; cpu_seconds: of all of them in
    between; told: what each returned, in the order of their ends."""

    seconds: float
    cpu_seconds: float
    told: list[Any]


def at_once(prepare: Sequence[Callable[[], Callable[[], Any]]]) -> Together:
    """A process for each of these, which gets ready and returns its act; then all act at once."""
    context = multiprocessing.get_context("fork")
    start, told = context.Barrier(len(prepare)), context.Queue()

    def run(get_ready: Callable[[], Callable[[], Any]]) -> None:
        act = get_ready()
        start.wait()
        began, cpu = time.monotonic(), _cpu_seconds()
        said = act()
        told.put((began, time.monotonic(), _cpu_seconds() - cpu, said))

    children = [context.Process(target=run, args=(each,), daemon=True) for each in prepare]
    for child in children:
        child.start()
    rows = [told.get(timeout=LONGEST_SECONDS) for _child in children]
    for child in children:
        child.join()
    return Together(
        seconds=max(row[1] for row in rows) - min(row[0] for row in rows),
        cpu_seconds=sum(row[2] for row in rows),
        told=[row[3] for row in rows],
    )


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
