"""What Remit's tables say, in plain SQL: not through the code that wrote them."""

from dataclasses import dataclass

import psycopg

# What each managed limit must be: Σ quota × factor, in the service's own units.
_WANTED = """
    SELECT target.id AS target_id, lim.id AS limit_id, project.name AS project,
           endpoint.slug AS endpoint, endpoint.driver, endpoint.region_name, lim.key,
           (COALESCE(SUM(account.balance * contribution.factor), 0) / lim.step)::bigint AS units
      FROM quotas_target target
      JOIN projects_project project ON project.id = target.project_id
      JOIN quotas_endpoint endpoint ON endpoint.id = target.endpoint_id
      JOIN quotas_limit lim ON lim.endpoint_id = endpoint.id
      LEFT JOIN quotas_contribution contribution ON contribution.limit_id = lim.id
      LEFT JOIN quotas_account account
             ON account.offering_id = contribution.offering_id
            AND account.project_id = target.project_id
     GROUP BY target.id, lim.id, project.id, endpoint.id
"""
# Limits all of whose granted lines are called applied, with the last of these lines.
_CALLED_APPLIED = """
    SELECT delivery.target_id, contribution.limit_id, MAX(delivery.id) AS delivery_id
      FROM quotas_delivery delivery
      JOIN quotas_target target ON target.id = delivery.target_id
      JOIN quotas_decisionline decided ON decided.id = delivery.decision_line_id
      JOIN quotas_requestline line ON line.id = decided.line_id
      JOIN quotas_contribution contribution ON contribution.offering_id = line.offering_id
      JOIN quotas_limit lim
        ON lim.id = contribution.limit_id AND lim.endpoint_id = target.endpoint_id
     GROUP BY delivery.target_id, contribution.limit_id
    HAVING bool_and(delivery.applied_at IS NOT NULL)
"""


@dataclass(frozen=True)
class LimitRow:
    """A managed limit of a project at a service, and what the ledger says it must be."""

    target_id: int
    limit_id: int
    project: str
    endpoint: str
    driver: str
    region: str
    key: str
    units: int


@dataclass(frozen=True)
class Claim:
    """Remit says that this limit was read back as `units`; `delivery_id` tells claims apart."""

    external_id: str
    limit: LimitRow
    delivery_id: int


@dataclass(frozen=True)
class TargetRow:
    """How far a target is."""

    target_id: int
    project: str
    endpoint: str
    state: str
    is_true: bool
    error_code: str
    error_words: str

    def __str__(self) -> str:
        return f"{self.project} at {self.endpoint}"


@dataclass(frozen=True)
class ProjectRow:
    """A project, its tag in clouds, and what its identity endpoint calls it ("": not known)."""

    name: str
    tag: str
    external_id: str


def limits(connection: psycopg.Connection) -> list[LimitRow]:
    return [LimitRow(*row) for row in connection.execute(_WANTED)]


def written(connection: psycopg.Connection) -> set[tuple[int, int]]:
    """(target, limit) of those that were ever written."""
    return {
        (target_id, limit_id)
        for target_id, limit_id in connection.execute(
            "SELECT target_id, limit_id FROM quotas_reading WHERE written IS NOT NULL"
        )
    }


def claims(connection: psycopg.Connection) -> dict[tuple[int, int], Claim]:
    """{(target, limit): what is claimed of it}, from one snapshot."""
    rows = connection.execute(
        f"""
        SELECT handle.external_id, applied.delivery_id, wanted.*
          FROM ({_WANTED}) wanted
          JOIN ({_CALLED_APPLIED}) applied USING (target_id, limit_id)
          JOIN quotas_target target ON target.id = wanted.target_id
          JOIN quotas_endpoint endpoint ON endpoint.id = target.endpoint_id
          JOIN quotas_projecthandle handle
            ON handle.project_id = target.project_id
           AND handle.identity_id = endpoint.identity_id
        """  # noqa: S608 texts of this module
    )
    found = [Claim(row[0], LimitRow(*row[2:]), row[1]) for row in rows]
    return {(claim.limit.target_id, claim.limit.limit_id): claim for claim in found}


def targets(connection: psycopg.Connection) -> list[TargetRow]:
    return [
        TargetRow(*row)
        for row in connection.execute(
            """
            SELECT target.id, project.name, endpoint.slug, target.state,
                   target.applied_generation = target.generation,
                   target.error_code, target.error_words
              FROM quotas_target target
              JOIN projects_project project ON project.id = target.project_id
              JOIN quotas_endpoint endpoint ON endpoint.id = target.endpoint_id
             ORDER BY project.name, endpoint.slug
            """
        )
    ]


def projects(connection: psycopg.Connection) -> list[ProjectRow]:
    return [
        ProjectRow(name, f"remit:{public_id}", external_id)
        for name, public_id, external_id in connection.execute(
            """
            SELECT project.name, project.public_id, COALESCE(handle.external_id, '')
              FROM projects_project project
              LEFT JOIN quotas_projecthandle handle ON handle.project_id = project.id
             ORDER BY project.name
            """
        )
    ]


def troubles(connection: psycopg.Connection) -> dict[str, int]:
    """{kind of trouble: how often deliveries fell into it}, from the record of events.

    `below_usage` are the refusals of those that wanted less than was in use.
    """
    rows = connection.execute(
        """
        SELECT CASE data ->> 'code' WHEN 'below_usage' THEN 'below_usage' ELSE verb END, COUNT(*)
          FROM projects_event
         WHERE subject_kind = 'target' AND verb IN ('retrying', 'refused', 'applied')
         GROUP BY 1
        """
    )
    return dict(rows.fetchall())
