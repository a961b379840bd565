"""Which delegation is in force, for what and held by whom, followed link by link: no code of ours.

Units are followed by their parents, chains by theirs, from plain rows.
"""

from collections import defaultdict
from datetime import datetime
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

Row = dict[str, Any]
DECIDE, MANAGE, OPEN = "decide quota", "manage envelopes", "decide projects"


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


class Stored:
    """Everything that authority depends on, as it is stored."""

    def __init__(self) -> None:
        self.units = _by_id(Unit)
        self.links = _by_id(Delegation)
        self.projects = _by_id(Project)
        self.offerings = _by_id(Offering)
        self.active = set(User.objects.filter(is_active=True).values_list("pk", flat=True))
        self.bounds: dict[int, list[Row]] = defaultdict(list)
        for row in _by_id(DelegationBound).values():
            self.bounds[row["delegation_id"]].append(row)
        self.in_groups = list(_by_id(GroupMembership).values())
        self.roles = list(_by_id(Membership).values())

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


class SlowChains:
    """What follows from it at `now` for places, chains and who holds them."""

    def __init__(self, now: datetime, stored: Stored) -> None:
        self.now = now
        self.stored = stored
        self.units, self.links, self.bounds = stored.units, stored.links, stored.bounds
        self.projects, self.offerings = stored.projects, stored.offerings
        self.active = stored.active
        self.members: dict[int, set[int]] = defaultdict(set)
        for row in stored.in_groups:
            if self._holds(row):
                self.members[row["group_id"]].add(row["user_id"])
        self.involved: dict[int, set[int]] = defaultdict(set)
        for row in stored.roles:
            if row["role"] != "reader" and self._holds(row):
                people = {row["user_id"]} if row["user_id"] else self.members[row["group_id"]]
                self.involved[row["project_id"]] |= people
        self.above = lru_cache(None)(self._above)
        self.chain = lru_cache(None)(self._chain)
        self.is_live = lru_cache(None)(self._is_live)

    def _above(self, unit: int) -> tuple[int, ...]:
        """The unit and all above it, the unit first."""
        found: list[int] = []
        here: int | None = unit
        while here is not None:
            found.append(here)
            here = self.units[here]["parent_id"]
        return tuple(found)

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

    def line(self, link: int) -> set[int]:
        """The link and all that it replaces in turn."""
        found: set[int] = set()
        here: int | None = link
        while here is not None:
            found.add(here)
            here = self.links[here]["replaces_id"]
        return found

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
            and self._stands_for_a_holder(link)
            for link in self.chain(leaf)
        )

    def _stands_for_a_holder(self, link: int) -> bool:
        """Whether whom a deputy stands in for is here, and still holds what they stand in by."""
        row = self.links[link]
        return not row["is_deputy"] or (
            row["grantor_id"] in self.active and row["grantor_id"] in self.holders(row["parent_id"])
        )

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

    def live(self) -> set[int]:
        return {leaf for leaf in self.links if self.is_live(leaf)}

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


def _by_id(model: Any) -> dict[int, Row]:
    return {row["id"]: row for row in model.objects.order_by("pk").values()}
