"""What crosses regions: which transactions a site with a database for each region would split."""

from django.db import connection

from .ground import read_site
from .results import Found

# (what, how many in all, how many of them touch several regions or none in particular)
SHARES = (
    (
        "requests with lines in several regions",
        """
        SELECT count(*), count(*) FILTER (WHERE regions > 1) FROM (
            SELECT count(DISTINCT z.region_id) AS regions FROM quotas_requestline l
            JOIN quotas_offering o ON o.id = l.offering_id JOIN quotas_zone z ON z.id = o.zone_id
            GROUP BY l.request_id
        ) each
        """,
    ),
    (
        "decisions with lines in several regions",
        """
        SELECT count(*), count(*) FILTER (WHERE regions > 1) FROM (
            SELECT count(DISTINCT z.region_id) AS regions FROM quotas_decisionline d
            JOIN quotas_requestline l ON l.id = d.line_id
            JOIN quotas_offering o ON o.id = l.offering_id JOIN quotas_zone z ON z.id = o.zone_id
            GROUP BY d.decision_id
        ) each
        """,
    ),
    (
        "delegations whose bounds are not of one region",
        """
        SELECT count(*), count(*) FILTER (WHERE anywhere OR regions > 1) FROM (
            SELECT bool_or(b.zone_id IS NULL) AS anywhere, count(DISTINCT z.region_id) AS regions
            FROM quotas_delegationbound b LEFT JOIN quotas_zone z ON z.id = b.zone_id
            GROUP BY b.delegation_id
        ) each
        """,
    ),
    (
        "totals that count in all regions together",
        """
        SELECT count(*), count(*) FILTER (WHERE zone_id IS NULL) FROM quotas_delegationbound
        WHERE total IS NOT NULL
        """,
    ),
    (
        "people who decide in several regions",
        """
        SELECT count(*), count(*) FILTER (WHERE anywhere OR regions > 1) FROM (
            SELECT bool_or(b.zone_id IS NULL) AS anywhere, count(DISTINCT z.region_id) AS regions
            FROM projects_delegation d JOIN quotas_delegationbound b ON b.delegation_id = d.id
            LEFT JOIN quotas_zone z ON z.id = b.zone_id
            WHERE d.user_id IS NOT NULL GROUP BY d.user_id
        ) each
        """,
    ),
    (
        "projects with quota in several regions",
        """
        SELECT count(*), count(*) FILTER (WHERE regions > 1) FROM (
            SELECT count(DISTINCT z.region_id) AS regions FROM quotas_account a
            JOIN quotas_offering o ON o.id = a.offering_id JOIN quotas_zone z ON z.id = o.zone_id
            WHERE a.project_id IS NOT NULL AND a.balance > 0 GROUP BY a.project_id
        ) each
        """,
    ),
    (
        "transfers between accounts of two regions",
        """
        SELECT count(*), count(*) FILTER (WHERE d.offering_id <> c.offering_id)
        FROM quotas_transfer t JOIN quotas_account d ON d.id = t.debit_id
        JOIN quotas_account c ON c.id = t.credit_id
        """,
    ),
    (
        "targets whose project is at another region's identity service",
        """
        SELECT count(*), count(*) FILTER (WHERE i.region_id IS DISTINCT FROM e.region_id)
        FROM quotas_target t JOIN quotas_endpoint e ON e.id = t.endpoint_id
        JOIN quotas_endpoint i ON i.id = e.identity_id
        """,
    ),
)


def run(scale: str) -> Found:
    rows, facts = [], {}
    with read_site(scale), connection.cursor() as cursor:
        for what, sql in SHARES:
            cursor.execute(sql)
            count, crossing = cursor.fetchone()
            share = round(100 * crossing / count, 1) if count else None
            rows.append((what, count, crossing, share))
            facts[what] = share
    return Found(["", "in all", "of these", "%"], rows, facts)
