"""What was asked for and decided, what is open, and whom it waits for."""

from quotas.models import Assignment, Decision, DecisionLine, Delivery, QuotaRequest, RequestLine

from .filler import Filler
from .sizes import (
    AMOUNTS,
    DECIDED,
    FIRST,
    FIRST_WITH_PROJECT,
    GIB,
    HEADS,
    LITTLE,
    OPEN_LINES,
    PROJECTS,
    REGIONS,
    UNITS,
)


def history(filler: Filler) -> None:
    """Decided long enough ago that no window looks at it."""
    place = f"{FIRST_WITH_PROJECT} + n % {PROJECTS}"
    rows = f"generate_series(1, {DECIDED}) n JOIN projects_project p ON p.id = {place}"
    at = "now - interval '60 days' - n * interval '25 minutes'"
    filler.put(
        QuotaRequest, rows,
        {"id": "n", "project_id": "p.id", "requester_id": f"{3 * UNITS} + p.id",
         "reason": "'More of it'", "submitted_at": at, "created_at": at, "updated_at": at},
    )  # fmt: skip
    filler.put(
        RequestLine, rows,
        {"id": "n", "request_id": "n", "project_id": "p.id", "wanted": "50", "balance_seen": "40",
         "offering_id": f"1 + 12 * (p.id % {REGIONS})", "state": "'granted'"},
    )  # fmt: skip
    filler.put(
        Decision, rows,
        {"id": "n", "request_id": "n", "kind": "'approve'", "actor_id": "p.unit_id",
         "person_id": "p.unit_id", "snapshot": "'{}'", "at": at},
    )  # fmt: skip
    filler.put(
        DecisionLine, rows,
        {
            "id": "n", "decision_id": "n", "line_id": "n", "delegation_id": "4 * p.unit_id - 3",
            "source_id": f"101 + 12 * (p.id % {REGIONS})", "before": "40", "granted": "50",
        },
    )  # fmt: skip
    filler.put(
        Delivery, rows,
        {"id": "n", "decision_line_id": "n", "generation": "1", "applied_at": at,
         "target_id": f"20 * p.id + 2 + 2 * (p.id % {REGIONS})"},
    )  # fmt: skip


def open_requests(filler: Filler) -> None:
    """Two lines each, vCPUs and space, of 5,000 requests: some projects have a second one."""
    count = OPEN_LINES // 2
    place = f"{FIRST_WITH_PROJECT} + (n - 1) % {PROJECTS}"
    rows = f"generate_series(1, {count}) n JOIN projects_project p ON p.id = {place}"
    at = "now - interval '1 hour' - n * interval '1 minute'"
    filler.put(
        QuotaRequest, rows,
        {"id": f"{DECIDED} + n", "project_id": "p.id", "requester_id": f"{3 * UNITS} + p.id",
         "reason": "'More of it'", "submitted_at": at, "created_at": at, "updated_at": at},
    )  # fmt: skip
    amounts = "(ARRAY[" + ", ".join(map(str, AMOUNTS)) + "])[1 + n % 3]"
    second = f"n > {PROJECTS}"
    held = f"(CASE WHEN {second} THEN 0 ELSE 50 END)"
    step = f"(CASE k WHEN 0 THEN 1 ELSE {GIB}::bigint END)"
    filler.put(
        RequestLine, f"{rows}, generate_series(0, 1) k",
        {
            "id": f"{DECIDED} + 2 * n + k", "request_id": f"{DECIDED} + n", "project_id": "p.id",
            # Of a zone where it has something; the second request asks in another.
            "offering_id": f"1 + 6 * k + 12 * (p.id % {REGIONS}) + 2 * ({second})::int",
            "balance_seen": f"{held} * {step}", "wanted": f"({held} + {amounts}) * {step}",
            "state": "'open'", "waits_since": at, "escalate_at": "now + interval '5 days'",
            "remind_at": "now + interval '3 days'",
        },
    )  # fmt: skip


def assignments(filler: Filler) -> None:
    """As routing would make them: see `test_large_site` for the proof by routing some again."""
    lines = (
        "quotas_requestline l JOIN quotas_offering o ON o.id = l.offering_id "
        "JOIN quotas_resource s ON s.id = o.resource_id "
        "JOIN projects_project p ON p.id = l.project_id JOIN projects_unit u ON u.id = p.unit_id "
    )
    asked = "(l.wanted - l.balance_seen) / s.step"
    first_low = FIRST[4] + 1
    # The head of the unit cannot grant as much on the lowest level.
    decides = (
        f"CASE WHEN {asked} > {LITTLE} THEN CASE WHEN {asked} > {HEADS[4]} AND u.id >= {first_low} "
        "THEN u.parent_id ELSE u.id END END"
    )
    common = {"line_id": "l.id", "starts_at": "l.waits_since"}
    open_lines = "WHERE l.state = 'open'"
    for place, kinds, condition, kind in (
        (decides, (3, 1), f"{asked} > {LITTLE}", "decide"),
        ("u.id", (2, 0), f"{asked} <= {LITTLE}", "decide"),
        ("u.id", (2, 0), f"{asked} > {LITTLE}", "endorse"),
    ):
        offsets = ", ".join(str(each) for each in kinds)
        filler.put(
            Assignment,
            f"{lines} CROSS JOIN unnest(ARRAY[{offsets}]) k "
            f"JOIN projects_delegation d ON d.id = 4 * ({place}) - k "
            f"{open_lines} AND {condition} AND (d.id % 4 <> 0 OR s.id = 1)",
            common | {
                "delegation_id": "d.id", "user_id": "d.user_id", "group_id": "d.group_id",
                "kind": f"'{kind}'", "ends_at": "d.ends_at",
            },
        )  # fmt: skip
