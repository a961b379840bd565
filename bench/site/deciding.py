"""Who decides a request, by which delegation, with the proof of it: as the rules would have it."""

from dataclasses import dataclass

from .asking import Asked, Outcome, Wish
from .authority import Authority, Bound, Link
from .balances import Balances, Net, in_window, period_of
from .numbers import DEPUTY, GROUP, HEAD, MEMBERS_OF_A_GROUP, STEPS, Numbers, resource_of
from .places import offering_slug
from .sizes import OFFERINGS
from .times import Times

RULE_VERSION = 6
DEPUTY_EVERY = 4  # decides in the head's stead
BoundsOf = tuple[tuple[Link, Bound], ...]


@dataclass(frozen=True)
class Mandate:
    """A delegation as history uses it: who acts by it, what its proof says, which bounds count."""

    link: Link
    people: tuple[int, ...]
    effective: tuple[str, ...]  # JSON lists, of each of the people
    memberships: tuple[str, ...]
    chain: str
    bounds: dict[int, BoundsOf]  # by resource, root to leaf


class Deciding:
    """Finds deciders, and writes proofs. starts: {delegation: the second at which it began}."""

    def __init__(
        self, numbers: Numbers, times: Times, authority: Authority, balances: Balances
    ) -> None:
        self.numbers, self.balances, self.authority = numbers, balances, authority
        self.slugs = [offering_slug(each) if each else "" for each in range(OFFERINGS + 1)]
        self.resources = [resource_of(each) if each else 0 for each in range(OFFERINGS + 1)]
        self._mandates: dict[tuple[int, int], Mandate] = {}
        self._places: dict[int, tuple[str, list[int]]] = {}
        self._start = times.start

    def mandate(self, unit: int, place: int) -> Mandate:
        found = self._mandates.get((unit, place))
        if found is None:
            found = self._mandates[unit, place] = self._read(self.authority.links[unit, place])
        return found

    def place(self, unit: int) -> tuple[str, list[int]]:
        """Its path, and the units above it, the nearest first, with itself."""
        found = self._places.get(unit)
        if found is None:
            lineage = self.numbers.lineage(unit)[::-1]
            found = self._places[unit] = (self.authority.paths[unit], lineage)
        return found

    def decider(self, asked: Asked, second: int) -> Mandate:
        """The nearest that may grant all lines; of declined ones the nearest of all."""
        _path, lineage = self.place(asked.unit)
        nearest = self.mandate(asked.unit, GROUP)
        if asked.outcome == Outcome.DECLINED or self.may(nearest, asked.lines, second):
            return nearest
        for number, unit in enumerate(lineage):
            place = DEPUTY if number == 0 and asked.pk % DEPUTY_EVERY == 0 else HEAD
            mandate = self.mandate(unit, place)
            if self.may(mandate, asked.lines, second):
                return mandate
        raise AssertionError("a root may grant anything")

    def may(self, mandate: Mandate, lines: tuple[Wish, ...], second: int) -> bool:
        return all(self.may_grant(mandate, each, second) for each in lines)

    def may_grant(self, mandate: Mandate, line: Wish, second: int) -> bool:
        increase = line.wanted - line.before
        if increase <= 0:
            return True
        nets = self.balances.nets(line.account, second)
        for link, bound in mandate.bounds[self.resources[line.offering]]:
            most = bound.per_decision
            if most is not None and (
                increase > most or (nets and in_window(link, nets) + increase > most)
            ):
                return False
        return True

    def granted(self, asked: Asked, line: Wish) -> int:
        """What is granted of it: the half of an increase where it is granted in part."""
        if asked.outcome == Outcome.IN_PART and line.wanted > line.before:
            step = STEPS[self.resources[line.offering]]
            half = (line.wanted - line.before) // step // 2
            return line.before + max(half, 1) * step
        return line.wanted

    def consumption(self, mandate: Mandate, line: Wish, increase: int, second: int) -> str:
        """What the line adds to each bound, as the proof tells it; totals go up by it."""
        if increase <= 0:
            return ""
        nets = self.balances.nets(line.account, second)
        return ",".join(
            [
                self._bound(link, bound, increase, nets, second)
                for link, bound in mandate.bounds[self.resources[line.offering]]
            ]
        )

    def _bound(self, link: Link, bound: Bound, increase: int, nets: list[Net], second: int) -> str:
        per_decision = "null" if bound.per_decision is None else bound.per_decision
        window = in_window(link, nets) if nets and bound.per_decision is not None else 0
        total = period = used = "null"
        if bound.total is not None:
            starts = int((link.starts_at - self._start).total_seconds())
            number = period_of(link, starts, second)
            before = self.balances.total(bound, number)
            self.balances.totals[bound.pk, number] = before + increase
            total, period, used = str(bound.total), str(number), str(before)
        return (
            f'{{"bound":{bound.pk},"delegation":{link.pk},"per_decision":{per_decision},'
            f'"window_used":{window},"total":{total},"period":{period},"total_used":{used},'
            f'"increase":{increase}}}'
        )

    def proof(self, asked: Asked, mandate: Mandate, person: int, lines: list[str]) -> str:
        """person: by their place among the mandate's people; lines: as JSON."""
        pk = mandate.people[person]
        return (
            f'{{"rule_version":{RULE_VERSION},"person":{pk},"actor":{pk},"policy_version":null,'
            f'"effective_people":{mandate.effective[person]},'
            f'"memberships":{mandate.memberships[person]},"project":{asked.project},'
            f'"is_proposed":false,"unit":{asked.unit},"unit_path":"{self.place(asked.unit)[0]}",'
            f'"chains":{{"{mandate.link.pk}":{mandate.chain}}},"lines":[{",".join(lines)}]}}'
        )

    def _read(self, link: Link) -> Mandate:
        people, memberships = self._people(link)
        standing_in = [link.grantor] if link.place == DEPUTY and link.grantor else []
        return Mandate(
            link=link,
            people=people,
            effective=tuple(str(sorted([each, *standing_in])) for each in people),
            memberships=memberships,
            chain=self.authority.chain_json(link),
            bounds={
                resource: tuple(
                    (each, bound)
                    for each in link.chain
                    for bound in each.bounds
                    if bound.is_about(resource)
                )
                for resource in STEPS
            },
        )

    def _people(self, link: Link) -> tuple[tuple[int, ...], tuple[str, ...]]:
        if link.group is None:
            return (link.user or 0,), ("[]",)
        places = range(MEMBERS_OF_A_GROUP)
        since = self.authority.groups_since.isoformat()
        first = MEMBERS_OF_A_GROUP * (link.group - 1) + 1
        return tuple(self.numbers.member(link.group, each) for each in places), tuple(
            f'[{{"membership":{first + each},"group":{link.group},"starts_at":"{since}",'
            '"ends_at":null}]'
            for each in places
        )
