"""Consuming totals: what is given through a delegation counts against it and all above it.

A total has a row for each of its periods, made when it is first needed. Whoever is about to
consume holds these rows, so that no two read the same figure; returns refund nothing.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from portal.lib.bulk import adding_each
from portal.lib.compiled import compiled
from portal.lib.errors import Conflict
from portal.lib.together import Part, Values, Written, together
from projects.models import Project
from projects.states import Power
from quotas.models import BoundUse, Offering
from quotas.queries.authority import Mandate
from quotas.queries.bounds import Used, period_of
from quotas.queries.consumption import acts_part, links_of, window_keys, windows_from


class Totals:
    """The totals of some mandates in their periods of `now`, held until the transaction ends."""

    def __init__(self, rows: dict[int, tuple[int, int]]) -> None:
        self._rows = rows

    @property
    def used(self) -> dict[int, int]:
        """{bound id: what is consumed of it}."""
        return {bound_id: used for bound_id, (_pk, used) in self._rows.items()}

    def consume(self, increases: Iterable[tuple[Mandate, Offering, int]]) -> None:
        """Add each (mandate, offering, increase) to every total of its chain; one query.

        Raises Conflict where the rows are not there any more, which nobody's verb can do.
        """
        addition = self.addition(increases)
        if addition.amounts:
            addition.check(together(addition.part)[0])

    def addition(self, increases: Iterable[tuple[Mandate, Offering, int]]) -> "Addition":
        """`consume` as a part of a larger statement."""
        added: dict[int, int] = defaultdict(int)
        for mandate, offering, increase in increases:
            if increase <= 0:
                continue
            for row in mandate.bounds_on(offering):
                if row.total is not None:
                    added[self._rows[row.pk][0]] += increase
        return Addition(added)


@dataclass(frozen=True)
class Addition:
    """What is about to be consumed: {BoundUse id: amount}."""

    amounts: Mapping[int, int]

    @property
    def part(self) -> Written:
        return adding_each(BoundUse, "used", self.amounts)

    def check(self, answers: Collection[Any]) -> None:
        """Raise Conflict unless each row was there."""
        if len(answers) != len(self.amounts):
            raise Conflict(_("Somebody else was first. Look again."))


def hold_totals(
    mandates: Collection[Mandate], offerings: Collection[Offering], now: datetime, power: Power
) -> Totals:
    """Hold every total of these mandates that is about these offerings; one query, or none.

    By the bounds' ids, which is root to leaf: nobody hands on before having. The caller holds
    the delegations. Those whose chains have no such total wait for nobody here.
    """
    rows = _holding_of(((each, offerings) for each in mandates), now)
    if not rows["bounds"]:
        return Totals({})
    _acts, held = _held(power, True, holders=[], offerings=[], since=now, **rows)
    return _totals(held)


@dataclass(frozen=True)
class Spender:
    """Who is about to consume of its mandates, for a project and some offerings."""

    mandates: Collection[Mandate]
    project: Project
    offerings: Collection[Offering]


@dataclass
class Purse:
    """What is consumed of the totals and windows of some spenders, one after the other.

    used: of the totals, by bound, with what those before have taken; windows: by project.
    """

    now: datetime
    totals: Totals
    used: dict[int, int]
    windows: Mapping[int, Mapping[tuple[int, int], int]]

    def of(self, project: Project) -> Used:
        """What the next one of a project finds."""
        return Used(self.now, self.windows.get(project.pk, {}), dict(self.used))

    def take(self, after: Used) -> None:
        """Go on from there: what was consumed of totals counts for all that follow."""
        self.used = dict(after.totals)


def hold_used(spenders: Collection[Spender], now: datetime) -> Purse:
    """`hold_totals` of who decides, with what is consumed of totals and windows; one query.

    The caller holds the projects too, by which their windows are safe.
    """
    power = Power.DECIDE_QUOTA
    links = links_of(mandate for each in spenders for mandate in each.mandates)
    wanted = [
        (each.project.pk, offering.pk) for each in spenders for offering in each.offerings
    ]  # fmt: skip
    keys, rows = window_keys(links, wanted, now), _holding(spenders, now)
    if not keys["holders"] and not rows["bounds"]:
        return Purse(now, Totals({}), {}, {})
    acts, held = _held(power, bool(rows["bounds"]), **keys, **rows)
    totals = _totals(held)
    return Purse(now, totals, totals.used, windows_from(links, wanted, now, acts))


def _totals(rows: Iterable[tuple[int, int, int]]) -> Totals:
    return Totals({bound_id: (pk, used) for bound_id, pk, used in rows})


def _holding(spenders: Iterable[Spender], now: datetime) -> dict[str, Any]:
    """`_holding_of` all mandates of these."""
    return _holding_of(
        ((mandate, each.offerings) for each in spenders for mandate in each.mandates), now
    )


def _holding_of(
    given: Iterable[tuple[Mandate, Collection[Offering]]], now: datetime
) -> dict[str, Any]:
    """Which totals are held: arrays of bounds, of their periods and of what they are, by id.

    given: mandates, and the offerings that each may be used for.
    """
    wanted = {
        row.pk: (row, period_of(link, row, now))
        for mandate, offerings in given
        for link in mandate.chain
        for row in mandate.bounds[link.pk]
        if row.total is not None and any(row in mandate.bounds_on(each) for each in offerings)
    }
    rows = [wanted[each] for each in sorted(wanted)]
    return {
        "bounds": [row.pk for row, _period in rows],
        "periods": [period for _row, period in rows],
        "mosts": [row.total for row, _period in rows],
    }


@compiled
def _held(
    power: Power, has_totals: bool, /, *, holders: Any, offerings: Any, since: Any, bounds: Any,
    periods: Any, mosts: Any,
) -> list[Part]:  # fmt: skip
    """What was done in windows; and totals, of which each is held."""
    table = connection.ops.quote_name(BoundUse._meta.db_table)
    # Makes what is missing and locks what is there, in one order. Nothing is changed: the total
    # is immutable.
    sql = (
        f"INSERT INTO {table} (bound_id, power, period, most, used) "  # noqa: S608 - a table's own name
        "SELECT bound, %s, period, most, 0 FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) "
        "WITH ORDINALITY AS wanted(bound, period, most, place) ORDER BY place "
        "ON CONFLICT (bound_id, power, period) DO UPDATE SET most = EXCLUDED.most "
        "RETURNING bound_id, id, used"
    )
    none = Values(BoundUse.objects.none(), ["bound", "pk", "used"])
    held = Written(sql, [str(power), bounds, periods, mosts]) if has_totals else none
    return [acts_part(power, holders, offerings, since), held]
