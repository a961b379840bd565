"""Three years of requests, decisions, transfers and events, in the order in which they happened.

A request is decided some days after it was sent; none of a project is sent before the one before
it was decided. So a decision finds the quota that its request saw.
"""

from collections import deque
from collections.abc import Callable

from quotas.models import (
    Comment,
    Decision,
    DecisionLine,
    Delivery,
    EnvelopeAct,
    Loan,
    QuotaRequest,
    RequestLine,
    Transfer,
)

from . import words
from .asking import Asked, Asking, Outcome, spread
from .balances import FUNDED_MORE, Balances, Net, base_amount
from .copying import NULL, Sheets
from .deciding import Deciding, Mandate
from .numbers import Numbers, endpoint_of, mixed, pool_of, target_of
from .places import endpoint_slug
from .record import Record
from .routing import Routing
from .sizes import OFFERINGS
from .times import Times
from .waits import WaitingClock

STATES = {
    Outcome.GRANTED: "granted", Outcome.IN_PART: "granted", Outcome.DECLINED: "declined",
    Outcome.WITHDRAWN: "withdrawn", Outcome.OPEN: "open",
}  # fmt: skip
SAID = ("commented", "reminded", "nudged")
PROGRESS = 50_000
REFUSAL = "Not this quarter: the zone is promised to others; ask again in spring, s'il vous plaît."


