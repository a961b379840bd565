"""A large site for tests of cost: 5,000 units, 20,000 delegations, 10,000 open lines.

Made by INSERT … SELECT in a few seconds, the same each time. Every row follows from its number,
so that a test can name a decider of many or of few, and a project of theirs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction
from django.db.models import Model
from django.db.models.fields import NOT_PROVIDED

from projects.models import (
    Delegation,
    Event,
    Group,
    GroupMembership,
    Membership,
    Notice,
    Project,
    ProjectPlacement,
    Unit,
    UnitPlacement,
    User,
)
from quotas.models import (
    Account,
    Assignment,
    BoundUse,
    Contribution,
    Decision,
    DecisionLine,
    DelegationBound,
    Delivery,
    Endpoint,
    Limit,
    Offering,
    QuotaRequest,
    Reading,
    Region,
    RequestLine,
    Resource,
    Target,
    Transfer,
    Zone,
)

# Units of each level, the top first; the n-th hangs below the n-th (modulo) of the level above.
LEVELS = (5, 25, 170, 1200, 3600)
UNITS = sum(LEVELS)
FIRST = tuple(sum(LEVELS[:level]) for level in range(len(LEVELS)))  # units before a level
# Each unit has a head, a group that its head lets decide little, a deputy of the head, and a
# specialist for one resource with a total: delegations 4u-3 to 4u of unit u.
DELEGATIONS = 4 * UNITS
GROUPS = 200
BUSY_GROUP = 1  # decides for every tenth unit
REGIONS, GIB = 5, 2**30
# Units from the third level on have a project each, and it a request with two open lines.
FIRST_WITH_PROJECT = FIRST[2] + 1
OPEN_LINES = 10_000
DECIDED = 40_000
# What a head may grant at once, in steps, by level; None: anything.
HEADS = (None, 2000, 1000, 500, 200)
LITTLE = 10
AMOUNTS = (5, 50, 300)  # what lines ask for on top, in steps: for the group, the head, one above


@dataclass(frozen=True)
class LargeSite:
    """Who is who: people are found by number, as everything here is."""

    now: datetime

    def head_of(self, unit: int) -> User:
        return User.objects.get(pk=unit)

    def owner_of(self, unit: int) -> User:
        """Of the unit's project."""
        return User.objects.get(pk=3 * UNITS + unit)

    @property
    def busy(self) -> User:
        """A member of the group that decides for every tenth unit."""
        return User.objects.get(pk=4 * UNITS + BUSY_GROUP)

    def project_of(self, unit: int) -> Project:
        return Project.objects.select_related("unit").get(pk=unit)


def make_large_site(now: datetime) -> LargeSite:
    """Fill an empty, migrated database, and let the planner look at it."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Rows that follow from a formula need no look at each foreign key.
        cursor.execute("SET LOCAL session_replication_role = replica")
        filler = _Filler(now)
        for fill in (
            _catalogue, _people, _units, _delegations, _bounds, _projects, _ledger, _clouds,
            _history, _open_requests, _assignments, _record,
        ):  # fmt: skip
            fill(filler)
        for sql in connection.ops.sequence_reset_sql(no_style(), filler.models):
            cursor.execute(sql)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
    return LargeSite(now)


class _Filler:
    """Writes INSERT … SELECT with the defaults of the models, which the database does not know."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.models: list[type[Model]] = []

    def put(self, model: type[Model], rows: str, values: Mapping[str, str]) -> None:
        """rows: what comes after FROM; values: {column: SQL}; `now` is a column of it."""
        found = {**_defaults(model), **values}
        columns = ", ".join(f'"{each}"' for each in found)
        sql = (
            f'INSERT INTO "{model._meta.db_table}" ({columns}) '
            f"SELECT {', '.join(found.values())} "
            f"FROM (SELECT {{now}}::timestamptz AS now) moment, {rows}"
        )
        with connection.cursor() as cursor:
            cursor.execute(sql.replace("%", "%%").replace("{now}", "%s"), [self.now])
        self.models.append(model)


