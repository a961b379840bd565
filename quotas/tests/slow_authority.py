"""Who may decide what, computed anew from plain rows: slow, simple, and knowing no code of ours.

The walk compares what Remit does with this. Units are followed by their parents, chains by
theirs, and what is consumed is added up from every act that there ever was, in its order.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from projects.models import Delegation, GroupMembership, Membership, Project, Unit, User
from quotas.models import (
    Account,
    DecisionLine,
    DelegationBound,
    EnvelopeAct,
    Offering,
    RequestLine,
)
from quotas.tests.slow_bounds import Limits

Row = dict[str, Any]
DECIDE, MANAGE = "decide quota", "manage envelopes"


class Act(NamedTuple):
    """Something that was given by a delegation (or came back: net below zero)."""

    power: str
    pk: int
    leaf: int
    holder: int
    offering: int
    net: int
    at: datetime
    person: int


class Slow:
    """Everything that authority depends on, as it is stored, and what follows from it at `now`."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.units: dict[int, Row] = _by_id(Unit)
        self.links: dict[int, Row] = _by_id(Delegation)
        self.projects: dict[int, Row] = _by_id(Project)
        self.offerings: dict[int, Row] = _by_id(Offering)
        self.active = set(User.objects.filter(is_active=True).values_list("pk", flat=True))
        self.bounds: dict[int, list[Row]] = defaultdict(list)
        for row in _by_id(DelegationBound).values():
            self.bounds[row["delegation_id"]].append(row)
        self.members: dict[int, set[int]] = defaultdict(set)
        for row in _by_id(GroupMembership).values():
            if self._holds(row):
                self.members[row["group_id"]].add(row["user_id"])
        self.involved: dict[int, set[int]] = defaultdict(set)
        for row in _by_id(Membership).values():
            if row["role"] != "reader" and self._holds(row):
                people = {row["user_id"]} if row["user_id"] else self.members[row["group_id"]]
                self.involved[row["project_id"]] |= people
        self.chain = lru_cache(None)(self._chain)
        self.is_live = lru_cache(None)(self._is_live)
        self.used_of_total = lru_cache(None)(self._used_of_total)

    @cached_property
    def acts(self) -> list[Act]:
        """Every grant and every funding by people, in the order of their moments."""
        decided = DecisionLine.objects.filter(granted__isnull=False).values_list(
            "pk", "delegation", "line__project", "line__offering", "before", "granted",
            "decision__at", "decision__person",
        )  # fmt: skip
        found = [
            Act(DECIDE, pk, leaf, holder, offering, (granted or 0) - (before or 0), at, person)
            for pk, leaf, holder, offering, before, granted, at, person in decided
        ]
        funded = EnvelopeAct.objects.filter(
            kind__in=["fund", "take back"], delegation__isnull=False
        ).values_list("pk", "delegation", "unit", "offering", "kind", "amount", "at", "actor")
        found += [
            Act(MANAGE, pk, leaf, holder, offering, amount if kind == "fund" else -amount, at, who)
            for pk, leaf, holder, offering, kind, amount, at, who in funded
        ]
        return sorted(found, key=lambda act: (act.at, act.power, act.pk))

    @cached_property
    def quotas(self) -> dict[tuple[int, int], int]:
        rows = Account.objects.filter(project__isnull=False).values_list(
            "project", "offering", "balance"
        )
        return {(project, offering): balance for project, offering, balance in rows}

    @cached_property
    def envelopes(self) -> set[tuple[int, int]]:
        """(unit, offering) of those that were declared."""
        rows = Account.objects.filter(unit__isnull=False)
        return set(rows.values_list("unit", "offering"))

    @cached_property
    def open_lines(self) -> list[Row]:
        rows = RequestLine.objects.filter(state="open").order_by("pk").values(
            "pk", "project_id", "offering_id", "wanted", "level", "request_id",
            "request__requester_id", "request__asked_by_id",
        )  # fmt: skip
        return [dict(row) for row in rows]

    # --- places, chains, holders ---------------------------------------------------------

    def above(self, unit: int) -> list[int]:
        """The unit and all above it, the unit first."""
        found: list[int] = []
        here: int | None = unit
        while here is not None:
            found.append(here)
            here = self.units[here]["parent_id"]
        return found

    def lies_in(self, unit: int, place: int) -> bool:
        return place in self.above(unit)

    def _chain(self, leaf: int) -> tuple[int, ...]:
        """Root to leaf."""
        found: list[int] = []
        here: int | None = leaf
        while here is not None:
            found.insert(0, here)
            here = self.links[here]["parent_id"]
        return tuple(found)

    def _holds(self, row: Row) -> bool:
        return row["starts_at"] <= self.now and (
            row["ends_at"] is None or self.now < row["ends_at"]
        )

    def _is_live(self, leaf: int) -> bool:
        place = self.links[leaf]["unit_id"]
        return all(
            self._holds(self.links[link])
            and self.links[link]["revoked_at"] is None
            and self.lies_in(place, self.links[link]["unit_id"])
            and self.stands_in(link)
            for link in self.chain(leaf)
        )

    def stands_in(self, link: int) -> bool:
        """Whether whom a deputy stands in for has still what they stand in by."""
        row = self.links[link]
        return not row["is_deputy"] or row["grantor_id"] in self.holders(row["parent_id"])

    def line(self, link: int) -> set[int]:
        """A delegation and all that it replaces."""
        old = self.links[link]["replaces_id"]
        return {link} | (self.line(old) if old is not None else set())

    def holders(self, leaf: int) -> set[int]:
        link = self.links[leaf]
        return {link["user_id"]} if link["user_id"] else set(self.members[link["group_id"]])

    def stood_in_for(self, leaf: int) -> set[int]:
        found = set()
        for link in reversed(self.chain(leaf)):
            if not self.links[link]["is_deputy"]:
                break
            found.add(self.links[link]["grantor_id"])
        return found

    def mandates(self, unit: int, power: str) -> list[int]:
        """Delegations in force by which somebody has a power over a unit, in any order."""
        return [
            leaf
            for leaf in self.links
            if self.is_live(leaf)
            and all(power in self.links[each]["powers"] for each in self.chain(leaf))
            and self.lies_in(unit, self.links[leaf]["unit_id"])
        ]

    def held(self, person: int, unit: int, power: str) -> list[int]:
        return [each for each in self.mandates(unit, power) if person in self.holders(each)]

    def nearness(self, leaf: int) -> tuple[int, int]:
        own = [each for each in self.chain(leaf) if not self.links[each]["is_deputy"]]
        return (len(self.above(self.links[own[-1]]["unit_id"])), len(own))

    # --- how much --------------------------------------------------------------------------

    def about(self, link: int, offering: int) -> list[Row]:
        """The bounds of one link that speak of an offering."""
        row = self.offerings[offering]
        return [
            each
            for each in self.bounds[link]
            if Limits.of(each).is_about(row["resource_id"], row["zone_id"])
        ]

    def reaches(self, leaf: int, offering: int) -> bool:
        return all(self.about(each, offering) for each in self.chain(leaf))

    def room(self, leaf: int, offering: int, holder: int, power: str) -> int | None:
        """The most that one more act may add; None: any amount."""
        found: list[int] = []
        for link in self.chain(leaf):
            rows = self.about(link, offering)
            if not rows:
                return 0
            for row in rows:
                if row["per_decision"] is not None:
                    used = self.in_window(link, row, offering, holder, power, self.now)
                    found.append(max(row["per_decision"] - used, 0))
                if row["total"] is not None:
                    period = self.period(link, row, self.now)
                    used = self.used_of_total(link, row["id"], power, period, None)
                    found.append(max(row["total"] - used, 0))
        return min(found, default=None)

    def allows(self, leaf: int, offering: int, holder: int, power: str, increase: int) -> bool:
        if not self.reaches(leaf, offering):
            return False
        room = self.room(leaf, offering, holder, power)
        return increase <= 0 or room is None or increase <= room

    def in_window(
        self, link: int, row: Row, offering: int, holder: int, power: str, at: datetime,
        before: Act | None = None,
    ) -> int:  # fmt: skip
        """What one holder's share of an offering rose by through a link, never below zero."""
        since = at - timedelta(days=row["window_days"])
        nets = [
            act.net
            for act in self._until(before)
            if (act.power, act.offering, act.holder) == (power, offering, holder)
            and since < act.at
            and self.line(link) & set(self.chain(act.leaf))
        ]
        return max(sum(nets), 0)

    def _used_of_total(
        self, link: int, bound: int, power: str, period: int, before: Act | None
    ) -> int:
        row = next(each for each in self.bounds[link] if each["id"] == bound)
        used = self._carried(link, row, power) if period == 0 else 0
        for act in self._until(before):
            offering = self.offerings[act.offering]
            if (
                act.power == power
                and act.net > 0
                and link in self.chain(act.leaf)
                and Limits.of(row).is_about(offering["resource_id"], offering["zone_id"])
                and self.period(link, row, act.at) == period
            ):
                used += act.net
        return used

    def _carried(self, link: int, row: Row, power: str) -> int:
        """What the delegation that this one replaces had consumed of its period as it ended."""
        old = self.links[link]["replaces_id"]
        if old is None:
            return 0
        made_at = self.links[link]["created_at"]
        first = Act(power, 0, 0, 0, 0, 0, made_at, 0)
        found = [0]
        for each in self.bounds[old]:
            if each["total"] is not None and Limits.of(each).is_about(
                row["resource_id"], row["zone_id"]
            ):
                period = self.period(old, each, made_at)
                found.append(self._used_of_total(old, each["id"], power, period, first))
        return min(max(found), row["total"])

    def _until(self, before: Act | None) -> Sequence[Act]:
        if before is None:
            return self.acts
        key = (before.at, before.power, before.pk)
        return [act for act in self.acts if (act.at, act.power, act.pk) < key]

    def period(self, link: int, row: Row, at: datetime) -> int:
        if row["period_days"] is None:
            return 0
        since = at - self.links[link]["starts_at"]
        return max(since // timedelta(days=row["period_days"]), 0)

    def passed(self, act: Act) -> Iterator[str]:
        """Every window and total that an act went beyond as it was done."""
        for link in self.chain(act.leaf):
            rows = self.about(link, act.offering)
            if not rows:
                yield f"D-{link} says nothing about what {act} gives"
            for row in rows if act.net > 0 else ():
                if row["per_decision"] is not None:
                    used = self.in_window(
                        link, row, act.offering, act.holder, act.power, act.at, act
                    )
                    if used + act.net > row["per_decision"]:
                        yield f"window of D-{link}: {used} + {act.net} > {row['per_decision']}"
                if row["total"] is not None:
                    period = self.period(link, row, act.at)
                    used = self.used_of_total(link, row["id"], act.power, period, act)
                    if used + act.net > row["total"]:
                        yield f"total of D-{link}: {used} + {act.net} > {row['total']}"

    # --- who decides -----------------------------------------------------------------------

    def barred(self, line: Row) -> set[int]:
        """Who has a part in the matter: a role in the project, or in the asking for it."""
        found = self.involved[line["project_id"]] | {line["request__requester_id"]}
        return found | {line["request__asked_by_id"]} - {None}

    def free(self, leaf: int, line: Row) -> set[int]:
        """Whoever can use a delegation for a line."""
        barred = self.barred(line)
        if self.stood_in_for(leaf) & barred:
            return set()
        return (self.holders(leaf) & self.active) - barred

    def unit_of(self, line: Row) -> int:
        unit: int = self.projects[line["project_id"]]["unit_id"]
        return unit

    def increase(self, line: Row) -> int:
        held = self.quotas.get((line["project_id"], line["offering_id"]), 0)
        return int(line["wanted"]) - held

    def may_decide(self, person: int, line: Row, increase: int | None) -> bool:
        """Whether somebody may add so much to a line's quota; None: only refuse or endorse it."""
        return any(
            person in self.free(leaf, line)
            and self.reaches(leaf, line["offering_id"])
            and (
                increase is None
                or self.allows(leaf, line["offering_id"], line["project_id"], DECIDE, increase)
            )
            for leaf in self.held(person, self.unit_of(line), DECIDE)
        )

    def turns(
        self, line: Row, endorsed: Collection[tuple[int, int]]
    ) -> dict[int, tuple[str, int, datetime | None]]:
        """{delegation: (decide or endorse, level, until)} of all whom a line waits for.

        endorsed: (delegation, person) of those who said about it what they had to say.
        """
        offering, increase = line["offering_id"], self.increase(line)
        levels: dict[tuple[int, int], list[int]] = defaultdict(list)
        for leaf in self.mandates(self.unit_of(line), DECIDE):
            if self.free(leaf, line) and self.reaches(leaf, offering):
                levels[self.nearness(leaf)].append(leaf)
        nearest_first = [levels[each] for each in sorted(levels, reverse=True)]
        deciding = [
            enough
            for level in nearest_first
            if (enough := [
                leaf for leaf in level
                if self.allows(leaf, offering, line["project_id"], DECIDE, increase)
            ])
        ] or nearest_first[-1:]  # fmt: skip
        found = {
            leaf: ("decide", number, self._chain_end(leaf))
            for number, level in enumerate(deciding[: line["level"] + 1])
            for leaf in level
        }
        if nearest_first and self.nearness(nearest_first[0][0]) != self.nearness(deciding[0][0]):
            said, who = {leaf for leaf, _person in endorsed}, {person for _leaf, person in endorsed}
            who |= {person for leaf in said for person in self.stood_in_for(leaf)}
            for leaf in nearest_first[0]:
                people = {self.links[leaf]["user_id"], *self.stood_in_for(leaf)}
                if leaf not in said and not people & who:
                    found[leaf] = ("endorse", 0, self._chain_end(leaf))
        return found

    def why_nobody(self, line: Row) -> str | None:
        """Why nobody at all can decide a line; None: somebody can."""
        held = self.mandates(self.unit_of(line), DECIDE)
        free = [leaf for leaf in held if self.free(leaf, line)]
        if any(self.reaches(leaf, line["offering_id"]) for leaf in free):
            return None
        if not held:
            return "ended"
        return "not covered" if free else "interested"

    def _chain_end(self, leaf: int) -> datetime | None:
        ends = [self.links[each]["ends_at"] for each in self.chain(leaf)]
        return min((each for each in ends if each is not None), default=None)


def _by_id(model: Any) -> dict[int, Row]:
    return {row["id"]: row for row in model.objects.order_by("pk").values()}
