"""Afterwards: do the notes, the ledger, the targets and the cloud say the same?

Each function yields one sentence for each difference, and counts what it has compared.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg

from contrib.soak import records
from contrib.soak.clouds import SoakCloud
from contrib.soak.notes import Fate, Note
from contrib.soak.records import LimitRow, TargetRow
from contrib.testing.plain import PlainClient

_DETAIL = {
    "nova": ("compute", "/os-quota-sets/{}/detail"),
    "cinder": ("volumev3", "/os-quota-sets/{}?usage=True"),
}
Compared = Counter[str]


def notes_and_ledger(
    connection: psycopg.Connection, notes: dict[str, Note], compared: Compared
) -> Iterator[str]:
    """Everything accepted is there once, nothing refused is, and nothing else either."""
    asked = _ids(connection, "SELECT reason, id FROM quotas_quotarequest")
    decided = _ids(connection, "SELECT reason, id FROM quotas_decision")
    for verb, found in (("requests", asked), ("decisions", decided)):
        for marker in found.keys() - notes.keys():
            yield f"{verb}: {marker!r} is in the database and was sent by nobody"
    for note in notes.values():
        kind = "requests" if note.verb == "ask" else "decisions"
        ids = (asked if note.verb == "ask" else decided).get(note.marker, [])
        compared[kind] += 1
        yield from _one_note(note, ids, kind)
        if note.fate is Fate.UNKNOWN and ids:
            compared[f"unknown {kind} found booked"] += 1


def _one_note(note: Note, ids: list[int], kind: str) -> Iterator[str]:
    name = f"{kind}: {note.marker} ({note.verb} by {note.by}, {note.fate})"
    if note.fate is Fate.ACCEPTED and ids != [note.answer_id]:
        yield f"{name} was answered as {note.answer_id} and is in the database as {ids}"
    if note.fate in (Fate.REFUSED, Fate.UNSENT) and ids:
        yield f"{name} is in the database all the same, as {ids}"
    if len(ids) > 1:
        yield f"{name} is in the database {len(ids)} times"
    if note.is_stale and ids:
        yield f"{name} rested on figures that were wrong, and was booked"
    if note.status == 401:
        yield f"{name}: the session was lost"


def decisions_and_transfers(
    connection: psycopg.Connection, notes: dict[str, Note], compared: Compared
) -> Iterator[str]:
    """Each approval granted what its note says, moved it once, and told of it once."""
    by_line: dict[int, list[int]] = defaultdict(list)
    for marker, decision, line, before, granted, moved in connection.execute(_MOVED):
        compared["granted lines"] += 1
        by_line[line].append(decision)
        if marker in notes and notes[marker].granted.get(line) != granted:
            yield f"decision {decision}: {granted} granted to line {line}, the note differs"
        if moved != granted - before:
            yield f"decision {decision}: line {line} moved {moved}, not {granted - before}"
    for line, decisions in by_line.items():
        if len(decisions) > 1:
            yield f"line {line} was granted by {len(decisions)} decisions: {decisions}"
    for decision, count in connection.execute(_EVENTS):
        compared["events of decisions"] += 1
        if count != 1:
            yield f"decision {decision} has {count} events"
    for line, expected, found in connection.execute(_DELIVERIES):
        if expected != found:
            yield f"decision line {line} has {found} deliveries, not {expected}"


# What each granted line moved into (or out of) the project's account.
_MOVED = """
    SELECT decision.reason, decision.id, decided.line_id, decided.before, decided.granted,
           COALESCE(SUM(CASE WHEN credit.holder = 'project' THEN transfer.amount
                             ELSE -transfer.amount END), 0)::bigint
      FROM quotas_decisionline decided
      JOIN quotas_decision decision ON decision.id = decided.decision_id
      LEFT JOIN quotas_transfer transfer ON transfer.decision_line_id = decided.id
      LEFT JOIN quotas_account credit ON credit.id = transfer.credit_id
     WHERE decision.kind = 'approve'
     GROUP BY decision.id, decided.id
     ORDER BY decision.id
"""
_EVENTS = """
    SELECT decision.id, COUNT(event.id)
      FROM quotas_decision decision
      LEFT JOIN projects_event event
        ON event.subject_kind = 'request' AND event.subject_id = decision.request_id
       AND (event.data ->> 'decision')::bigint = decision.id
     GROUP BY decision.id
