"""What belongs to the lines of some requests, read at once for a page of them.

The quota now, what was granted, whom a line waits for, and how far its delivery is.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from functools import cached_property

from django.db.models import OuterRef, Subquery

from portal.lib.together import Rows, together
from projects.models import in_force
from projects.queries.viewers import live_delegations
from quotas.models import Account, Assignment, DecisionLine, Delivery, QuotaRequest, RequestLine
from quotas.states import LineState, RequestState

from .requests import state_from

OF_DELIVERY = (
    "decision_line", "target", "target__endpoint", "target__endpoint__state_by",
    "target__endpoint__identity", "target__endpoint__identity__state_by",
)  # fmt: skip


class Lines:
    """The lines of `requests` with their surroundings, each asked for when it is first needed.

    Three queries for any number of requests: the lines with their figures, whom they wait for,
    and their deliveries. `granted` is what was last granted, None where nothing was.
    """

    def __init__(self, requests: Collection[QuotaRequest], now: datetime) -> None:
        self._ids = [each.pk for each in requests]
        self._now = now

    def state(self, quota_request: QuotaRequest) -> RequestState:
        """How far a request is: derived from its lines and their deliveries."""
        lines = self.of(quota_request)
        deliveries = [each for line in lines for each in self._deliveries[line.pk]]
        return state_from([line.state for line in lines], deliveries)

    def of(self, quota_request: QuotaRequest) -> list[RequestLine]:
        return self._of_request[quota_request.pk]

    def balance(self, line: RequestLine) -> int:
        """The project's quota of the line's offering now."""
        found: int | None = line.quota  # type: ignore[attr-defined]  # annotated below
        return 0 if found is None else found

    def granted(self, line: RequestLine) -> int | None:
        """The limit that was granted, None where nothing was."""
        found: int | None = line.given  # type: ignore[attr-defined]  # annotated below
        return found

    def waiting_for(self, line: RequestLine) -> list[Assignment]:
        """Whom an open line waits for."""
        return self._waiting[line.pk]

    def deliveries(self, line: RequestLine) -> list[Delivery]:
        """What must become true before a granted line counts as applied."""
        return self._deliveries[line.pk]

    @cached_property
    def _of_request(self) -> dict[int, list[RequestLine]]:
        account = Account.objects.filter(
            project=OuterRef("project"), offering=OuterRef("offering")
        ).values("balance")
        decided = DecisionLine.objects.filter(line=OuterRef("pk"), granted__isnull=False)
        rows = RequestLine.objects.filter(request__in=self._ids).select_related("offering")
        rows = rows.annotate(
            quota=Subquery(account), given=Subquery(decided.order_by("-pk").values("granted")[:1])
        )
        found: dict[int, list[RequestLine]] = defaultdict(list)
        for line in rows:
            found[line.request_id].append(line)
        return found

    @cached_property
    def _waiting(self) -> dict[int, list[Assignment]]:
        found: dict[int, list[Assignment]] = defaultdict(list)
        for each in self._around[0]:
            found[each.line_id].append(each)
        return found

    @cached_property
    def _deliveries(self) -> dict[int, list[Delivery]]:
        found: dict[int, list[Delivery]] = defaultdict(list)
        for each in self._around[1]:
            found[each.decision_line.line_id].append(each)
        return found

    @cached_property
    def _around(self) -> tuple[list[Assignment], list[Delivery]]:
        waiting = Assignment.objects.filter(
            in_force(self._now),
            line__request__in=self._ids,
            line__state=LineState.OPEN,
            delegation__in=live_delegations(self._now),
        )
        deliveries = Delivery.objects.filter(decision_line__line__request__in=self._ids)
        found = together(
            Rows(waiting.order_by("pk"), ["user", "group"]),
            Rows(deliveries.order_by("target__endpoint__slug", "pk"), OF_DELIVERY),
        )
        return found[0], found[1]
