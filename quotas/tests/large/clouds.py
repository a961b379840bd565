"""What became true at the endpoints, and what was seen there."""

from quotas.models import ProjectHandle, Reading, Target, UnitUsage, UnusedQuota, UsagePeak

from .filler import Filler
from .sizes import WIDE


def clouds(filler: Filler) -> None:
    filler.put(
        Target, "projects_project p, quotas_endpoint e",
        {
            "id": "20 * p.id + e.id", "project_id": "p.id", "endpoint_id": "e.id",
            "state": "'applied'", "applied_generation": "1", "applied_at": "now - interval '1 day'",
            "next_try_at": "now + interval '1 day'", "looked_at": "now - interval '1 hour'",
        },
    )  # fmt: skip
    filler.put(
        Reading,
        "quotas_target t JOIN quotas_limit l ON l.endpoint_id = t.endpoint_id "
        f"WHERE l.id % 12 IN (1, 2, 7) OR t.project_id = {WIDE}",
        {
            "target_id": "t.id", "limit_id": "l.id", "limit_seen": "l.step * 50",
            "used": "l.step * (t.id % 50)", "reserved": "0", "read_at": "now - interval '1 hour'",
        },
    )  # fmt: skip
    filler.put(
        UsagePeak, "quotas_reading r, generate_series(1, 2) d",
        {"target_id": "r.target_id", "limit_id": "r.limit_id", "used": "r.used",
         "limit_seen": "r.limit_seen", "day": "(now - d * interval '1 day')::date"},
    )  # fmt: skip
    # A quarter of a year of the site, its uppermost units and one limit of each service.
    days = "quotas_limit l, generate_series(0, 89) d"
    for unit, rows in (
        ("NULL", f"{days} WHERE l.id % 12 = 1"),
        ("u.id", f"{days}, projects_unit u WHERE l.id % 12 = 1 AND u.id <= 30"),
    ):
        filler.put(
            UnitUsage, rows,
            {
                "unit_id": unit, "limit_id": "l.id", "day": "(now - d * interval '1 day')::date",
                "used": "l.step * 1000", "quota": "l.step * 2000", "seen_count": "100",
                "known_count": "100", "project_count": "100",
            },
        )  # fmt: skip
    filler.put(
        UnusedQuota, "quotas_account a JOIN quotas_contribution c ON c.offering_id = a.offering_id "
        "JOIN quotas_limit l ON l.id = c.limit_id AND l.id % 12 = 1 WHERE a.project_id IS NOT NULL "
        "AND a.balance > 1",
        {
            "account_id": "a.id", "balance": "a.balance", "amount": "a.balance / 2",
            "limit_id": "l.id", "peak": "a.balance / 3", "peak_on": "now::date",
            "day_count": "90", "found_at": "now", "promised": "a.balance",
        },
    )  # fmt: skip
    filler.put(
        ProjectHandle,
        "projects_project p",
        {"id": "p.id", "project_id": "p.id", "identity_id": "1", "external_id": "'x' || p.id"},
    )
