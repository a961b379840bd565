"""What was said and done, and who was told: comments, watchers, events, notices, bulk jobs."""

from projects.models import Event, Notice
from quotas.models import Comment, Job, JobItem, Watcher

from .filler import Filler
from .sizes import BUSY_GROUP, DECIDED, UNITS

# Of each request so many; then one of each delegation, and one of a nudge for whom many wait.
EVENTS_OF_A_REQUEST = 3
OF_A_DELEGATION, OF_A_NUDGE = 1_000_000, 2_000_000


def talk(filler: Filler) -> None:
    """A word of each requester and one of their unit's head, who watches every third."""
    asked = "quotas_quotarequest q JOIN projects_project p ON p.id = q.project_id"
    filler.put(
        Comment, f"{asked}, generate_series(0, 1) k",
        {"id": "2 * q.id + k", "request_id": "q.id", "text": "'When is it needed?'",
         "author_id": "CASE k WHEN 0 THEN p.unit_id ELSE q.requester_id END",
         "at": "q.submitted_at + (1 + k) * interval '10 minutes'"},
    )  # fmt: skip
    filler.put(
        Watcher,
        f"{asked} WHERE q.id % 3 = 0",
        {"id": "q.id", "request_id": "q.id", "person_id": "p.unit_id", "since": "q.submitted_at"},
    )


def events(filler: Filler) -> None:
    """Of each request several acts, and one of each delegation."""
    filler.put(
        Event, f"quotas_quotarequest q, generate_series(1, {EVENTS_OF_A_REQUEST}) k",
        {
            "id": f"{EVENTS_OF_A_REQUEST} * q.id + k", "project_id": "q.project_id",
            "actor_id": "q.requester_id", "subject_kind": "'request'", "subject_id": "q.id",
            "verb": "(ARRAY['drafted', 'submitted', 'commented'])[k]",
            "at": "q.submitted_at + k * interval '1 minute'",
        },
    )  # fmt: skip
    filler.put(
        Event, "projects_delegation d",
        {"id": f"{OF_A_DELEGATION} + d.id", "unit_id": "d.unit_id", "actor_id": "d.grantor_id",
         "verb": "'delegated'", "subject_kind": "'delegation'", "subject_id": "d.id",
         "at": "d.created_at"},
    )  # fmt: skip
    filler.put(
        Event,
        "quotas_quotarequest q JOIN projects_project p ON p.id = q.project_id "
        f"WHERE q.id > {DECIDED} AND p.unit_id % 10 = 0",
        {"id": f"{OF_A_NUDGE} + q.id", "project_id": "p.id", "actor_id": "q.requester_id",
         "verb": "'nudged'", "subject_kind": "'request'", "subject_id": "q.id",
         "at": "q.submitted_at + interval '30 minutes'"},
    )  # fmt: skip


def notices(filler: Filler) -> None:
    """One to each requester, read or not; to delegates; and to a member of the busy group."""
    told = {"event_id": "e.id", "at": "e.at"}
    filler.put(
        Notice,
        "projects_event e WHERE e.verb = 'commented'",
        told | {"id": "e.id", "person_id": "e.actor_id", "kind": "'commented'",
                "read_at": "CASE e.subject_id % 2 WHEN 0 THEN e.at END"},
    )  # fmt: skip
    filler.put(
        Notice,
        "projects_event e JOIN projects_delegation d ON d.id = e.subject_id "
        "WHERE e.verb = 'delegated' AND d.user_id IS NOT NULL",
        told | {"id": "e.id", "person_id": "d.user_id", "kind": "'delegated'"},
    )  # fmt: skip
    filler.put(
        Notice, "projects_event e WHERE e.verb = 'nudged'",
        told | {"id": "e.id", "person_id": f"{4 * UNITS + BUSY_GROUP}", "kind": "'nudged'"},
    )  # fmt: skip


def jobs(filler: Filler) -> None:
    """Bulk decisions of the past: one in ten heads decided twenty requests at once."""
    filler.put(
        Job, "projects_unit u WHERE u.id % 10 = 0",
        {"id": "u.id / 10", "kind": "'decide'", "actor_id": "u.id", "state": "'ended'",
         "started_at": "now - interval '60 days'", "ended_at": "now - interval '60 days'"},
    )  # fmt: skip
    filler.put(
        JobItem, "quotas_job j, generate_series(1, 20) n",
        {"id": "20 * j.id + n", "job_id": "j.id", "subject_kind": "'request'",
         "subject_id": "20 * j.id + n", "state": "'done'", "ended_at": "now - interval '60 days'"},
    )  # fmt: skip
