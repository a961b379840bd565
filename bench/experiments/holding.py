"""For how long does a decision hold what others wait for?

Real approvals on a made site, one after the other, each statement's end and the commit timed: what
a core works on it, of Remit and of the database together, and how long the commit waits for a disk.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from bench.harness.cpu import Cpu
from bench.site.cast import cast
from bench.site.sizes import SCALES

from .ground import ALONE, made_site, say
from .results import Found

# So many are measured, and so many of them are counted by a total.
COUNT, COUNTED = 100, 10
WARM_UP = 5


@dataclass
class _Times:
    """Of one approval, by `Cpu` but for the commit, which waits.

    first: when each kind of lock was had; database: while its statements were carried out.
    """

    began: float
    ended: float = 0.0
    last_wall: float = 0.0
    commit_wall: float = 0.0
    first: dict[str, float] = field(default_factory=dict)
    statement_count: int = 0
    database: float = 0.0

    def held(self, what: str) -> float | None:
        """None: it took no such lock."""
        return self.ended - self.first[what] if what in self.first else None


def run(scale: str) -> Found:
    # What a server writes is counted of the whole of it.
    with made_site(scale, ALONE) as made:
        import psycopg

        decisions = approvals(scale)
        for _each in range(WARM_UP):
            next(decisions)
        with psycopg.connect(made.url, autocommit=True) as beside:
            before = _wal(beside)
            times = list(islice(decisions, COUNT))
            wal_bytes, page_count = (
                (after - at) / len(times) for after, at in zip(_wal(beside), before, strict=True)
            )
    counted = sum("totals" in each.first for each in times)
    if len(times) < COUNT or counted < COUNTED:
        raise LookupError(
            f"{len(times)} approvals, {counted} of them counted by a total, are too few:"
            " take a larger site."
        )
    commit = _quiet([each.commit_wall for each in times])
    facts: dict[str, Any] = {
        "scale": scale,
        "count": len(times),
        "counted": counted,
        "commit_ms": commit,
        "whole_ms": _median([each.ended - each.began for each in times]) + commit,
        "database_ms": _median([each.database for each in times]),
        "statements": statistics.median(each.statement_count for each in times),
        "wal_bytes": round(wal_bytes),
        # Whole pages in it: each is written so once after a checkpoint, whatever changes in it.
        "wal_pages": round(page_count, 1),
    }
    for what in LOCKS:
        found = [held for each in times if (held := each.held(what)) is not None]
        facts[f"{what}_held_ms"] = round(_median(found) + commit, 2)
    rows = [
        ("a whole approval, without its page", round(facts["whole_ms"], 1), None),
        *(
            (words, facts[f"{what}_held_ms"], _a_second(facts[f"{what}_held_ms"]))
            for what, words in LOCKS.items()
        ),
        ("the commit alone, on this disk", commit, None),
    ]
    return Found(["held until the commit is back", "ms", "a second, one after the other"],
                 rows, facts)  # fmt: skip


# What others may wait for, in the order in which it is taken.
LOCKS = {
    "project": "the project",
    "accounts": "the accounts: quota and source (envelope or pool)",
    "totals": "the totals of the chain",
}


def _lock_of(sql: str) -> str | None:
    if 'INTO "quotas_bounduse"' in sql:
        return "totals"
    if "FOR NO KEY UPDATE" not in sql:
        return None
    if 'FROM "projects_project"' in sql:
        return "project"
    return "accounts" if 'FROM "quotas_account"' in sql else None


def approvals(scale: str) -> Iterator[_Times]:
    """Approve what waits on a made site as heads do, those of a total now and then; what is
    refused is left out."""
    from django.db import connection
    from django.utils import timezone

    from portal.lib.errors import DomainError
    from projects.models import User
    from quotas.actions.decide import approve
    from quotas.models import QuotaRequest, RequestLine

    cpu = Cpu()
    for request_id, person_id in waiting(scale):
        lines = list(RequestLine.objects.filter(request=request_id, state="open"))
        quota_request = QuotaRequest.objects.get(pk=request_id)
        times = _Times(cpu.now())
        with connection.execute_wrapper(_watch(times, cpu)):
            try:
                approve(
                    quota_request=quota_request,
                    granted={each.pk: each.wanted for each in lines},
                    seen={each.pk: each.balance_seen for each in lines},
                    version=quota_request.version,
                    actor=User.objects.get(pk=person_id),
                    now=timezone.now(),
                )
            except DomainError as refusal:
                say(f"request {request_id}: {refusal}")
                continue
        times.ended = cpu.now()
        times.commit_wall = time.perf_counter() - times.last_wall
        yield times


def waiting(scale: str) -> list[tuple[int, int]]:
    """(request, head who may approve it) of a made site; each sixth is counted by the hot total,
    for as long as there are any."""
    found = cast(SCALES[scale])
    of_total = set(found.total_requests)
    counted = [(each, found.hot_head) for each in found.total_requests]
    others = [pair for pair in found.approvals if pair[0] not in of_total]
    for place, pair in enumerate(counted):
        others.insert(6 * place, pair)
    return others


def _watch(times: _Times, cpu: Cpu) -> Callable[..., Any]:
    def look(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        began = cpu.now()
        try:
            return execute(sql, params, many, context)
        finally:
            now = cpu.now()
            times.last_wall = time.perf_counter()
            times.database += now - began
            times.statement_count += 1
            what = _lock_of(sql)
            if what is not None:
                times.first.setdefault(what, now)

    return look


def _wal(link: Any) -> tuple[int, int]:
    """(bytes, whole pages) that the server has written."""
    found = link.execute("SELECT wal_bytes::bigint, wal_fpi::bigint FROM pg_stat_wal").fetchone()
    return int(found[0]), int(found[1])


def _quiet(seconds: list[float]) -> float:
    """What a tenth stays below: others work on the machine too, which is none of ours."""
    return round(statistics.quantiles(seconds, n=10)[0] * 1000, 2)


def _median(seconds: list[float]) -> float:
    return round(statistics.median(seconds) * 1000, 2)


def _a_second(held_ms: float | None) -> float | None:
    return None if held_ms is None else round(1000 / held_ms, 1)
