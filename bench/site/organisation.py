"""Who there is: people, groups, the tree of units, projects and who works in them."""

from datetime import datetime
from random import Random
from uuid import UUID

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
from quotas.models import HolderHandle, ProjectHandle

from . import words
from .copying import Sheets
from .numbers import MEMBERS_OF_A_GROUP, Numbers
from .record import Record
from .times import Clock

REMIND_AFTER_DAYS, ESCALATE_AFTER_DAYS = 100, 200
WORKING_GROUP_SIZE = 8
EVERY_THIRD = 3


def public_id(chance: Random) -> str:
    return str(UUID(int=chance.getrandbits(128), version=4))


def people(sheets: Sheets, record: Record, numbers: Numbers, chance: Random, clock: Clock) -> None:
    rows = sheets.of(
        User, "id", "public_id", "subject", "name", "mail", "password", "is_operator", "joined_at"
    )
    for person in range(1, numbers.scale.people + 1):
        at, name = clock(), words.person(person)
        rows.add(
            person, public_id(chance), f"u{person:05d}", name, f"u{person:05d}@example.org",
            "!", person == numbers.operator, at,
        )  # fmt: skip
        record.add("person arrived", at, actor=person, kind="user", subject=person)


def groups(
    sheets: Sheets, record: Record, numbers: Numbers, chance: Random, clock: Clock
) -> datetime:
    """Those that decide, then those that work in projects; since when everybody is in them."""
    scale, at = numbers.scale, clock()
    rows = sheets.of(Group, "id", "public_id", "external_id", "name")
    members = sheets.of(GroupMembership, "id", "group_id", "user_id", "starts_at")
    count = 0
    for group in range(1, scale.deciding_groups + scale.working_groups + 1):
        decides = group <= scale.deciding_groups
        name = f"{words.field(group)} {'deciders' if decides else 'team'} {group}"
        rows.add(group, public_id(chance), f"group-{group}", name)
        record.add("group made", at, kind="group", subject=group)
        for place in range(MEMBERS_OF_A_GROUP if decides else WORKING_GROUP_SIZE):
            count += 1
            person = (
                numbers.member(group, place)
                if decides
                else numbers.worker(WORKING_GROUP_SIZE * group + place)
            )
            members.add(count, group, person, at)
    return at


def units(sheets: Sheets, record: Record, numbers: Numbers, clock: Clock) -> dict[int, str]:
    """{unit: its path}."""
    rows = sheets.of(
        Unit, "id", "slug", "name", "parent_id", "path", "remind_after_days", "escalate_after_days"
    )
    placements = sheets.of(UnitPlacement, "id", "unit_id", "parent_id", "starts_at")
    paths: dict[int, str] = {}
    for unit in range(1, numbers.scale.units + 1):
        at, parent = clock(), numbers.parent(unit)
        slug = f"u{unit}"
        paths[unit] = f"{paths[parent] if parent else ''}{slug}/"
        waits = (None, None) if parent else (REMIND_AFTER_DAYS, ESCALATE_AFTER_DAYS)
        rows.add(unit, slug, f"{words.field(unit)} {unit}", parent, paths[unit], *waits)
        placements.add(unit, unit, parent, at)
        record.add("unit made", at, actor=numbers.operator, unit=unit, kind="unit", subject=unit)
    return paths


def projects(
    sheets: Sheets, record: Record, numbers: Numbers, chance: Random, clock: Clock
) -> None:
    rows = sheets.of(
        Project,
        "id",
        "public_id",
        "slug",
        "name",
        "description",
        "purpose",
        "unit_id",
        "created_at",
    )
    placements = sheets.of(ProjectPlacement, "id", "project_id", "unit_id", "starts_at")
    handles = sheets.of(
        ProjectHandle, "id", "project_id", "identity_id", "external_id", "told_name", "created_at",
        "told_description",
    )  # fmt: skip
    for project in range(1, numbers.scale.projects + 1):
        at, unit = clock(), numbers.unit_of(project)
        name = f"{words.field(project)[:24]} {words.part(project)} {project}"
        about = words.reason(project * 131)[:200]
        rows.add(
            project, public_id(chance), f"p{project}", name, name.capitalize(), about, unit, at
        )
        placements.add(project, project, unit, at)
        handles.add(project, project, 1, UUID(int=chance.getrandbits(128)).hex, name, at,
                    name.capitalize())  # fmt: skip
        record.add(
            "project made", at, actor=numbers.operator, project=project, unit=unit,
            kind="project", subject=project,
        )  # fmt: skip
        _roles(sheets, numbers, project, at)


def _roles(sheets: Sheets, numbers: Numbers, project: int, at: datetime) -> None:
    """An owner, a manager, two members, of every third a group of readers."""
    rows = sheets.of(Membership, "id", "project_id", "user_id", "group_id", "role", "starts_at")
    for place, role in enumerate(("owner", "manager", "member", "member")):
        rows.add(
            5 * project + place, project, numbers.worker(project - 1 + place), None, role, at
        )  # fmt: skip
    if project % EVERY_THIRD == 0:
        group = numbers.scale.deciding_groups + 1 + project % numbers.scale.working_groups
        rows.add(5 * project + 4, project, None, group, "reader", at)


def holder_handles(sheets: Sheets, numbers: Numbers, chance: Random) -> None:
    """What Keystone calls everybody who works in projects."""
    rows = sheets.of(HolderHandle, "id", "user_id", "identity_id", "external_id")
    for count, person in enumerate(range(numbers.operator + 1, numbers.scale.people + 1), 1):
        rows.add(count, person, 1, UUID(int=chance.getrandbits(128)).hex)