def _defaults(model: type[Model]) -> dict[str, str]:
    """{column: SQL} of all columns that the database fills by nothing but NULL."""
    found: dict[str, str] = {}
    for each in model._meta.concrete_fields:
        if each.primary_key or each.db_default is not NOT_PROVIDED:
            continue
        default: Any = each.get_default()
        if each.null:
            found[str(each.column)] = "NULL"
        elif isinstance(default, bool | int):
            found[str(each.column)] = str(default).lower()
        elif isinstance(default, str):
            found[str(each.column)] = f"'{default}'"
        elif each.get_internal_type() == "UUIDField":
            found[str(each.column)] = "gen_random_uuid()"
        elif each.get_internal_type() == "JSONField" or each.get_internal_type() == "ArrayField":
            found[str(each.column)] = "'{}'"
        elif each.get_internal_type() == "DateTimeField":
            found[str(each.column)] = "now - interval '900 days'"
    return found


def _catalogue(filler: _Filler) -> None:
    """Five regions with three compute and three storage zones each: 60 offerings."""
    each = f"generate_series(1, {REGIONS})"
    filler.put(Region, f"{each} r", {"id": "r", "slug": "'r' || r", "name": "'r' || r"})
    filler.put(
        Zone,
        f"{each} r, generate_series(0, 5) z",
        {
            "id": "6 * r - 5 + z", "region_id": "r", "slug": "'z' || z", "name": "'zone ' || z",
            "kind": "CASE WHEN z < 3 THEN 'compute' ELSE 'storage' END", "order": "z",
        },
    )  # fmt: skip
    resources = (("vcpu", "", 1), ("ram", "B", GIB), ("space", "B", GIB), ("volumes", "", 1))
    for number, (slug, unit, step) in enumerate(resources, 1):
        Resource.objects.create(
            pk=number, slug=slug, name=slug, unit=unit, step=step, order=number
        )  # fmt: skip
    filler.models.append(Resource)
    filler.put(
        Offering,
        "quotas_zone z JOIN quotas_region r ON r.id = z.region_id "
        "JOIN quotas_resource s ON (z.kind = 'compute') = (s.id <= 2)",
        {
            "id": "2 * z.id - s.id % 2", "zone_id": "z.id", "resource_id": "s.id",
            "slug": "r.slug || '.' || z.slug || '.' || s.slug",
        },
    )  # fmt: skip
    filler.put(
        Endpoint, "(SELECT 1) one",
        {"id": "1", "slug": "'keystone'", "name": "'Keystone'", "driver": "'keystone'",
         "cloud": "'sandbox'"},
    )  # fmt: skip
    filler.put(
        Endpoint, f"{each} r, generate_series(0, 1) k",
        {
            "id": "2 * r + k", "region_id": "r", "identity_id": "1", "cloud": "'sandbox'",
            "slug": "(CASE k WHEN 0 THEN 'nova-r' ELSE 'cinder-r' END) || r", "name": "'e' || r",
            "driver": "CASE k WHEN 0 THEN 'nova' ELSE 'cinder' END", "region_name": "'r' || r",
        },
    )  # fmt: skip
    filler.put(
        Limit, "quotas_offering o JOIN quotas_zone z ON z.id = o.zone_id",
        {"id": "o.id", "endpoint_id": "2 * z.region_id + (z.kind = 'storage')::int",
         "key": "o.slug", "name": "o.slug", "step": "1"},
    )  # fmt: skip
    filler.put(
        Contribution, "quotas_offering o", {"id": "o.id", "offering_id": "o.id", "limit_id": "o.id"}
    )


def _people(filler: _Filler) -> None:
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


def _units(filler: _Filler) -> None:
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


def _delegations(filler: _Filler) -> None:
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


def _bounds(filler: _Filler) -> None:
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


def _projects(filler: _Filler) -> None:
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


