"""What a queue shows of many lines at once: who pays, how full that is, what is in use.

The same figures as `decision_figures`, as far as a row shows them, in one statement for any
number of lines: of the sources only the nearest, of use only the limit closest to the offering.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from projects.models import Unit, ancestor_paths
from quotas.models import Account, Limit, RequestLine
from quotas.queries.accounts import Fill
from quotas.queries.authority import Mandate, deciding_for
from quotas.queries.consumption import used_by_many
from quotas.queries.decision_figures import LineFigures, Use

# `paying` is the nearest envelope above a project, or the pool; `sizes` what these have with all
# that was promised from them; `closest` the limit that the fewest offerings feed.
# An envelope's accounts are looked up from the units below it. A path ends in "/", and "0" is the
# next character. Below the pool lies everything, and everything adds up to zero.
GLANCE = """
WITH wanted AS (
    SELECT line.id, line.project_id, line.offering_id, unit.path
    FROM quotas_requestline line
    JOIN projects_project project ON project.id = line.project_id
    JOIN projects_unit unit ON unit.id = project.unit_id
    WHERE line.id = ANY(%(lines)s)
), above AS (
    SELECT account.id, account.offering_id, account.balance, unit.path
    FROM projects_unit unit
    JOIN quotas_account account ON account.unit_id = unit.id
    WHERE unit.path = ANY(ARRAY(SELECT unnest(%(paths)s::text[])))
      AND account.offering_id = ANY(ARRAY(SELECT offering_id FROM wanted))
    UNION ALL
    SELECT account.id, account.offering_id, account.balance, ''
    FROM quotas_account account
    WHERE account.holder = 'pool'
      AND account.offering_id = ANY(ARRAY(SELECT offering_id FROM wanted))
), paying AS (
    SELECT DISTINCT ON (wanted.id) wanted.id AS line_id, above.*
    FROM wanted
    JOIN above ON above.offering_id = wanted.offering_id AND starts_with(wanted.path, above.path)
    ORDER BY wanted.id, length(above.path) DESC
), sizes AS (
    SELECT top.path, found.offering_id, found.size
    FROM (SELECT DISTINCT path FROM paying WHERE path <> '') top
    CROSS JOIN LATERAL (
        SELECT held.offering_id, sum(held.balance) AS size
        FROM projects_unit unit
        CROSS JOIN LATERAL (
            SELECT account.offering_id, account.balance
            FROM quotas_account account
            WHERE account.unit_id = unit.id
              AND account.offering_id = ANY(ARRAY(SELECT offering_id FROM wanted))
            UNION ALL
            SELECT account.offering_id, account.balance
            FROM projects_project project
            JOIN quotas_account account ON account.project_id = project.id
            WHERE project.unit_id = unit.id
              AND account.offering_id = ANY(ARRAY(SELECT offering_id FROM wanted))
        ) held
        WHERE unit.path ~>=~ top.path AND unit.path ~<~ (left(top.path, -1) || '0')
        GROUP BY held.offering_id
    ) found
    UNION ALL
    SELECT '', site.offering_id, -site.balance
    FROM quotas_account site
    WHERE site.holder = 'site'
      AND site.offering_id = ANY(ARRAY(SELECT offering_id FROM wanted))
), closest AS (
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
SELECT wanted.id, paying.id, paying.balance, paying.path, coalesce(sizes.size, paying.balance),
       closest.id, closest.unit, closest.is_shared,
       reading.used, reading.reserved, reading.limit_seen, reading.read_at
FROM wanted
LEFT JOIN paying ON paying.line_id = wanted.id
LEFT JOIN sizes ON sizes.path = paying.path AND sizes.offering_id = paying.offering_id
LEFT JOIN closest ON closest.offering_id = wanted.offering_id
LEFT JOIN quotas_target target
    ON target.project_id = wanted.project_id AND target.endpoint_id = closest.endpoint_id
LEFT JOIN quotas_reading reading
    ON reading.target_id = target.id AND reading.limit_id = closest.id
   AND reading.used IS NOT NULL
"""


@dataclass(frozen=True)
class _Glance:
    """A row of the statement."""

    line_id: int
    source_id: int | None
    source_balance: int
    source_path: str
    source_size: Any  # a sum is numeric in PostgreSQL
    limit_id: int | None
    limit_unit: str
    is_shared: bool
    used: int | None
    reserved: int | None
    limit_seen: int | None
    read_at: datetime

    @property
    def source(self) -> Account | None:
        if self.source_id is None:
            return None
        unit = Unit(path=self.source_path) if self.source_path else None
        return Account(pk=self.source_id, balance=self.source_balance, unit=unit)

    @property
    def envelope(self) -> Fill | None:
        if self.source_id is None:
            return None
        size = int(self.source_size)
        return Fill(promised=size - self.source_balance, size=size)

    @property
    def use(self) -> Use | None:
        if self.limit_id is None or self.used is None:
            return None
        return Use(
            limit=Limit(pk=self.limit_id, unit=self.limit_unit),
            used=self.used,
            reserved=0 if self.reserved is None else self.reserved,
            limit_seen=self.limit_seen,
            read_at=self.read_at,
            is_shared=self.is_shared,
        )


def figures_at_a_glance(
    lines: Collection[RequestLine], mandates: Collection[Mandate], now: datetime
) -> dict[int, LineFigures]:
    """{line id: its figures} in the order of the lines.

    lines: as `lines_of_page` gives them. mandates: what the person
    holds there. One query, and two for what is consumed of bounds.
    """
    if not lines:
        return {}
    glances = _look(lines)
    wanted = [(line.project_id, line.offering_id) for line in lines]
    consumed = used_by_many(mandates, wanted, now)
    held = {
        project.pk: tuple(deciding_for(mandates, project))
        for project in {line.project_id: line.project for line in lines}.values()
    }
    found = {}
    for line in lines:
        glance = glances[line.pk]
        source = glance.source
        found[line.pk] = LineFigures(
            line=line,
            balance=line.quota,  # type: ignore[attr-defined]  # annotated by lines_of_page
            sources=(source,) if source else (),
            envelope=glance.envelope,
            zone=None,
            use=glance.use,
            mandates=held[line.project_id],
            used=consumed[line.project_id],
            is_to_decide=line.is_to_decide,  # type: ignore[attr-defined]  # as above
            endorsed=line.endorsed,  # type: ignore[attr-defined]  # as above
        )
    return found


def _look(lines: Collection[RequestLine]) -> dict[int, _Glance]:
    paths = {above for line in lines for above in ancestor_paths(line.project.unit.path)}
    with connection.cursor() as cursor:
        cursor.execute(GLANCE, {"lines": [line.pk for line in lines], "paths": sorted(paths)})
        return {row[0]: _Glance(*row) for row in cursor.fetchall()}
