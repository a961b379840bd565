"""People, groups, units and projects, with what they were before."""

from projects.models import (
    Group,
    GroupMembership,
    Membership,
    Project,
    ProjectPlacement,
    Unit,
    UnitPlacement,
    User,
)

from .filler import Filler
from .sizes import FIRST, FIRST_WITH_PROJECT, GROUPS, LEVELS, UNITS


def people(filler: Filler) -> None:
    """Heads, deputies, specialists and owners, one of each for each unit; members of groups."""
    filler.put(
        User, f"generate_series(1, {4 * UNITS + 5 * GROUPS}) p",
        {"id": "p", "subject": "'p' || p", "name": "'Person ' || p", "password": "'!'",
         "issuer": "'local'"},
    )  # fmt: skip
    filler.put(
        Group, f"generate_series(1, {GROUPS}) g",
        {"id": "g", "external_id": "'g' || g", "name": "'Group ' || g"},
    )  # fmt: skip
    filler.put(
        GroupMembership, f"generate_series(1, {5 * GROUPS}) m",
        {"id": "m", "group_id": f"1 + (m - 1) % {GROUPS}", "user_id": f"{4 * UNITS} + m",
         "starts_at": "now - interval '900 days'"},
    )  # fmt: skip


def units(filler: Filler) -> None:
    for level, count in enumerate(LEVELS):
        above = f"{FIRST[level - 1]} + 1 + (n - 1) % {LEVELS[level - 1]}" if level else "NULL"
        joined = f" JOIN projects_unit above ON above.id = {above}" if level else ""
        filler.put(
            Unit, f"generate_series(1, {count}) n{joined}",
            {
                "id": f"{FIRST[level]} + n", "slug": f"'u' || {FIRST[level]} + n",
                "name": f"'Unit ' || {FIRST[level]} + n", "parent_id": above,
                "path": ("above.path" if level else "''") + f" || 'u' || {FIRST[level]} + n || '/'",
                "escalate_after_days": "5" if level == 0 else "NULL",
            },
        )  # fmt: skip
    filler.put(
        UnitPlacement, "projects_unit u",
        {"id": "u.id", "unit_id": "u.id", "parent_id": "u.parent_id",
         "starts_at": "now - interval '900 days'"},
    )  # fmt: skip


def projects(filler: Filler) -> None:
    rows = f"projects_unit u WHERE u.id >= {FIRST_WITH_PROJECT}"
    filler.put(
        Project, rows,
        {"id": "u.id", "slug": "'p' || u.id", "name": "'Project ' || u.id", "unit_id": "u.id",
         "created_at": "now - interval '800 days'"},
    )  # fmt: skip
    began = {"starts_at": "now - interval '800 days'"}
    filler.put(
        ProjectPlacement, rows, began | {"id": "u.id", "project_id": "u.id", "unit_id": "u.id"}
    )
    for number, (role, person) in enumerate((
        ("owner", f"{3 * UNITS} + u.id"),
        ("member", f"{3 * UNITS} + 1 + u.id % {UNITS}"),
    )):  # fmt: skip
        filler.put(
            Membership, rows,
            began | {"id": f"2 * u.id - {number}", "project_id": "u.id", "user_id": person,
                     "role": f"'{role}'"},
        )  # fmt: skip
