"""What belongs to the lines of some requests, read at once for a page of them.

The quota now, what was granted, whom a line waits for, and how far its delivery is.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from projects.models import in_force
from projects.queries.viewers import live_delegations
from quotas.models import Account, Assignment, DecisionLine, Delivery, QuotaRequest, RequestLine
from quotas.states import LineState, RequestState

from .requests import states_of


class Lines:
    """The lines of `requests` with their surroundings; six queries for any number."""

    def __init__(self, requests: Collection[QuotaRequest], now: datetime) -> None:
        ids = [each.pk for each in requests]
        self.states: dict[int, RequestState] = states_of(requests)
        self._of_request: dict[int, list[RequestLine]] = defaultdict(list)
        for line in RequestLine.objects.filter(request__in=ids).select_related("offering"):
            self._of_request[line.request_id].append(line)
        self._balances = {
            (project_id, offering_id): balance
            for project_id, offering_id, balance in Account.objects.filter(
                project__in={each.project_id for each in requests}
            ).values_list("project", "offering", "balance")
        }
        self._granted: dict[int, int | None] = dict(
            DecisionLine.objects.filter(line__request__in=ids, granted__isnull=False).values_list(
                "line", "granted"
            )
        )
        self._waiting: dict[int, list[Assignment]] = defaultdict(list)
        self._deliveries: dict[int, list[Delivery]] = defaultdict(list)
        self._read_waiting(ids, now)
        self._read_deliveries(ids)

    def of(self, quota_request: QuotaRequest) -> list[RequestLine]:
        return self._of_request[quota_request.pk]

    def balance(self, line: RequestLine) -> int:
        """The project's quota of the line's offering now."""
        return self._balances.get((line.project_id, line.offering_id), 0)

    def granted(self, line: RequestLine) -> int | None:
        """The limit that was granted, None where nothing was."""
        return self._granted.get(line.pk)

    def waiting_for(self, line: RequestLine) -> list[Assignment]:
        """Whom an open line waits for."""
        return self._waiting[line.pk]

    def deliveries(self, line: RequestLine) -> list[Delivery]:
        """What must become true before a granted line counts as applied."""
        return self._deliveries[line.pk]

    def _read_waiting(self, ids: Collection[int], now: datetime) -> None:
        rows = Assignment.objects.filter(
            in_force(now),
            line__request__in=ids,
            line__state=LineState.OPEN,
            delegation__in=live_delegations(now),
        ).select_related("user", "group")
        for each in rows.order_by("pk"):
            self._waiting[each.line_id].append(each)

    def _read_deliveries(self, ids: Collection[int]) -> None:
        rows = Delivery.objects.filter(decision_line__line__request__in=ids).select_related(
            "target__endpoint__state_by", "target__endpoint__identity__state_by", "decision_line"
        )
        for each in rows.order_by("target__endpoint__slug"):
            self._deliveries[each.decision_line.line_id].append(each)