def _ledger(filler: _Filler) -> None:
    """Pool to 25 envelopes to projects: four offerings each, five grants of ten steps of each."""
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
         "unit_id": "u.id"},
    )  # fmt: skip
    # In the project's region, zones 0 (vCPUs, RAM) and 3 (space, volumes).
    filler.put(
        Account, "projects_project p, generate_series(0, 3) n",
        {
            "id": "100000 + 4 * p.id + n", "holder": "'project'", "project_id": "p.id",
            "offering_id": "CASE WHEN n < 2 THEN 1 ELSE 7 END"
            f" + 12 * (p.id % {REGIONS}) + CASE WHEN n < 2 THEN n ELSE n - 2 END",
        },
    )  # fmt: skip
    for kind, debit, steps, days in (
        ("issue", "o.id", 10**9, 850),
        ("fund", "100 + o.id", 10**7, 840),
    ):
        rows = "quotas_offering o JOIN quotas_resource s ON s.id = o.resource_id"
        credit = "100 + o.id"
        if kind == "fund":
            rows += " JOIN quotas_account a ON a.offering_id = o.id AND a.holder = 'unit'"
            credit = "a.id"
        filler.put(
            Transfer, rows,
            {"offering_id": "o.id", "debit_id": debit, "credit_id": credit, "kind": f"'{kind}'",
             "amount": f"s.step * {steps}", "at": f"now - interval '{days} days'"},
        )  # fmt: skip
    filler.put(
        Transfer,
        "quotas_account a JOIN quotas_offering o ON o.id = a.offering_id "
        "JOIN quotas_resource s ON s.id = o.resource_id "
        "JOIN projects_unit u ON u.id = a.project_id "
        "JOIN projects_unit top ON top.path = "
        "split_part(u.path, '/', 1) || '/' || split_part(u.path, '/', 2) || '/' "
        "CROSS JOIN generate_series(1, 5) t",
        {
            "offering_id": "o.id", "debit_id": "1000 + 100 * top.id + o.id", "credit_id": "a.id",
            "kind": "'grant'", "amount": "s.step * 10",
            "at": "now - (100 * t || ' days')::interval",
        },
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE quotas_account a SET balance = moved.amount FROM (SELECT id, sum(amount) amount"
            " FROM (SELECT credit_id id, amount FROM quotas_transfer UNION ALL"
            " SELECT debit_id, -amount FROM quotas_transfer) m GROUP BY id) moved"
            " WHERE moved.id = a.id"
        )


def _clouds(filler: _Filler) -> None:
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
        "WHERE l.id % 12 IN (1, 2, 7)",
        {
            "target_id": "t.id", "limit_id": "l.id", "limit_seen": "l.step * 50",
            "used": "l.step * (t.id % 50)", "reserved": "0", "read_at": "now - interval '1 hour'",
        },
    )  # fmt: skip


def _history(filler: _Filler) -> None:
    """Decided long enough ago that no window looks at it."""
    place = f"{FIRST_WITH_PROJECT} + n % 4800"
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


def _open_requests(filler: _Filler) -> None:
    """Two lines each, vCPUs and space, of 5,000 requests: some projects have a second one."""
    count = OPEN_LINES // 2
    place = f"{FIRST_WITH_PROJECT} + (n - 1) % {UNITS - FIRST_WITH_PROJECT + 1}"
    rows = f"generate_series(1, {count}) n JOIN projects_project p ON p.id = {place}"
    at = "now - interval '1 hour' - n * interval '1 minute'"
    filler.put(
        QuotaRequest, rows,
        {"id": f"{DECIDED} + n", "project_id": "p.id", "requester_id": f"{3 * UNITS} + p.id",
         "reason": "'More of it'", "submitted_at": at, "created_at": at, "updated_at": at},
    )  # fmt: skip
    amounts = "(ARRAY[" + ", ".join(map(str, AMOUNTS)) + "])[1 + n % 3]"
    second = f"n > {UNITS - FIRST_WITH_PROJECT + 1}"
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


def _assignments(filler: _Filler) -> None:
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
            f"{lines} JOIN projects_delegation d ON d.id IN "
            f"(SELECT 4 * ({place}) - k FROM unnest(ARRAY[{offsets}]) k) "
            f"{open_lines} AND {condition} AND (d.id % 4 <> 0 OR s.id = 1)",
            common | {
                "delegation_id": "d.id", "user_id": "d.user_id", "group_id": "d.group_id",
                "kind": f"'{kind}'", "ends_at": "d.ends_at",
            },
        )  # fmt: skip


def _record(filler: _Filler) -> None:
    at = "now - interval '60 days' - n * interval '5 minutes'"
    project = f"{FIRST_WITH_PROJECT} + n % 4800"
    filler.put(
        Event, "generate_series(1, 150000) n",
        {"id": "n", "at": at, "actor_id": f"{3 * UNITS} + {project}", "verb": "'submitted'",
         "project_id": project, "subject_kind": "'request'", "subject_id": f"1 + n % {DECIDED}"},
    )  # fmt: skip
    filler.put(
        Notice, "generate_series(1, 100000) n",
        {"id": "n", "event_id": "n", "person_id": f"{3 * UNITS} + {project}",
         "kind": "'decided'", "at": at},
    )  # fmt: skip