"""
_DELIVERIES = """
    SELECT decided.id,
           (SELECT COUNT(DISTINCT lim.endpoint_id)
              FROM quotas_contribution contribution
              JOIN quotas_limit lim ON lim.id = contribution.limit_id
             WHERE contribution.offering_id = line.offering_id),
           (SELECT COUNT(*) FROM quotas_delivery delivery
             WHERE delivery.decision_line_id = decided.id)
      FROM quotas_decisionline decided
      JOIN quotas_requestline line ON line.id = decided.line_id
     WHERE decided.granted IS NOT NULL
"""


def balances(connection: psycopg.Connection, compared: Compared) -> Iterator[str]:
    """A project has what the last decision on it granted."""
    rows = connection.execute(
        """
        SELECT DISTINCT ON (line.project_id, line.offering_id)
               project.name, offering.slug, decided.granted, account.balance
          FROM quotas_decisionline decided
          JOIN quotas_requestline line ON line.id = decided.line_id
          JOIN projects_project project ON project.id = line.project_id
          JOIN quotas_offering offering ON offering.id = line.offering_id
          LEFT JOIN quotas_account account
                 ON account.project_id = line.project_id
                AND account.offering_id = line.offering_id
         WHERE decided.granted IS NOT NULL
         ORDER BY line.project_id, line.offering_id, decided.decision_id DESC
        """
    )
    for project, offering, granted, balance in rows:
        compared["balances"] += 1
        if granted != balance:
            yield f"{project} has {balance} of {offering}, the last decision granted {granted}"


def targets_and_cloud(
    connection: psycopg.Connection, cloud: SoakCloud, compared: Compared
) -> Iterator[str]:
    """Every limit in the cloud is what the ledger says, or refused for a reason that is true."""
    plain = PlainClient(cloud.clouds_yaml, cloud.cloud)
    handles = {each.name: each.external_id for each in records.projects(connection)}
    limits = defaultdict(list)
    for limit in records.limits(connection):
        limits[limit.target_id].append(limit)
    written = records.written(connection)
    for target in records.targets(connection):
        compared["targets"] += 1
        if not is_settled(target):
            yield f"{target} is {target.state} ({target.error_code}): {target.error_words}"
        managed = limits[target.target_id]
        if managed:
            service, path = _DETAIL[managed[0].driver]
            path = path.format(handles[target.project])
            found = plain.done("GET", service, path, region=managed[0].region)["quota_set"]
            compared["limits in the cloud"] += len(managed)
            yield from _limits_of(target, managed, written, found)


def is_settled(target: TargetRow) -> bool:
    """True as of now, or refused because less was granted than is in use."""
    is_refused = target.state == "refused" and target.error_code == "below_usage"
    return is_refused or (target.state == "applied" and target.is_true)


def _limits_of(
    target: TargetRow,
    managed: list[LimitRow],
    written: set[tuple[int, int]],
    found: dict[str, dict[str, Any]],
) -> Iterator[str]:
    """Of one target; found: what its service says of each key."""
    below = [each for each in managed if each.units < _floor(found[each.key])]
    is_refused = target.state == "refused" and target.error_code == "below_usage"
    if is_refused and not below:
        yield f"{target} is refused as below what is in use, and nothing is"
    for limit in managed:
        here = found[limit.key]["limit"]
        # What was in use before a first write stays at the service's default: maybe unlimited.
        is_number = here >= 0 or (limit.target_id, limit.limit_id) not in written
        is_held = is_refused and limit in below and is_number
        if here != limit.units and not is_held:
            yield f"{target}: {limit.key} is {here}, and {limit.units} by the ledger"


def _floor(figure: dict[str, Any]) -> int:
    """What is in use of a limit, which nothing is set below."""
    return int(figure["in_use"] + figure.get("reserved", 0))


def projects_in_cloud(
    connection: psycopg.Connection, cloud: SoakCloud, compared: Compared
) -> Iterator[str]:
    """Each project is in the cloud once, by its tag, and under the id that is stored."""
    plain = PlainClient(cloud.clouds_yaml, cloud.cloud)
    for project in records.projects(connection):
        compared["projects in the cloud"] += 1
        found = [each["id"] for each in plain.projects_with(project.tag)]
        if found != [project.external_id]:
            yield f"{project.name} is {project.external_id} by the handle, {found} by its tag"


def _ids(connection: psycopg.Connection, statement: str) -> dict[str, list[int]]:
    """{marker: ids of the rows that carry it}."""
    found: dict[str, list[int]] = defaultdict(list)
    for marker, row_id in connection.execute(statement.encode()):
        found[marker].append(row_id)
    return found
