"""What a decision leaves behind: itself with its proof, its lines, and what was delivered by it."""

from quotas.models import Decision, DecisionLine, Delivery

from .asking import Asked, Outcome
from .balances import Net
from .copying import NULL, Sheets
from .deciding import Deciding, Mandate
from .moves import Moves
from .numbers import endpoint_of, target_of
from .places import endpoint_slug
from .record import Record
from .sizes import ENDPOINTS

REFUSAL = "Not this quarter: the zone is promised to others; ask again in spring, s'il vous plaît."
ENDPOINT_SLUGS = {each: endpoint_slug(each) for each in range(1, ENDPOINTS + 1)}


class Decisions:
    """Decisions in their order. generations: {target: how often it was changed, from 1}."""

    def __init__(self, sheets: Sheets, record: Record, deciding: Deciding, moves: Moves) -> None:
        self.record, self.deciding, self.moves = record, deciding, moves
        self.numbers, self.balances = deciding.numbers, deciding.balances
        self.count = self.line_count = 0
        self.generations: dict[int, int] = {}
        # Of earlier ones nobody has a notice any more.
        scale = self.numbers.scale
        self.noticed_from = scale.decided - scale.requests * scale.noticed_percent // 100
        self.decisions = sheets.of(
            Decision, "id", "request_id", "kind", "actor_id", "person_id", "reason", "snapshot",
            "at",
        )  # fmt: skip
        self.lines = sheets.of(
            DecisionLine, "id", "decision_id", "line_id", "delegation_id", "source_id", "before",
            "granted",
        )  # fmt: skip
        self.deliveries = sheets.of(
            Delivery, "decision_line_id", "target_id", "generation", "applied_at"
        )

    def decide(self, asked: Asked, second: int, stamp: str) -> None:
        """stamp: the moment, in whole seconds, as COPY reads it."""
        at, deciding = f"{stamp}.5+00", self.deciding
        mandate = deciding.decider(asked, second)
        self.count += 1
        pk, place = self.count, asked.pk % len(mandate.people)
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
            self.record.tell(event, asked.requester, "decided", at, asked.pk % 4 != 0)
        if is_granted:
            self._delivered(asked, f"{stamp}.8+00")

    def _refuse(self, asked: Asked, mandate: Mandate) -> list[str]:
        link, found = mandate.link.pk, []
        for each in asked.lines:
            self.line_count += 1
            self.lines.line(
                f"{self.line_count}\t{self.count}\t{each.pk}\t{link}\t{NULL}\t{NULL}\t{NULL}"
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
            self.line_count += 1
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
            self.lines.line(
                f"{self.line_count}\t{self.count}\t{line.pk}\t{link.pk}\t{source}\t"
                f"{line.before}\t{granted}"
            )
            self.moves.decide(asked, line, self.line_count, source, change, person, at)
            balances.note(line.account, Net(second, change, link.level, link.pk))
        return found

    def _delivered(self, asked: Asked, at: str) -> None:
        """Each target's generation rose by one; the newest lines are the last that were written."""
        first, raised = self.line_count - len(asked.lines), {}
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
                data=f'{{"endpoint":"{ENDPOINT_SLUGS[endpoint]}",'
                f'"generation":{self.generations[target]}}}',
            )  # fmt: skip
