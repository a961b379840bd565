"""Checks every decision, and what people did to envelopes and projects, in the order of it.

Works in chunks of constant size; what is kept between them is one figure for each total.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TypeVar

from django.db.models import Min, Model, QuerySet

from projects.models import ProjectAct
from projects.states import DRAWING_ANEW, Power, ProjectActKind
from quotas.models import BoundUse, Decision, EnvelopeAct, Transfer, TransferKind

from .proof_amounts import Sums
from .proof_checks import check
from .proof_findings import Finding
from .proof_funding import acts_of_people, check_act
from .proof_history import history_of
from .proof_projects import check_life, lives_of
from .proof_returns import check_returns

CHUNK = 500
Row = TypeVar("Row", bound=Model)


def verify(
    *, since: datetime | None = None, progress: Callable[[int, int], None] | None = None
) -> Iterator[Finding]:
    """Whatever does not agree; nothing is a clean history.

    since: only what was done from that moment on; what totals had consumed before is then taken
    from the first proof that tells it. progress: called with (checked, of how many).
    """
    decisions = _from(Decision.objects.select_related("request", "policy_version__policy"), since)
    # By command an envelope changes on nobody's authority.
    acts = _from(
        EnvelopeAct.objects.filter(delegation__isnull=False).select_related(
            "delegation", "offering"
        ),
        since,
    )
    # What owners and the calendar do takes no authority; what opens a project is a decision.
    lives = _from(
        ProjectAct.objects.filter(delegation__isnull=False)
        .exclude(kind=ProjectActKind.OPEN)
        .select_related("delegation", "project"),
        since,
    )
    tell = _Teller(decisions.count() + acts.count() + lives.count(), progress)
    sums = Sums(is_partial=since is not None)
    for chunk in _chunks(decisions):
        history = history_of(chunk)
        for decision in chunk:
            yield from check(decision, history, sums)
        tell.more(len(chunk))
    yield from _totals(sums, Power.DECIDE_QUOTA)
    sums = Sums(is_partial=since is not None)
    for some in _chunks(acts):
        known = acts_of_people(some)
        for act in some:
            yield from check_act(act, known, sums)
        tell.more(len(some))
    yield from _totals(sums, Power.MANAGE_ENVELOPES)
    for part in _chunks(lives):
        known_lives = lives_of(part)
        for life in part:
            yield from check_life(life, known_lives)
        tell.more(len(part))
    if since is None:
        yield from check_returns()
        yield from _unexplained_transfers()


class _Teller:
    """Says how far it is."""

    def __init__(self, count: int, progress: Callable[[int, int], None] | None) -> None:
        self.count, self.checked, self.progress = count, 0, progress

    def more(self, number: int) -> None:
        self.checked += number
        if self.progress is not None:
            self.progress(self.checked, self.count)


def _from(rows: QuerySet[Row], since: datetime | None) -> QuerySet[Row]:
    """By id; from the first one on that was made since then."""
    ordered = rows.order_by("pk")
    if since is None:
        return ordered
    first = rows.filter(at__gte=since).aggregate(first=Min("pk"))["first"]
    return ordered.none() if first is None else ordered.filter(pk__gte=first)


def _chunks(rows: QuerySet[Row]) -> Iterator[list[Row]]:
    after = 0
    while chunk := list(rows.filter(pk__gt=after)[:CHUNK]):
        yield chunk
        after = chunk[-1].pk


def _totals(sums: Sums, power: Power) -> Iterator[Finding]:
    """What is stored as consumed is what was given adds up to."""
    seen = set()
    rows = BoundUse.objects.filter(power=power).select_related("bound__delegation")
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
    """Nothing was ever granted or lent without a decision, or an act that draws it anew.

    Or that took it over from a cloud: by the operators' command, on nobody's authority.
    """
    given = (TransferKind.GRANT, TransferKind.LOAN)
    rows = Transfer.objects.filter(kind__in=given, decision_line__isnull=True)
    rows = rows.exclude(project_act__kind__in=(*DRAWING_ANEW, ProjectActKind.IMPORT))
    for pk in rows.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=2000):
        yield Finding(None, f"decision behind transfer {pk}", "one", "none")
