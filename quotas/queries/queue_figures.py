"""What a queue shows of many lines at once: who pays, how full that is, what is in use.

The same figures as `decision_figures`, as far as a row shows them, in one statement for any
number of lines: of the sources only the nearest, of use only the limit closest to the offering.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from portal.lib.compiled import compiled
from portal.lib.together import Part, Stated
from projects.models import Project, Unit, ancestor_paths
from projects.states import Power
from quotas.models import Account, Limit, RequestLine
from quotas.queries.accounts import Fill
from quotas.queries.authority import Mandate, powers_over
from quotas.queries.bounds import Used
from quotas.queries.consumption import (
    acts_part,
    links_of,
    periods_of,
    used_from,
    uses_part,
    window_keys,
)
from quotas.queries.decision_figures import LineFigures, Use

# `paying` is the nearest envelope above a project, or the pool; `sizes` what these have with all
# that was promised from them; `closest` the limit that the fewest offerings feed.
# No plan knows how many lines it is for, so what is looked up for all of them is MATERIALIZED: else
# it is worked out for each of them again where PostgreSQL thinks of few.
# What a line is about was read with it, so it is told. An envelope's accounts are looked up by the
# units below it; that its own is one of them is said twice, as PostgreSQL then reads each page of
# the table once for all of them and not once for each. A path ends in "/", and "0" is the next
# character. Below the pool lies everything, and everything adds up to zero.
GLANCE = """
WITH wanted AS MATERIALIZED (
    SELECT id, project_id, offering_id, path
    FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
        line(id, project_id, offering_id, path)
), above AS MATERIALIZED (
    SELECT account.id, account.offering_id, account.balance, account.unit_id, unit.path
    FROM quotas_account account
    JOIN projects_unit unit ON unit.id = account.unit_id
    WHERE account.offering_id = ANY(ARRAY(SELECT DISTINCT offering_id FROM wanted))
      AND account.unit_id = ANY(ARRAY(
          SELECT id FROM projects_unit WHERE path = ANY(ARRAY(SELECT unnest(%s::text[])))
      ))
    UNION ALL
    SELECT account.id, account.offering_id, account.balance, NULL, ''
    FROM quotas_account account
    WHERE account.holder = 'pool'
      AND account.offering_id = ANY(ARRAY(SELECT DISTINCT offering_id FROM wanted))
), paying AS MATERIALIZED (
    SELECT DISTINCT ON (wanted.id) wanted.id AS line_id, wanted.project_id, wanted.offering_id,
           above.id, above.balance, above.unit_id, above.path
    FROM wanted
    LEFT JOIN above
        ON above.offering_id = wanted.offering_id AND starts_with(wanted.path, above.path)
    ORDER BY wanted.id, length(above.path) DESC NULLS LAST
), sizes AS MATERIALIZED (
    SELECT top.path, found.offering_id, found.size
    FROM (
        SELECT path, unit_id, array_agg(DISTINCT offering_id) AS offerings
        FROM paying WHERE path <> '' GROUP BY path, unit_id
    ) top
    CROSS JOIN LATERAL (
        SELECT held.offering_id, sum(held.balance) AS size
        FROM quotas_account held
        WHERE held.offering_id = ANY(top.offerings) AND (
            held.place_id = top.unit_id OR held.place_id = ANY(ARRAY(
                SELECT unit.id FROM projects_unit unit
                WHERE unit.path ~>=~ top.path AND unit.path ~<~ (left(top.path, -1) || '0')
            ))
        )
        GROUP BY held.offering_id
    ) found
    UNION ALL
    SELECT '', site.offering_id, -site.balance
    FROM quotas_account site
    WHERE site.holder = 'site'
      AND site.offering_id = ANY(ARRAY(SELECT DISTINCT offering_id FROM wanted))
), closest AS MATERIALIZED (
    SELECT DISTINCT ON (feeds.offering_id) feeds.offering_id, lim.id, lim.endpoint_id, lim.unit,
           feeders.count > 1 AS is_shared
    FROM quotas_contribution feeds
    JOIN quotas_limit lim ON lim.id = feeds.limit_id
    CROSS JOIN LATERAL (
        SELECT count(*) FROM quotas_contribution other WHERE other.limit_id = lim.id
    ) feeders
    WHERE feeds.offering_id IN (SELECT offering_id FROM wanted)
    ORDER BY feeds.offering_id, feeders.count, feeds.factor, lim."order", feeds.id
)
SELECT paying.line_id, paying.id AS source_id, paying.balance, paying.path,
       coalesce(sizes.size, paying.balance) AS size,
       closest.id AS limit_id, closest.unit, closest.is_shared,
       reading.used, reading.reserved, reading.limit_seen, reading.read_at
FROM paying
LEFT JOIN sizes ON sizes.path = paying.path AND sizes.offering_id = paying.offering_id
LEFT JOIN closest ON closest.offering_id = paying.offering_id
LEFT JOIN quotas_target target
    ON target.project_id = paying.project_id AND target.endpoint_id = closest.endpoint_id
LEFT JOIN quotas_reading reading
    ON reading.target_id = target.id AND reading.limit_id = closest.id
   AND reading.used IS NOT NULL
