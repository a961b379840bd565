"""Checks every decision against history, in the order in which they were made.

Works in chunks of constant size; what is kept between them is one figure for each total.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from django.db.models import Min

from projects.states import Power
from quotas.models import BoundUse, Decision, Transfer, TransferKind

from .proof_amounts import Sums
from .proof_checks import check
from .proof_findings import Finding
from .proof_history import history_of

CHUNK = 500


def verify(
    *, since: datetime | None = None, progress: Callable[[int, int], None] | None = None
) -> Iterator[Finding]:
    """Whatever does not agree; nothing is a clean history.

    since: only decisions from that moment on; what totals had consumed before is then taken
    from the first proof that tells it. progress: called with (checked, of how many).
    """
    decisions = Decision.objects.order_by("pk")
    after = 0
    if since is not None:
        first = decisions.filter(at__gte=since).aggregate(first=Min("pk"))["first"]
        if first is None:
            return
        after = first - 1
    count = decisions.filter(pk__gt=after).count()
    sums, checked = Sums(is_partial=since is not None), 0
    while chunk := list(
        decisions.filter(pk__gt=after).select_related("request", "policy_version__policy")[:CHUNK]
    ):
        history = history_of(chunk)
        for decision in chunk:
            yield from check(decision, history, sums)
        after = chunk[-1].pk
        checked += len(chunk)
        if progress is not None:
            progress(checked, count)
    yield from _totals(sums)
    if since is None:
        yield from _unexplained_transfers()


def _totals(sums: Sums) -> Iterator[Finding]:
    """What is stored as consumed is what the decisions add up to."""
    seen = set()
    rows = BoundUse.objects.filter(power=Power.DECIDE_QUOTA).select_related("bound__delegation")
    for row in rows.iterator(chunk_size=2000):
        key = (row.bound_id, row.period)
        seen.add(key)
        link = row.bound.delegation
        is_carried = link.replaces_id is not None and row.period == 0
        if key not in sums.used and (sums.is_partial or is_carried):
            continue
        expected = sums.used.get(key, 0)
        name = f"consumed of bound {row.bound_id} of D-{link.pk} in period {row.period}"
        if row.used != expected:
            yield Finding(None, name, expected, row.used)
        if row.most != row.bound.total:
            yield Finding(None, f"total of bound {row.bound_id}", row.bound.total, row.most)
    for bound_id, period in sorted(sums.used.keys() - seen):
        expected = sums.used[bound_id, period]
        if expected:
            yield Finding(None, f"consumed of bound {bound_id} in period {period}", expected, None)


def _unexplained_transfers() -> Iterator[Finding]:
    """Nothing was ever granted or lent without a decision."""
    given = (TransferKind.GRANT, TransferKind.LOAN)
    rows = Transfer.objects.filter(kind__in=given, decision_line__isnull=True)
    for pk in rows.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=2000):
        yield Finding(None, f"decision behind transfer {pk}", "one", "none")
