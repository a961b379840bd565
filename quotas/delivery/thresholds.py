"""Use that rises to a share of its limit: found from what was read, told once, and ended.

Judged from the readings that are stored, never from how they changed: so nothing is missed where
somebody was killed between storing and telling, and a row of `Crossing` says that it was told.
A crossing ends well below its share, so that use that goes up and down around it is told of once.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from portal.lib.locks import lock_ids
from projects.actions.events import record
from projects.models import Project
from projects.outgoing.notices import tell_all_of
from projects.states import NoticeKind, ProjectState
from quotas.actions.calendar import managers_of
from quotas.models import Crossing, Endpoint, Limit, Reading, Target, UsageThresholds

# Of the limit, in per cents: a crossing ends that far below its share, or at half of it.
SLACK = 5
# Nobody who empties a project wants to be told what is in it.
_TOLD_OF = (ProjectState.ACTIVE, ProjectState.SUSPENDED)

# Of each limit that is there: how much of it is taken, and the shares that its people chose.
_FACED = """
    SELECT reading.target_id, reading.limit_id, target.project_id, target.endpoint_id,
           reading.used + COALESCE(reading.reserved, 0) AS taken, reading.limit_seen AS bound,
           %(site)s::smallint[] || COALESCE(own.percents, '{{}}') AS percents
    FROM {reading} reading
    JOIN {target} target ON target.id = reading.target_id
    JOIN {project} project ON project.id = target.project_id AND project.state = ANY(%(told_of)s)
    JOIN {limit} lim ON lim.id = reading.limit_id AND lim.left_out_at IS NULL
    LEFT JOIN {own} own ON own.project_id = target.project_id
    WHERE reading.target_id = ANY(%(targets)s) AND reading.used IS NOT NULL
      AND reading.limit_seen > 0
"""
_CROSSED = f"""
WITH faced AS ({_FACED})
SELECT DISTINCT faced.project_id, faced.endpoint_id, faced.target_id, faced.limit_id,
       chosen.percent, faced.taken, faced.bound
FROM faced CROSS JOIN LATERAL unnest(faced.percents) AS chosen(percent)
WHERE faced.taken::numeric * 100 >= faced.bound::numeric * chosen.percent
  AND NOT EXISTS (
      SELECT 1 FROM {{crossing}} known
      WHERE known.target_id = faced.target_id AND known.limit_id = faced.limit_id
        AND known.percent = chosen.percent AND known.ended_at IS NULL
  )
ORDER BY faced.project_id, faced.target_id, faced.limit_id, chosen.percent
"""  # noqa: S608 - of our own words
# What cannot be seen now ends nothing.
_OVER = f"""
WITH faced AS ({_FACED})
SELECT known.id
FROM {{crossing}} known
JOIN {{target}} target ON target.id = known.target_id
JOIN {{endpoint}} endpoint ON endpoint.id = target.endpoint_id AND endpoint.gaps = '[]'
LEFT JOIN faced ON faced.target_id = known.target_id AND faced.limit_id = known.limit_id
WHERE known.target_id = ANY(%(targets)s) AND known.ended_at IS NULL
  AND (faced.limit_id IS NULL OR NOT known.percent = ANY(faced.percents)
       OR faced.taken::numeric * 100
          < faced.bound::numeric * GREATEST(known.percent - %(slack)s, known.percent / 2.0))
"""  # noqa: S608 - of our own words


@dataclass(frozen=True)
class _Found:
    """A share that was reached and that nobody was told of; amounts in base units."""

    project_id: int
    endpoint_id: int
    target_id: int
    limit_id: int
    percent: int
    taken: int
    bound: int


def look(target_ids: Collection[int], now: datetime) -> None:
    """See what the last readings of these targets mean; two queries where that is nothing new."""
    over = [pk for (pk,) in _rows(_OVER, target_ids)]
    if over:
        with transaction.atomic():
            held = lock_ids(Crossing.objects.filter(pk__in=over, ended_at__isnull=True))
            Crossing.objects.filter(pk__in=held).update(ended_at=now)
    by_project: dict[int, list[_Found]] = defaultdict(list)
    for row in _rows(_CROSSED, target_ids):
        found = _Found(*row)
        by_project[found.project_id].append(found)
    for project_id, some in by_project.items():
        _tell(project_id, some, now)


def _rows(statement: str, target_ids: Collection[int]) -> list[tuple[int, ...]]:
    models = {
        "reading": Reading, "target": Target, "project": Project, "limit": Limit,
        "own": UsageThresholds, "crossing": Crossing, "endpoint": Endpoint,
    }  # fmt: skip
    quote = connection.ops.quote_name
    tables = {name: quote(model._meta.db_table) for name, model in models.items()}
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(**tables),
            {
                "targets": list(target_ids), "slack": SLACK, "site": settings.USAGE_THRESHOLDS,
                "told_of": [state.value for state in _TOLD_OF],
            },
        )  # fmt: skip
        rows: list[tuple[int, ...]] = cursor.fetchall()
    return rows


def _tell(project_id: int, found: Iterable[_Found], now: datetime) -> None:
    """Note what was crossed and tell of it, both or neither; by one of those who found it."""
    with transaction.atomic():
        made = [each for each in found if _note(each, now)]
        if not made:
            return
        project = Project.objects.select_related("unit").get(pk=project_id)
        endpoint = Endpoint.objects.get(pk=made[0].endpoint_id)
        keys = dict(
            Limit.objects.filter(pk__in=[each.limit_id for each in made]).values_list("pk", "key")
        )
        event = record(
            "usage crossed", actor=None, now=now, project=project, unit=project.unit,
            subject_kind="project", subject_id=project.pk, endpoint=endpoint.slug,
            limits={
                keys[each.limit_id]: {
                    "percent": each.percent, "used": each.taken, "limit": each.bound,
                }
                for each in made
            },
        )  # fmt: skip
        tell_all_of(event, managers_of(project, now), NoticeKind.USAGE)


def _note(found: _Found, now: datetime) -> bool:
    """Whether it is noted by this; waits for another who notes the same just now."""
    table = connection.ops.quote_name(Crossing._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (target_id, limit_id, percent, used, bound, crossed_at)"  # noqa: S608 - a table's own name
            " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
            [found.target_id, found.limit_id, found.percent, found.taken, found.bound, now],
        )
        return cursor.fetchone() is not None
