"""The two statements of every attempt: taking a target's lease, and calling it applied, on record.

Written by hand, one each: what is asked for each change of a large site is to cost little. Who may
take what, and when, says `leases`.
"""

import uuid
from datetime import datetime
from itertools import islice

from django.db import transaction
from django.db.models import Model, QuerySet

from portal.lib.columns import columns_of, instance_of, width_of
from portal.lib.compiled import Slot
from portal.lib.prepared import Prepared
from projects.models import Project
from quotas.models import Endpoint, Target
from quotas.states import TargetState

from .statements import fetch

LEASE = """
WITH wanted AS ({wanted}), leased AS (
    UPDATE quotas_target SET state = %s, lease_token = %s,
        lease_until = statement_timestamp() + make_interval(secs => %s)
    FROM wanted WHERE quotas_target.id = wanted.id
    RETURNING quotas_target.*, wanted.state AS found
)
SELECT leased.found, {target}, {project}, {endpoint}, {identity}
FROM leased
JOIN projects_project project ON project.id = leased.project_id
JOIN quotas_endpoint endpoint ON endpoint.id = leased.endpoint_id
LEFT JOIN quotas_endpoint identity ON identity.id = endpoint.identity_id
"""
_TABLES = {"target": "leased", "project": "project", "endpoint": "endpoint", "identity": "identity"}
_MODELS: tuple[type[Model], ...] = (Target, Project, Endpoint, Endpoint)

# Only the holder's, and of what a former holder may still write only that it is to be read again.
FINISH = """
WITH finished AS (
UPDATE quotas_target target SET lease_token = NULL, lease_until = NULL,
    state = CASE WHEN dirty_until > statement_timestamp() THEN %(dirty)s
                 WHEN generation > %(generation)s THEN %(due)s ELSE %(applied)s END,
    next_try_at = CASE WHEN dirty_until > statement_timestamp() THEN dirty_until
                       WHEN generation > %(generation)s THEN statement_timestamp() END,
    applied_generation = CASE WHEN dirty_until > statement_timestamp() THEN applied_generation
                              ELSE %(generation)s END,
    applied_at = CASE WHEN dirty_until > statement_timestamp() THEN applied_at
                      ELSE statement_timestamp() END,
    -- Who writes reads back: no observer need look so soon.
    looked_at = observed_at, look_error_code = '', look_error_words = '', failure_count = 0,
    error_id = '', error_kind = '', error_code = '', error_words = '', error_at = NULL
WHERE id = %(target)s AND lease_token = %(token)s AND state = %(leased)s
RETURNING id, project_id, applied_generation,
    COALESCE(dirty_until <= statement_timestamp(), TRUE) AS is_clean
), delivered AS (
    -- As deliver_lines does, where nothing is left out.
    UPDATE quotas_delivery line SET applied_at = statement_timestamp(), left_out_at = NULL
    FROM finished
    WHERE %(delivers)s AND is_clean AND line.target_id = finished.id
        AND line.generation <= %(generation)s AND line.applied_at IS NULL
), recorded AS (
    -- As projects.actions.events.record does.
    INSERT INTO projects_event (at, verb, project_id, subject_kind, subject_id, data)
    SELECT statement_timestamp(), 'applied', project_id, 'target', id,
        jsonb_build_object('endpoint', %(endpoint)s::text, 'generation', %(generation)s::bigint)
    FROM finished WHERE is_clean
)
SELECT applied_generation, statement_timestamp() FROM finished
"""


def lease_statement(wanted: QuerySet[Target]) -> Prepared:
    """What takes the lease of the first of these that nobody holds. Values: those of its slots,
    "token" and "seconds"."""
    free = wanted.select_for_update(of=("self",), no_key=True, skip_locked=True)
    # Django makes none that locks but in a transaction; it is carried out by itself.
    with transaction.atomic():
        sql, parameters = free.values("id", "state")[:1].query.sql_with_params()
    columns = {
        name: columns_of(model, table)
        for model, (name, table) in zip(_MODELS, _TABLES.items(), strict=True)
    }
    own = [TargetState.LEASED.value, Slot("token"), Slot("seconds")]
    every = [*parameters, *own]
    names = [each.name if isinstance(each, Slot) else None for each in every]
    return Prepared(LEASE.format(wanted=sql, **columns), every, names)


def leased(
    statement: Prepared, target_id: int, token: uuid.UUID, seconds: float
) -> tuple[Target, str] | None:
    """Carry it out: the target with its project and endpoints, and the state that it had."""
    rows = statement.rows({"target": target_id, "token": token, "seconds": seconds})
    if not rows:
        return None
    row = rows[0]
    values = iter(row[1:])
    target, project, endpoint, identity = (
        instance_of(model, list(islice(values, width_of(model)))) for model in _MODELS
    )
    target.project, target.endpoint = project, endpoint  # type: ignore[union-attr]  # joined
    endpoint.identity = identity  # type: ignore[union-attr]  # joined
    return target, row[0]  # type: ignore[return-value]  # the first of the models


def finished(
    target: Target, token: uuid.UUID, generation: int, *, delivers: bool
) -> tuple[int, datetime] | None:
    """The generation that is applied now, and the database's moment; None where the lease is lost.

    Where it is the one of the lease, that is recorded. delivers: also call all lines of the
    generation applied.
    """
    row = fetch(
        FINISH,
        {
            "target": target.pk, "token": token, "generation": generation,
            "endpoint": target.endpoint.slug,
            "delivers": delivers, "dirty": TargetState.DIRTY.value,
            "due": TargetState.DUE.value, "applied": TargetState.APPLIED.value,
            "leased": TargetState.LEASED.value,
        },
    )  # fmt: skip
    return None if row is None else (row[0], row[1])
