"""Three years of requests, decisions, transfers and events, in the order in which they happened.

A request is decided some days after it was sent; none of a project is sent before the one before
it was decided. So a decision finds the quota that its request saw.
"""

from collections import deque
from collections.abc import Callable

from quotas.models import Comment, QuotaRequest, RequestLine

from . import words
from .asking import Asked, Asking, Outcome, spread
from .copying import NULL, Sheets
from .decisions import Decisions
from .numbers import mixed
from .record import Record
from .routing import Routing
from .waits import WaitingClock

STATES = {
    Outcome.GRANTED: "granted", Outcome.IN_PART: "granted", Outcome.DECLINED: "declined",
    Outcome.WITHDRAWN: "withdrawn", Outcome.OPEN: "open",
}  # fmt: skip
SAID = ("commented", "reminded", "nudged")
PROGRESS = 50_000


class Misfit(ValueError):
    """The sizes of a site contradict each other; the words say which."""


class Story:
    """Writes it, request by request."""

    def __init__(
        self, sheets: Sheets, record: Record, asking: Asking, decisions: Decisions,
        clock: WaitingClock,
    ) -> None:  # fmt: skip
        self.record, self.asking, self.decisions, self.clock = record, asking, decisions, clock
        self.scale, self.times = asking.scale, asking.times
        self.routing = Routing(sheets, decisions.deciding, asking.times)
        self.comment_count = 0
        self.nudged: dict[int, str] = {}
        self.requests = sheets.of(
            QuotaRequest, "id", "project_id", "requester_id", "reason", "until_on", "created_at",
            "submitted_at", "updated_at", "nudged_at", "version",
        )  # fmt: skip
        self.lines = sheets.of(
            RequestLine, "id", "request_id", "project_id", "offering_id", "wanted", "balance_seen",
            "state", "waits_since", "remind_at", "escalate_at",
        )  # fmt: skip
        self.comments = sheets.of(Comment, "id", "request_id", "author_id", "text", "at")

    def tell(self, progress: Callable[[int], None]) -> None:
        moves, zones = self.decisions.moves, self.asking.zones_granted()
        fundings = self.scale.transfers - moves.count - 2 * zones
        # Each is sent and, but for the open ones, ended; a zone is applied by a service of its own.
        own = self.scale.requests + self.scale.decided + zones
        others = self.scale.events - self.record.count - own - fundings
        if fundings < 0 or others < 0 or self.scale.open < self.times.in_flight:
            raise Misfit(
                f"The sizes of {self.scale.name} do not fit: {max(0, -fundings):,} transfers and "
                f"{max(0, -others):,} events too few, or less than {self.times.in_flight:,} open."
            )
        flying: deque[Asked] = deque()
        waiting: list[Asked] = []
        for request, fund_count, said_count in zip(
            range(1, self.scale.requests + 1), spread(fundings, self.scale.requests),
            spread(others, self.scale.requests), strict=True,
        ):  # fmt: skip
            stamp = f"{self.times.moment(self.times.second(request)):%Y-%m-%d %H:%M:%S}"
            asked = self.asking.ask(request, f"{stamp}+00")
            self._submitted(asked)
            (waiting if asked.outcome == Outcome.OPEN else flying).append(asked)
            if said_count and (found := flying or waiting):
                self._said(found[0], stamp, said_count)
            if flying and flying[0].pk + self.times.in_flight <= request:
                self._end(flying.popleft(), asked.second, stamp)
            for _ in range(fund_count):
                moves.fund_next(f"{stamp}.9+00")
            if request % PROGRESS == 0:
                progress(request)
        for asked in waiting:
            self._open(asked)

    def _submitted(self, asked: Asked) -> None:
        slugs = self.decisions.deciding.slugs
        wanted = ",".join([f'"{slugs[each.offering]}":{each.wanted}' for each in asked.lines])
        self.record.add(
            "submitted", asked.at, actor=asked.requester, project=asked.project,
            kind="request", subject=asked.pk, data=f'{{"wanted":{{{wanted}}}}}',
        )  # fmt: skip

    def _said(self, asked: Asked, stamp: str, count: int) -> None:
        """What people and the clock do about a request while it waits."""
        for number in range(count):
            at = f"{stamp}.{number + 1:02d}+00"
            verb = SAID[(asked.pk + number) % len(SAID)]
            actor = None if verb == "reminded" else asked.requester
            data = ""
            if verb == "commented":
                self.comment_count += 1
                text = words.remark(mixed(self.comment_count))
                self.comments.line(f"{self.comment_count}\t{asked.pk}\t{actor}\t{text}\t{at}")
            elif verb == "nudged":
                self.nudged[asked.pk] = at
            elif verb == "reminded":
                data = '"lines":[' + ",".join([str(each.pk) for each in asked.lines]) + "]"
            self.record.add(
                verb, at, actor=actor, project=asked.project, kind="request", subject=asked.pk,
                data=f"{{{data}}}",
            )  # fmt: skip

    def _end(self, asked: Asked, second: int, stamp: str) -> None:
        at = f"{stamp}.5+00"
        self._request(asked, at)
        state = STATES[asked.outcome]
        for each in asked.lines:
            self.lines.line(
                f"{each.pk}\t{asked.pk}\t{asked.project}\t{each.offering}\t{each.wanted}\t"
                f"{each.before}\t{state}\t{NULL}\t{NULL}\t{NULL}"
            )
        if asked.outcome == Outcome.WITHDRAWN:
            ids = ",".join([str(each.pk) for each in asked.lines])
            self.record.add(
                "withdrew", at, actor=asked.requester, project=asked.project,
                kind="request", subject=asked.pk, data=f'{{"lines":[{ids}]}}',
            )  # fmt: skip
        else:
            self.decisions.decide(asked, second, stamp)

    def _request(self, asked: Asked, updated: str) -> None:
        until = self.clock.last_day(asked.pk) if asked.is_lent else NULL
        nudged = self.nudged.pop(asked.pk, NULL)
        self.requests.line(
            f"{asked.pk}\t{asked.project}\t{asked.requester}\t"
            f"{words.reason(mixed(asked.pk))}\t{until}\t{asked.at}\t{asked.at}\t{updated}\t"
            f"{nudged}\t{1 if asked.outcome == Outcome.OPEN else 2}"
        )

    def _open(self, asked: Asked) -> None:
        self._request(asked, asked.at)
        remind, escalate = self.clock.waits(self.times.moment(asked.second))
        for each in asked.lines:
            self.lines.line(
                f"{each.pk}\t{asked.pk}\t{asked.project}\t{each.offering}\t{each.wanted}\t"
                f"{each.before}\topen\t{asked.at}\t{remind}\t{escalate}"
            )
        self.routing.route(asked)
