"""Who may decide what: delegations with their bounds, and the mandates that history uses."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from projects.models import Delegation
from quotas.models import DelegationBound, Policy, PolicyVersion

from .copying import Sheets
from .numbers import (
    BASES,
    DEPUTY,
    ENVELOPES,
    FORMER,
    GIB,
    GROUP,
    HANDED,
    HEAD,
    HEADS,
    LAST,
    LITTLE,
    MEMBERS,
    PROJECTS,
    SPECIALIST,
    STEPS,
    Numbers,
    bound_of,
)
from .record import Record
from .times import DEPUTIES_END, Clock, Times

HEAD_POWERS = ["decide quota", "decide projects", "manage envelopes", "manage members"]
POWERS = {
    HEAD: HEAD_POWERS, DEPUTY: HEAD_POWERS, GROUP: ["decide quota"], SPECIALIST: ["decide quota"],
    PROJECTS: ["decide projects"], MEMBERS: ["manage members"], ENVELOPES: ["manage envelopes"],
    HANDED: ["decide projects"], LAST: ["decide projects"], FORMER: ["decide quota"],
}  # fmt: skip
ABOVE = {GROUP: HEAD, DEPUTY: HEAD, SPECIALIST: HEAD, PROJECTS: HEAD, MEMBERS: HEAD,
         ENVELOPES: HEAD, HANDED: PROJECTS, LAST: HANDED, FORMER: HEAD}  # fmt: skip
DEPTHS = {DEPUTY: 9, PROJECTS: 2, HANDED: 1}
WINDOW_DAYS, PERIOD_DAYS = 30, 365
HOT_TOTAL = 10**9
SPECIALIST_TOTAL = 10**6
RAM = 2
RULE_STATES = ("on", "off", "draft")


@dataclass(frozen=True)
class Bound:
    """A row: of which resource (0: any), and how much."""

    pk: int
    resource: int
    per_decision: int | None
    total: int | None = None

    def is_about(self, resource: int) -> bool:
        return self.resource in (0, resource)


@dataclass(frozen=True)
class Link:
    """A delegation. level: of its unit; place: HEAD and so on."""

    pk: int
    unit: int
    level: int
    place: int
    above: "Link | None"
    user: int | None
    group: int | None
    grantor: int | None
    starts_at: datetime
    ends_at: datetime | None
    bounds: tuple[Bound, ...]

    @property
    def chain(self) -> list["Link"]:
        """From the root to itself."""
        return [*(self.above.chain if self.above else []), self]


class Authority:
    """All delegations that are in force and decide quota, by (unit, place)."""

    def __init__(
        self, numbers: Numbers, times: Times, paths: dict[int, str], groups_since: datetime
    ) -> None:
        self.numbers, self.times, self.paths = numbers, times, paths
        # Since when everybody is in their groups.
        self.groups_since = groups_since
        self.links: dict[tuple[int, int], Link] = {}

    def write(self, sheets: Sheets, record: Record, clock: Clock) -> None:
        delegations = sheets.of(
            Delegation, "id", "parent_id", "ancestors", "grantor_id", "user_id", "group_id",
            "powers", "unit_id", "depth", "is_deputy", "starts_at", "ends_at", "revoked_at",
            "revoked_by_id", "created_at", "purpose",
        )  # fmt: skip
        bounds = sheets.of(
            DelegationBound, "id", "delegation_id", "resource_id", "per_decision", "window_days",
            "total", "period_days",
        )  # fmt: skip
        for unit in range(1, self.numbers.scale.units + 1):
            for place in range(FORMER + 1):
                link, at = self._link(unit, place, clock()), None
                self.links[unit, place] = link
                if place == FORMER:
                    at = link.starts_at + timedelta(days=300)
                above = link.above
                delegations.add(
                    link.pk, above.pk if above else None,
                    [each.pk for each in above.chain] if above else [], link.grantor, link.user,
                    link.group, POWERS[place], unit, self._depth(link), place == DEPUTY,
                    link.starts_at, link.ends_at, at, link.grantor if at else None,
                    link.starts_at, "",
                )  # fmt: skip
                for each in link.bounds:
                    bounds.add(
                        each.pk, link.pk, each.resource or None, each.per_decision, WINDOW_DAYS,
                        each.total, PERIOD_DAYS if each.total else None,
                    )  # fmt: skip
                record.add(
                    "delegated" if above else "root granted", link.starts_at,
                    actor=link.grantor, unit=unit, kind="delegation", subject=link.pk,
                )  # fmt: skip

    def write_rules(self, sheets: Sheets, record: Record, clock: Clock) -> None:
        """One of each head, a third of them on: asked at each request, and held by none.

        Nobody here uses as much of their quota as they want of it.
        """
        rules = sheets.of(
            Policy, "id", "unit_id", "delegation_id", "person_id", "name", "state", "created_at"
        )
        versions = sheets.of(
            PolicyVersion, "id", "policy_id", "number", "resource_id", "most_amount", "every_days",
            "usage_above_percent", "made_by_id", "made_at",
        )  # fmt: skip
        for unit in range(1, self.numbers.scale.units + 1):
            head, at = self.links[unit, HEAD], clock()
            state = RULE_STATES[unit % len(RULE_STATES)]
            rules.add(unit, unit, head.pk, head.user, f"A little memory, {unit}", state, at)
            versions.add(unit, unit, 1, RAM, 16 * GIB, WINDOW_DAYS, 99, head.user, at)
            record.add("policy made", at, actor=head.user, unit=unit, kind="policy", subject=unit)

    def _link(self, unit: int, place: int, at: datetime) -> Link:
        numbers, level = self.numbers, self.numbers.level(unit)
        if place == HEAD:
            parent = numbers.parent(unit)
            above = self.links[parent, HEAD] if parent else None
        else:
            above = self.links[unit, ABOVE[place]]
        is_deputy = place == DEPUTY
        return Link(
            pk=numbers.delegation(unit, place), unit=unit, level=level, place=place, above=above,
            user=None if place == GROUP else numbers.holder(unit, place),
            group=numbers.group_of(unit) if place == GROUP else None,
            grantor=above.user if above else None,
            starts_at=at,
            ends_at=self.times.now + DEPUTIES_END if is_deputy else None,
            bounds=self._bounds(unit, level, place),
        )  # fmt: skip

    @staticmethod
    def _depth(link: Link) -> int:
        return 10 - link.level if link.place == HEAD else DEPTHS.get(link.place, 0)

    def _bounds(self, unit: int, level: int, place: int) -> tuple[Bound, ...]:
        pk = self.numbers.delegation(unit, place)
        if place in (HEAD, DEPUTY):
            most = HEADS[level]
            if most is None:
                return (Bound(bound_of(pk), 0, None),)
            total = HOT_TOTAL if unit == self.numbers.hot_unit else None
            return tuple(
                Bound(bound_of(pk, each), each, most * BASES[each] * STEPS[each],
                      total if each == 1 else None)
                for each in STEPS
            )  # fmt: skip
        if place == SPECIALIST:
            return (Bound(bound_of(pk, 1), 1, LITTLE * BASES[1], SPECIALIST_TOTAL),)
        if place in (GROUP, ENVELOPES, FORMER):
            return tuple(
                Bound(bound_of(pk, each), each, LITTLE * BASES[each] * STEPS[each])
                for each in STEPS
            )
        return ()

    def chain_json(self, link: Link) -> str:
        """What a proof holds of the links, as JSON."""
        return json.dumps([self._terms(each) for each in link.chain], separators=(",", ":"))

    def _terms(self, link: Link) -> dict[str, Any]:
        return {
            "delegation": link.pk, "parent": link.above.pk if link.above else None,
            "grantor": link.grantor, "user": link.user, "group": link.group,
            "is_deputy": link.place == DEPUTY, "powers": sorted(POWERS[link.place]),
            "unit": link.unit, "unit_path": self.paths[link.unit], "depth": self._depth(link),
            "starts_at": link.starts_at.astimezone(UTC).isoformat(),
            "ends_at": link.ends_at.astimezone(UTC).isoformat() if link.ends_at else None,
            "bounds": [
                {"bound": each.pk, "resource": each.resource or None, "zone": None,
                 "per_decision": each.per_decision, "window_days": WINDOW_DAYS,
                 "total": each.total, "period_days": PERIOD_DAYS if each.total else None}
                for each in link.bounds
            ],
        }  # fmt: skip
