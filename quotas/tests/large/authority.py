"""Who may decide what: delegations with their bounds, and rules that rest on them."""

from projects.models import Delegation
from quotas.models import BoundUse, DelegationBound, Policy, PolicyVersion

from .filler import Filler
from .sizes import BUSY_GROUP, FIRST, GROUPS, HEADS, LEVELS, LITTLE, UNITS


def delegations(filler: Filler) -> None:
    """Heads in a chain down the tree, and three handed on by each; two roots for each top."""
    common = {
        "unit_id": "u.id", "starts_at": "now - interval '300 days'",
        "created_at": "now - interval '300 days'",
        "powers": "'{decide quota,manage envelopes}'",
    }  # fmt: skip
    handed = {
        "parent_id": "up.id", "ancestors": "up.ancestors || up.id", "grantor_id": "up.user_id"
    }  # fmt: skip
    for level in range(len(LEVELS)):
        first, last = FIRST[level] + 1, FIRST[level] + LEVELS[level]
        rows = f"projects_unit u WHERE u.id BETWEEN {first} AND {last}"
        head = {"id": "4 * u.id - 3", "user_id": "u.id", "depth": str(10 - level)}
        if level:
            up = "projects_unit u JOIN projects_delegation up ON up.id = 4 * u.parent_id - 3"
            rows = rows.replace("projects_unit u", up)
            head |= handed
        filler.put(Delegation, rows, common | head)
    below = "projects_unit u JOIN projects_delegation up ON up.id = 4 * u.id - 3"
    group = f"CASE WHEN u.id % 10 = 0 THEN {BUSY_GROUP} ELSE 2 + u.id % {GROUPS - 1} END"
    filler.put(Delegation, below, common | handed | {"id": "4 * u.id - 2", "group_id": group})
    filler.put(
        Delegation, below,
        common | handed | {
            "id": "4 * u.id - 1", "user_id": f"{UNITS} + u.id", "is_deputy": "true",
            "depth": "up.depth - 1", "ends_at": "now + interval '60 days'",
        },
    )  # fmt: skip
    specialist = {"id": "4 * u.id", "user_id": f"{2 * UNITS} + u.id"}
    filler.put(Delegation, f"{below} WHERE u.id > {LEVELS[0]}", common | handed | specialist)
    filler.put(Delegation, f"projects_unit u WHERE u.id <= {LEVELS[0]}", common | specialist)


def bounds(filler: Filler) -> None:
    """Of four resources each; specialists have vCPUs alone, with a total a year."""
    level = "array_length(d.ancestors, 1)"  # of heads
    filler.put(
        DelegationBound,
        f"projects_delegation d WHERE d.id % 4 IN (1, 3) AND d.unit_id <= {LEVELS[0]}",
        {"id": "10 * d.id", "delegation_id": "d.id"},
    )  # fmt: skip
    heads = " ".join(f"WHEN {n} THEN {most}" for n, most in enumerate(HEADS) if most is not None)
    filler.put(
        DelegationBound,
        "projects_delegation d JOIN quotas_resource s ON true "
        f"WHERE d.id % 4 IN (1, 3) AND d.unit_id > {LEVELS[0]}",
        {
            "id": "10 * d.id + s.id", "delegation_id": "d.id", "resource_id": "s.id",
            "per_decision": f"s.step * CASE {level} - (d.id % 4 = 3)::int {heads} END",
        },
    )  # fmt: skip
    filler.put(
        DelegationBound, "projects_delegation d JOIN quotas_resource s ON true WHERE d.id % 4 = 2",
        {
            "id": "10 * d.id + s.id", "delegation_id": "d.id", "resource_id": "s.id",
            "per_decision": f"s.step * {LITTLE}",
        },
    )  # fmt: skip
    filler.put(
        DelegationBound, "projects_delegation d WHERE d.id % 4 = 0",
        {"id": "10 * d.id", "delegation_id": "d.id", "resource_id": "1",
         "per_decision": str(LITTLE), "total": "100000", "period_days": "365"},
    )  # fmt: skip
    filler.put(
        BoundUse, "projects_delegation d WHERE d.id % 4 = 0",
        {"id": "d.id", "bound_id": "10 * d.id", "power": "'decide quota'", "most": "100000",
         "used": "d.id"},
    )  # fmt: skip


def policies(filler: Filler) -> None:
    """One of each unit's head, of vCPUs or RAM, one in three switched on.

    They grant up to two steps: less than anybody here asks for.
    """
    filler.put(
        Policy, "projects_unit u",
        {"id": "u.id", "unit_id": "u.id", "delegation_id": "4 * u.id - 3", "person_id": "u.id",
         "name": "'Rule of ' || u.name", "version": "2",
         "state": "CASE u.id % 3 WHEN 0 THEN 'on' WHEN 1 THEN 'off' ELSE 'draft' END"},
    )  # fmt: skip
    filler.put(
        PolicyVersion,
        "projects_unit u JOIN quotas_resource s ON s.id = 1 + u.id % 2, generate_series(1, 2) v",
        {"id": "2 * u.id - 2 + v", "policy_id": "u.id", "number": "v", "resource_id": "s.id",
         "most_amount": "v * s.step", "made_by_id": "u.id", "every_days": "30",
         "envelope_left_percent": "1"},
    )  # fmt: skip
