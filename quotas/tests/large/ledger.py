"""What was promised to whom, and the movements that explain it."""

from django.db import connection

from quotas.models import Account, EnvelopeAct, Loan, Transfer

from .filler import Filler
from .sizes import FIRST, LEVELS, REGIONS, WIDE


def accounts(filler: Filler) -> None:
    """Of the site, its pool, 25 envelopes, and of each project four, but of one all."""
    filler.put(
        Account, "quotas_offering o",
        {"id": "o.id", "offering_id": "o.id", "holder": "'site'"},
    )  # fmt: skip
    filler.put(
        Account, "quotas_offering o",
        {"id": "100 + o.id", "offering_id": "o.id", "holder": "'pool'"},
    )  # fmt: skip
    filler.put(
        Account,
        "quotas_offering o, projects_unit u "
        f"WHERE u.id BETWEEN {FIRST[1] + 1} AND {FIRST[1] + LEVELS[1]}",
        {"id": "1000 + 100 * u.id + o.id", "offering_id": "o.id", "holder": "'unit'",
         "unit_id": "u.id", "place_id": "u.id"},
    )  # fmt: skip
    # In the project's region, zones 0 (vCPUs, RAM) and 3 (space, volumes).
    filler.put(
        Account, "projects_project p, generate_series(0, 3) n",
        {
            "id": "100000 + 4 * p.id + n", "holder": "'project'", "project_id": "p.id",
            "place_id": "p.unit_id",
            "offering_id": "CASE WHEN n < 2 THEN 1 ELSE 7 END"
            f" + 12 * (p.id % {REGIONS}) + CASE WHEN n < 2 THEN n ELSE n - 2 END",
        },
    )  # fmt: skip
    filler.put(
        Account,
        f"quotas_offering o JOIN projects_project p ON p.id = {WIDE}"
        f" WHERE o.id - 12 * ({WIDE} % {REGIONS}) NOT IN (1, 2, 7, 8)",
        {
            "id": "90000 + o.id", "holder": "'project'", "project_id": "p.id",
            "place_id": "p.unit_id", "offering_id": "o.id",
        },
    )  # fmt: skip


def transfers(filler: Filler) -> None:
    """Pool to envelopes to projects; of each of their accounts five grants of ten steps."""
    steps = "quotas_offering o JOIN quotas_resource s ON s.id = o.resource_id"
    filler.put(
        Transfer, steps,
        {"id": "o.id", "offering_id": "o.id", "debit_id": "o.id", "credit_id": "100 + o.id",
         "kind": "'issue'", "amount": f"s.step * {10**9}", "at": "now - interval '850 days'"},
    )  # fmt: skip
    envelopes = f"{steps} JOIN quotas_account a ON a.offering_id = o.id AND a.holder = 'unit'"
    funded = {
        "id": "a.id", "offering_id": "o.id", "kind": "'fund'", "amount": f"s.step * {10**7}",
        "at": "now - interval '840 days'",
    }  # fmt: skip
    filler.put(EnvelopeAct, envelopes, funded | {"unit_id": "a.unit_id"})
    filler.put(
        Transfer,
        envelopes,
        funded | {"debit_id": "100 + o.id", "credit_id": "a.id", "envelope_act_id": "a.id"},
    )
    # Of RAM and volumes the first is lent, of one project in two for longer than until today.
    filler.put(
        Transfer,
        "quotas_account a JOIN quotas_offering o ON o.id = a.offering_id "
        "JOIN quotas_resource s ON s.id = o.resource_id "
        "JOIN projects_unit u ON u.id = a.project_id "
        "JOIN projects_unit top ON top.path = "
        "split_part(u.path, '/', 1) || '/' || split_part(u.path, '/', 2) || '/' "
        "CROSS JOIN generate_series(1, 5) t",
        {
            "id": "10 * a.id + t", "offering_id": "o.id", "credit_id": "a.id",
            "debit_id": "1000 + 100 * top.id + o.id", "amount": "s.step * 10",
            "kind": "CASE WHEN t = 5 AND s.id IN (2, 4) THEN 'loan' ELSE 'grant' END",
            "at": "now - (100 * t || ' days')::interval",
        },
    )  # fmt: skip
    filler.put(
        Loan, "quotas_transfer t JOIN quotas_account a ON a.id = t.credit_id WHERE kind = 'loan'",
        {
            "id": "t.id", "account_id": "t.credit_id", "source_id": "t.debit_id",
            "transfer_id": "t.id", "amount": "t.amount",
            "outstanding": "CASE a.project_id % 2 WHEN 0 THEN t.amount ELSE 0 END",
            "ends_at": "now + interval '100 days' * (1 - 2 * (a.project_id % 2))",
        },
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE quotas_account a SET balance = moved.amount FROM (SELECT id, sum(amount) amount"
            " FROM (SELECT credit_id id, amount FROM quotas_transfer UNION ALL"
            " SELECT debit_id, -amount FROM quotas_transfer) m GROUP BY id) moved"
            " WHERE moved.id = a.id"
        )
