"""What belongs to the lines of some requests, read at once for a page of them.

The quota now, what was granted, whom a line waits for, and how far its delivery is.
"""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Subquery

from portal.lib.compiled import compiled
from portal.lib.lookups import IsAnyOf
from portal.lib.together import Part, Rows, Values
from projects.models import in_force
from projects.queries.viewers import live_delegations
from quotas.models import Account, Assignment, DecisionLine, Delivery, QuotaRequest, RequestLine
from quotas.states import LineState, RequestState

from .requests import state_from

OF_DELIVERY = (
    "decision_line", "target", "target__endpoint", "target__endpoint__state_by",
    "target__endpoint__identity", "target__endpoint__identity__state_by",
)  # fmt: skip


WHO = ("line", "user__public_id", "user__name", "user__subject", "group__public_id", "group__name")


class Waiter(NamedTuple):
    """A person or a group that an open line waits for."""

    is_person: bool
    public_id: str
    name: str


@dataclass(frozen=True)
class _Found:
    """What belongs to the requests: lines by request, the rest by line."""

    lines: dict[int, list[RequestLine]]
    waiting: dict[int, list[Waiter]]
    deliveries: dict[int, list[Delivery]]


class Lines:
    """The lines of `requests` with their surroundings, asked for when they are first needed.

    One query for any number of requests. `granted` is what was last granted, None where nothing
    was.
    """

    def __init__(self, requests: Collection[QuotaRequest], now: datetime) -> None:
        self._ids = [each.pk for each in requests]
        self._now = now

    def state(self, quota_request: QuotaRequest) -> RequestState:
        """How far a request is: derived from its lines and their deliveries."""
        lines = self.of(quota_request)
        deliveries = [each for line in lines for each in self.deliveries(line)]
        return state_from([line.state for line in lines], deliveries)

    def of(self, quota_request: QuotaRequest) -> list[RequestLine]:
        return self._found.lines[quota_request.pk]

    def balance(self, line: RequestLine) -> int:
        """The project's quota of the line's offering now."""
        found: int | None = line.quota  # type: ignore[attr-defined]  # annotated below
        return 0 if found is None else found

    def granted(self, line: RequestLine) -> int | None:
        """The limit that was granted, None where nothing was."""
        found: int | None = line.given  # type: ignore[attr-defined]  # annotated below
        return found

    def waiting_for(self, line: RequestLine) -> list[Waiter]:
        """Whom an open line waits for."""
        return self._found.waiting[line.pk]

    def deliveries(self, line: RequestLine) -> list[Delivery]:
        """What must become true before a granted line counts as applied."""
        return self._found.deliveries[line.pk]

    @cached_property
    def _found(self) -> _Found:
        found = _Found(defaultdict(list), defaultdict(list), defaultdict(list))
        lines, waiting, deliveries = _around(ids=self._ids, now=self._now)
        for line in lines:
            found.lines[line.request_id].append(line)
        for line_id, person, name, subject, group, group_name in waiting:
            who = Waiter(True, person, name or subject) if person else None
            found.waiting[line_id].append(who or Waiter(False, group, group_name))
        for each in deliveries:
            found.deliveries[each.decision_line.line_id].append(each)
        return found


@compiled
def _around(*, ids: Any, now: Any) -> list[Part]:
    """The lines of these requests, whom they wait for, and their deliveries."""
    account = Account.objects.filter(
        project=OuterRef("project"), offering=OuterRef("offering")
    ).values("balance")
    decided = DecisionLine.objects.filter(line=OuterRef("pk"), granted__isnull=False)
    lines = RequestLine.objects.filter(IsAnyOf(F("request"), ids)).annotate(
        quota=Subquery(account), given=Subquery(decided.order_by("-pk").values("granted")[:1])
    )
    waiting = Assignment.objects.filter(
        in_force(now),
        IsAnyOf(F("line__request"), ids),
        line__state=LineState.OPEN,
        delegation__in=live_delegations(now),
    )
    deliveries = Delivery.objects.filter(IsAnyOf(F("decision_line__line__request"), ids))
    return [
        Rows(lines.order_by("pk"), ["offering"], ["quota", "given"]),
        Values(waiting.order_by("pk"), WHO),
        Rows(deliveries.order_by("target__endpoint__slug", "pk"), OF_DELIVERY),
    ]