"""


class _Glance(NamedTuple):
    """A row of the statement."""

    line_id: int
    source_id: int | None
    source_balance: int
    source_path: str
    source_size: int
    limit_id: int | None
    limit_unit: str
    is_shared: bool
    used: int | None
    reserved: int | None
    limit_seen: int | None
    read_at: str


class _Made:
    """Sources and limits of rows, each made once for a page: many lines draw from one."""

    def __init__(self) -> None:
        self._paying: dict[int | None, tuple[tuple[Account, ...], Fill | None]] = {None: ((), None)}
        self._limits: dict[int, Limit] = {}
        self._units: dict[str, Unit] = {}

    def paying(self, glance: _Glance) -> tuple[tuple[Account, ...], Fill | None]:
        """Who could pay, and how full that is."""
        number, size, balance = glance.source_id, glance.source_size, glance.source_balance
        if number not in self._paying:
            unit = self._unit(glance.source_path) if glance.source_path else None
            fill = Fill(promised=size - balance, size=size)
            self._paying[number] = (Account(pk=number, balance=balance, unit=unit),), fill
        return self._paying[number]

    def _unit(self, path: str) -> Unit:
        if (found := self._units.get(path)) is None:
            found = self._units[path] = Unit(path=path)
        return found

    def use(self, glance: _Glance) -> Use | None:
        if glance.limit_id is None or glance.used is None:
            return None
        if (limit := self._limits.get(glance.limit_id)) is None:
            limit = Limit(pk=glance.limit_id, unit=glance.limit_unit)
            self._limits[glance.limit_id] = limit
        return Use(
            limit=limit,
            used=glance.used,
            reserved=0 if glance.reserved is None else glance.reserved,
            limit_seen=glance.limit_seen,
            read_at=datetime.fromisoformat(glance.read_at),
            is_shared=glance.is_shared,
        )


class ByUnit:
    """`usable` for one unit after the other: who holds many is asked only for those above it."""

    def __init__(self, mandates: Iterable[Mandate]) -> None:
        self._over: dict[str | None, list[tuple[int, Mandate]]] = defaultdict(list)
        nearest_first = sorted(mandates, key=lambda each: each.nearness, reverse=True)
        for place, each in enumerate(nearest_first):
            self._over[each.innermost].append((place, each))

    def usable(self, unit_path: str, *powers: Power) -> list[Mandate]:
        """As `usable` of all of them says it: equally near ones in the order they were given."""
        above = [
            (place, each)
            for path in ancestor_paths(unit_path)
            for place, each in self._over.get(path, ())
            if each.has(*powers)
        ]
        above.sort(key=itemgetter(0))
        return [each for _place, each in above]

    def deciding_for(self, project: Project) -> list[Mandate]:
        """Those by which a request of the project can be decided."""
        return self.usable(project.unit.path, *powers_over(project))


def figures_at_a_glance(
    lines: Collection[RequestLine], mandates: Collection[Mandate], now: datetime
) -> dict[int, LineFigures]:
    """{line id: its figures} in the order of the lines.

    lines: as `lines_of_page` gives them. mandates: what the person
    holds there. One query.
    """
    if not lines:
        return {}
    glances, consumed = _look(lines, mandates, now)
    held: dict[int, tuple[Mandate, ...]] = {}
    found, made, by_unit = {}, _Made(), ByUnit(mandates)
    for line in lines:
        glance, project_id = glances[line.pk], line.project_id
        if project_id not in held:
            held[project_id] = tuple(by_unit.deciding_for(line.project))
        sources, envelope = made.paying(glance)
        found[line.pk] = LineFigures(
            line=line,
            balance=line.quota,  # type: ignore[attr-defined]  # annotated by lines_of_page
            sources=sources,
            envelope=envelope,
            zone=None,
            use=made.use(glance),
            mandates=held[project_id],
            used=consumed[project_id],
            is_to_decide=line.is_to_decide,  # type: ignore[attr-defined]  # as above
            endorsed=line.endorsed,  # type: ignore[attr-defined]  # as above
        )
    return found


def _look(
    lines: Collection[RequestLine], mandates: Collection[Mandate], now: datetime
) -> tuple[dict[int, _Glance], dict[int, Used]]:
    """{line id: its row of the statement}, {project id: what is consumed of the bounds there}."""
    below = [line.project.unit.path for line in lines]
    links = links_of(mandates)
    wanted = [(line.project_id, line.offering_id) for line in lines]
    found, acts, uses = _glances(
        lines=[line.pk for line in lines],
        projects=[project for project, _offering in wanted],
        wanted=[offering for _project, offering in wanted],
        below=below,
        paths=sorted({above for path in set(below) for above in ancestor_paths(path)}),
        **window_keys(links, wanted, now),
        **periods_of(links, now),
    )
    glances = {row[0]: _Glance._make(row) for row in found}
    return glances, used_from(links, wanted, now, acts, uses)


@compiled
def _glances(
    *, lines: Any, projects: Any, wanted: Any, below: Any, paths: Any,
    holders: Any, offerings: Any, since: Any, bounds: Any, periods: Any,
) -> list[Part]:  # fmt: skip
    return [
        Stated(GLANCE, [lines, projects, wanted, below, paths]),
        acts_part(Power.DECIDE_QUOTA, holders, offerings, since),
        uses_part(Power.DECIDE_QUOTA, bounds, periods),
    ]
