"""For how long does a decision hold what others wait for?

Real approvals on a made site, one after the other, each statement's end and the commit timed: what
a core works on it, of Remit and of the database together, and how long the commit waits for a disk.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.harness.cpu import Cpu

from .ground import HOME, made_site, say
from .results import Found

COUNT, LEAST = 100, 20


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
    with made_site(scale) as addresses:
        import psycopg

        with psycopg.connect(addresses.database_url, autocommit=True) as beside:
            before = _wal(beside)
            times = list(approvals())
            wal_bytes, page_count = (
                (after - at) / len(times) for after, at in zip(_wal(beside), before, strict=True)
            )
    if len(times) < LEAST:
        raise LookupError(f"Too little waits on the {scale} site: delete {HOME} and begin anew.")
    commit = _quiet([each.commit_wall for each in times])
    facts: dict[str, Any] = {
        "scale": scale,
        "count": len(times),
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
        facts[f"{what}_held_ms"] = round(_median(found) + commit, 2) if found else None
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


def approvals() -> Iterator[_Times]:
    """Approve what waits, by whom it waits for; what is refused is left out."""
    from django.db import connection
    from django.utils import timezone

    from portal.lib.errors import DomainError
    from projects.models import User
    from quotas.actions.decide import approve
    from quotas.models import QuotaRequest, RequestLine

    done, cpu = 0, Cpu()
    for request_id, person_id in waiting():
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
        done += 1
        if done > 5:  # the first ones warm caches and connections
            yield times
        if done >= COUNT + 5:
            return


def waiting() -> list[tuple[int, int]]:
    """(request, person) of open requests whose lines all wait for one person.

    Those first whose decisions are counted by a total.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH waits AS (
                SELECT l.request_id, l.id, a.user_id, EXISTS (
                    SELECT FROM quotas_delegationbound b
                    JOIN projects_delegation d ON d.id = a.delegation_id
                    WHERE b.total IS NOT NULL
                    AND COALESCE(b.resource_id, o.resource_id) = o.resource_id
                    AND COALESCE(b.zone_id, o.zone_id) = o.zone_id
                    AND (b.delegation_id = d.id OR b.delegation_id = ANY(d.ancestors))
                ) AS is_counted
                FROM quotas_requestline l JOIN quotas_offering o ON o.id = l.offering_id
                JOIN quotas_assignment a ON a.line_id = l.id AND a.kind = 'decide'
                    AND a.user_id IS NOT NULL AND (a.ends_at IS NULL OR a.ends_at > now())
                WHERE l.state = 'open'
            )
            SELECT request_id, user_id FROM waits
            GROUP BY request_id, user_id
            HAVING count(DISTINCT id) = (
                SELECT count(*) FROM quotas_requestline o WHERE o.request_id = waits.request_id
                AND o.state = 'open')
            ORDER BY bool_or(is_counted) DESC, request_id LIMIT 2000
            """
        )
        return [(request, person) for request, person in cursor.fetchall()]


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