class Story:
    """Writes it, request by request."""

    def __init__(
        self, sheets: Sheets, record: Record, numbers: Numbers, times: Times, balances: Balances,
        deciding: Deciding, asking: Asking,
    ) -> None:  # fmt: skip
        self.record, self.numbers, self.times, self.balances = record, numbers, times, balances
        self.deciding, self.asking, self.scale = deciding, asking, numbers.scale
        self.routing = Routing(sheets, deciding, times)
        self.clock = WaitingClock()
        self.generations: dict[int, int] = {}
        self.transfer_count = self.decision_count = self.granted_count = 0
        self.act_count = self.comment_count = self.loan_count = 0
        self.nudged: dict[int, str] = {}
        self.requests = sheets.of(
            QuotaRequest, "id", "project_id", "requester_id", "reason", "until_on", "created_at",
            "submitted_at", "updated_at", "nudged_at", "version",
        )  # fmt: skip
        self.lines = sheets.of(
            RequestLine, "id", "request_id", "project_id", "offering_id", "wanted", "balance_seen",
            "state", "waits_since", "remind_at", "escalate_at",
        )  # fmt: skip
        self.decisions = sheets.of(
            Decision,
            "id",
            "request_id",
            "kind",
            "actor_id",
            "person_id",
            "reason",
            "snapshot",
            "at",
        )
        self.decision_lines = sheets.of(
            DecisionLine, "id", "decision_id", "line_id", "delegation_id", "source_id", "before",
            "granted",
        )  # fmt: skip
        self.deliveries = sheets.of(
            Delivery, "decision_line_id", "target_id", "generation", "applied_at"
        )
        self.transfers = sheets.of(
            Transfer, "id", "offering_id", "debit_id", "credit_id", "amount", "kind",
            "decision_line_id", "envelope_act_id", "actor_id", "at",
        )  # fmt: skip
        self.acts = sheets.of(
            EnvelopeAct, "id", "kind", "unit_id", "offering_id", "amount", "actor_id", "at"
        )
        self.comments = sheets.of(Comment, "id", "request_id", "author_id", "text", "at")
        self.loans = sheets.of(
            Loan, "account_id", "source_id", "transfer_id", "amount", "outstanding", "ends_at"
        )
        noticed = self.scale.requests * self.scale.noticed_percent // 100
        self.noticed_from = self.scale.decided - noticed

    def tell(self, progress: Callable[[int], None]) -> None:
        zones = self.asking.zones_granted()
        fundings = self.scale.transfers - self.transfer_count - 2 * zones
        # Each is sent and, but for the open ones, ended; a zone is applied by a service of its own.
        own = self.scale.requests + self.scale.decided + zones
        others = self.scale.events - self.record.count - own - fundings
        if fundings < 0 or others < 0 or self.scale.open < self.times.in_flight:
            raise ValueError(f"the sizes of {self.scale.name} do not fit: {fundings}, {others}")
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
                self._funded(f"{stamp}.9+00")
            if request % PROGRESS == 0:
                progress(request)
        for asked in waiting:
            self._open(asked)

    def _submitted(self, asked: Asked) -> None:
        slugs = self.deciding.slugs
        wanted = ",".join([f'"{slugs[each.offering]}":{each.wanted}' for each in asked.lines])
        self.record.add(
            "submitted", asked.at, actor=self._requester(asked), project=asked.project,
            kind="request", subject=asked.pk, data=f'{{"wanted":{{{wanted}}}}}',
        )  # fmt: skip

    def _requester(self, asked: Asked) -> int:
        if asked.pk % 3:
            return self.numbers.owner(asked.project)
        return self.numbers.manager(asked.project)

    def _said(self, asked: Asked, stamp: str, count: int) -> None:
        """What people and the clock do about a request while it waits."""
        for number in range(count):
            at = f"{stamp}.{number + 1:02d}+00"
            verb = SAID[(asked.pk + number) % len(SAID)]
            actor = None if verb == "reminded" else self._requester(asked)
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
                "withdrew", at, actor=self._requester(asked), project=asked.project,
                kind="request", subject=asked.pk, data=f'{{"lines":[{ids}]}}',
            )  # fmt: skip
        else:
            self._decide(asked, second, stamp, at)

    def _request(self, asked: Asked, updated: str) -> None:
        until = self.clock.last_day(self.times.now, asked.pk) if asked.is_lent else NULL
        nudged = self.nudged.pop(asked.pk, NULL)
        self.requests.line(
            f"{asked.pk}\t{asked.project}\t{self._requester(asked)}\t"
            f"{words.reason(mixed(asked.pk))}\t{until}\t{asked.at}\t{asked.at}\t{updated}\t"
            f"{nudged}\t{1 if asked.outcome == Outcome.OPEN else 2}"
        )

    def _decide(self, asked: Asked, second: int, stamp: str, at: str) -> None:
        deciding = self.deciding
        mandate = deciding.decider(asked, second)
        self.decision_count += 1
        pk, place = self.decision_count, asked.pk % len(mandate.people)
        person = mandate.people[place]
        is_granted = asked.outcome != Outcome.DECLINED
        if is_granted:
            proofs = self._grant(asked, mandate, person, second, at)
        else:
            proofs = self._refuse(asked, mandate)
        kind, reason = ("approve", "") if is_granted else ("decline", REFUSAL)
        snapshot = deciding.proof(asked, mandate, place, proofs)
        self.decisions.line(
            f"{pk}\t{asked.pk}\t{kind}\t{person}\t{person}\t{reason}\t{snapshot}\t{at}"
        )
        ids = ",".join([str(each.pk) for each in asked.lines])
        event = self.record.add(
            "approved" if is_granted else "declined", at, actor=person, project=asked.project,
            kind="request", subject=asked.pk, data=f'{{"decision":{pk},"lines":[{ids}]}}',
        )  # fmt: skip
        if asked.pk > self.noticed_from:
            self.record.tell(event, self._requester(asked), "decided", at, asked.pk % 4 != 0)
        if is_granted:
            self._delivered(asked, f"{stamp}.8+00")

    def _refuse(self, asked: Asked, mandate: Mandate) -> list[str]:
        link, found = mandate.link.pk, []
        for each in asked.lines:
            self.granted_count += 1
            self.decision_lines.line(
                f"{self.granted_count}\t{self.decision_count}\t{each.pk}\t{link}"
                f"\t{NULL}\t{NULL}\t{NULL}"
            )
            found.append(
                f'{{"line":{each.pk},"offering":"{self.deciding.slugs[each.offering]}",'
                f'"wanted":{each.wanted},"delegation":{link},"balance":null,"granted":null,'
                '"source":null,"bounds":[]}'
            )
        return found

    def _grant(
        self, asked: Asked, mandate: Mandate, person: int, second: int, at: str
    ) -> list[str]:
        deciding, balances, link = self.deciding, self.balances, mandate.link
        paying, found = self.numbers.paying(asked.unit), []
        for line in asked.lines:
            self.granted_count += 1
            granted = deciding.granted(asked, line)
            change = granted - line.before
            source = self.numbers.envelope(paying, line.offering)
            bounds = deciding.consumption(mandate, line, change, second)
            found.append(
                f'{{"line":{line.pk},"offering":"{deciding.slugs[line.offering]}",'
                f'"wanted":{line.wanted},"delegation":{link.pk},"balance":{line.before},'
                f'"granted":{granted},"source":{{"account":{source},"holder":"unit",'
                f'"unit":{paying},"balance":{balances.of[source]}}},"bounds":[{bounds}]}}'
            )
            self.decision_lines.line(
                f"{self.granted_count}\t{self.decision_count}\t{line.pk}\t{link.pk}\t{source}\t"
                f"{line.before}\t{granted}"
            )
            self._move(asked, line.offering, line.account, source, change, person, at)
            balances.note(line.account, Net(second, change, link.level, link.pk))
        return found

    def _move(
        self, asked: Asked, offering: int, account: int, source: int, change: int, person: int,
        at: str,
    ) -> None:  # fmt: skip
        """What a line's decision moves, and the loan that it opens."""
        if change > 0:
            kind, debit, credit = ("loan" if asked.is_lent else "grant"), source, account
        else:
            kind, debit, credit = "return", account, source
        self.transfer_count += 1
        self.balances.move(debit, credit, abs(change))
        self.transfers.line(
            f"{self.transfer_count}\t{offering}\t{debit}\t{credit}\t{abs(change)}\t{kind}\t"
            f"{self.granted_count}\t{NULL}\t{person}\t{at}"
        )
        if kind == "loan":
            ends = self.clock.end(self.times.now, asked.pk)
            self.loans.line(
                f"{account}\t{source}\t{self.transfer_count}\t{change}\t{change}\t{ends}"
            )

    def _delivered(self, asked: Asked, at: str) -> None:
        """Each target's generation rose by one; the newest lines are the last that were written."""
        first, raised = self.granted_count - len(asked.lines), {}
        for number, line in enumerate(asked.lines, 1):
            endpoint = endpoint_of(line.offering)
            target = target_of(asked.project, endpoint)
            if target not in raised:
                raised[target] = endpoint
                self.generations[target] = self.generations.get(target, 1) + 1
            self.deliveries.line(f"{first + number}\t{target}\t{self.generations[target]}\t{at}")
        for target, endpoint in raised.items():
            self.record.add(
                "applied", at, project=asked.project, kind="target", subject=target,
                data=f'{{"endpoint":"{endpoint_slug(endpoint)}",'
                f'"generation":{self.generations[target]}}}',
            )  # fmt: skip

    def _funded(self, at: str) -> None:
        """An envelope gets more, in turn."""
        units = self.numbers.units_with_envelopes
        turn, offering = divmod(self.act_count, OFFERINGS)
        self.fund(units[turn % len(units)], offering + 1, FUNDED_MORE, at)

    def fund(self, unit: int, offering: int, bases: int, at: str) -> None:
        """By the operators' command."""
        self.act_count += 1
        self.transfer_count += 1
        amount, pk = base_amount(offering, bases), self.act_count
        pool, envelope = pool_of(offering), self.numbers.envelope(unit, offering)
        self.balances.move(pool, envelope, amount)
        self.acts.line(f"{pk}\tfund\t{unit}\t{offering}\t{amount}\t{NULL}\t{at}")
        self.transfers.line(
            f"{self.transfer_count}\t{offering}\t{pool}\t{envelope}\t{amount}\tfund\t{NULL}\t{pk}"
            f"\t{NULL}\t{at}"
        )
        self.record.add(
            "funded", at, unit=unit, kind="envelope_act", subject=pk,
            data=f'{{"offering":"{self.deciding.slugs[offering]}","amount":{amount}}}',
        )  # fmt: skip

    def issue(self, offering: int, bases: int, at: str) -> None:
        self.transfer_count += 1
        amount = base_amount(offering, bases)
        self.balances.move(offering, pool_of(offering), amount)
        self.transfers.line(
            f"{self.transfer_count}\t{offering}\t{offering}\t{pool_of(offering)}\t{amount}\tissue"
            f"\t{NULL}\t{NULL}\t{NULL}\t{at}"
        )
        self.record.add(
            "issued", at, kind="transfer", subject=self.transfer_count,
            data=f'{{"offering":"{self.deciding.slugs[offering]}","amount":{amount}}}',
        )  # fmt: skip

    def _open(self, asked: Asked) -> None:
        self._request(asked, asked.at)
        remind, escalate = self.clock.waits(self.times.moment(asked.second))
        for each in asked.lines:
            self.lines.line(
                f"{each.pk}\t{asked.pk}\t{asked.project}\t{each.offering}\t{each.wanted}\t"
                f"{each.before}\topen\t{asked.at}\t{remind}\t{escalate}"
            )
        self.routing.route(asked)
