"""What a person was told, and what of it they may still see.

Events hold ids: names and sentences are looked up when a notice is read, by what the
reader may see then. Of anything else a notice shows nothing but that it is there.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.db.models import QuerySet

from projects.models import (
    ApiToken,
    Delegation,
    DirectoryRun,
    Notice,
    Project,
    ProjectChange,
    Unit,
    User,
    Webhook,
)
from projects.queries.delegations import visible_delegations
from projects.queries.service_accounts import visible_tokens
from projects.queries.viewers import SEE_DELEGATIONS, Viewer, below, visible_projects
from projects.queries.webhooks import own_webhooks
from projects.states import ChangeState, NoticeKind
from quotas.models import Announcement, QuotaRequest, RequestLine
from quotas.queries.announcements import visible_announcements
from quotas.queries.lives import visible_changes
from quotas.queries.requests import visible_requests
from quotas.states import ANNOUNCED, LineState


@dataclass(frozen=True)
class FormerProject:
    """A project that its reader has no part in any more: its name, and nothing else of it."""

    name: str


Subject = (
    QuotaRequest
    | Delegation
    | Unit
    | Webhook
    | ApiToken
    | Project
    | FormerProject
    | ProjectChange
    | DirectoryRun
    | Announcement
)
# {(kind, id): what a notice is about}
Subjects = dict[tuple[str, int | None], Subject]
# What is found by its own id; of all else a notice is about the project, or the unit.
THINGS = (
    "request", "delegation", "unit", "webhook", "token", "project", "project_change", "directory",
    "announcement",
)  # fmt: skip

SHOWN = 8  # on the first page
# Of a request that waits for the reader's decision.
TASKS = (NoticeKind.REMINDED, NoticeKind.NUDGED, NoticeKind.ESCALATED)


@dataclass(frozen=True)
class NoticeRow:
    """A notice with what it is about; neither subject nor actor where that is not to be seen."""

    notice: Notice
    subject: Subject | None
    # It asked for a decision or an answer, and waits for none any more.
    is_over: bool = False

    @property
    def actor(self) -> User | None:
        return self.notice.event.actor if self.subject is not None else None

    @property
    def verb(self) -> str:
        return self.notice.event.verb if self.subject is not None else ""


def notices_of(viewer: Viewer, *, is_unread: bool = False) -> QuerySet[Notice]:
    """The person's notices, the newest first; a program reads none of its owner's."""
    if viewer.place is not None:
        return Notice.objects.none()
    rows = Notice.objects.filter(person=viewer.user).select_related("event__actor").order_by("-pk")
    return rows.filter(read_at__isnull=True) if is_unread else rows


def notice_rows(notices: Collection[Notice], viewer: Viewer) -> list[NoticeRow]:
    """Each with its subject: one query for each kind of these, for any number of notices."""
    ids: dict[str, set[int]] = defaultdict(set)
    for each in notices:
        kind, number = _key(each)
        if number is not None:
            ids[kind].add(number)
    found: Subjects = {}
    if ids["request"]:
        for asked in visible_requests(viewer).filter(pk__in=ids["request"]):
            found["request", asked.pk] = asked
    if ids["delegation"]:
        for delegation in visible_delegations(viewer).filter(pk__in=ids["delegation"]):
            found["delegation", delegation.pk] = delegation
    if ids["unit"]:
        for unit in _overseen(viewer).filter(pk__in=ids["unit"]):
            found["unit", unit.pk] = unit
    if ids["webhook"]:
        for webhook in own_webhooks(viewer).filter(pk__in=ids["webhook"]):
            found["webhook", webhook.pk] = webhook
    if ids["token"]:
        for token in visible_tokens(viewer).filter(pk__in=ids["token"]):
            found["token", token.pk] = token
    if ids["project"]:
        for project in visible_projects(viewer).filter(pk__in=ids["project"]):
            found["project", project.pk] = project
        found = _former(notices, found) | found
    if ids["project_change"]:
        # To whom a project is offered sees the offer, and nothing else of it.
        for change in visible_changes(viewer).filter(pk__in=ids["project_change"]):
            found["project_change", change.pk] = change
    if ids["directory"] and viewer.sees_everything:
        for run in DirectoryRun.objects.filter(pk__in=ids["directory"]):
            found["directory", run.pk] = run
    if ids["announcement"]:
        # Of one that was withdrawn nothing is told any more, to whom it was sent least of all.
        told = visible_announcements(viewer).filter(state__in=ANNOUNCED)
        for announcement in told.filter(pk__in=ids["announcement"]):
            found["announcement", announcement.pk] = announcement
    still_open = _still_open(each for each in notices if each.kind in TASKS)
    rows = [(each, found.get(_key(each))) for each in notices]
    return [NoticeRow(each, about, _is_over(each, about, still_open)) for each, about in rows]


def _former(notices: Collection[Notice], found: Subjects) -> Subjects:
    """Of which projects those are told whose role there ended; no query where they see them."""
    keys = {_key(each) for each in notices if each.event.verb == "role ended"}
    gone = keys - found.keys()
    ids = [number for kind, number in gone if kind == "project" and number is not None]
    if not ids:
        return {}
    named = Project.objects.filter(pk__in=ids).values_list("pk", "name")
    return {("project", number): FormerProject(name) for number, name in named}


def _is_over(notice: Notice, subject: Subject | None, still_open: Collection[int]) -> bool:
    if isinstance(subject, ProjectChange):
        return notice.kind == NoticeKind.CHANGE_ASKED and subject.state != ChangeState.OPEN
    return notice.kind in TASKS and notice.event.subject_id not in still_open


def _still_open(tasks: Iterable[Notice]) -> set[int]:
    """The ids of those requests of which something waits for a decision; no query for none."""
    ids = {each.event.subject_id for each in tasks if each.event.subject_id is not None}
    if not ids:
        return set()
    lines = RequestLine.objects.filter(request__in=ids, state=LineState.OPEN)
    return set(lines.values_list("request", flat=True))


def _key(notice: Notice) -> tuple[str, int | None]:
    """What it is about: ("request", 1042). Of no row of its own, its project or its unit."""
    event = notice.event
    if event.subject_kind in THINGS and event.subject_id is not None:
        return event.subject_kind, event.subject_id
    if event.project_id is not None:
        return "project", event.project_id
    if event.unit_id is not None:
        return "unit", event.unit_id
    return event.subject_kind, event.subject_id


def _overseen(viewer: Viewer) -> QuerySet[Unit]:
    """The units of whose delegations the person may read."""
    if viewer.sees_everything:
        return Unit.objects.all()
    return Unit.objects.filter(below(viewer.paths(*SEE_DELEGATIONS), "path"))
