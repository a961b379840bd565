"""Reading the directory: who is here, who has left, who is in which group.

Pages are gathered and nothing is written before all of them are there. Only whole readings say
that somebody is missing, only several in a row that they have left, and never too many at once.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.lib.errors import Conflict, DomainError
from projects.actions.events import record, record_many
from projects.actions.listing import change_members, list_groups, list_people
from projects.directory.base import Directory, DirectoryFailed, GroupEntry, PersonEntry
from projects.models import Absence, DirectoryRun, Group, GroupMembership, User
from projects.outgoing.notices import tell
from projects.states import NoticeKind

from .leaving import leave_site, return_to_site

logger = logging.getLogger(__name__)

# Any number that no other lock of ours has.
ONE_AT_A_TIME = 7_243_001
Told = Callable[[str], None]
E = TypeVar("E", PersonEntry, GroupEntry)


class _Undone(Exception):
    """Takes back what a rehearsal wrote."""


@dataclass
class _Sync:
    """One reading under way."""

    directory: Directory
    run: DirectoryRun
    now: datetime
    confirm: bool
    tell: Told
    issuer: str = field(default_factory=lambda: settings.DIRECTORY_ISSUER)
    by_key: dict[str, int] = field(default_factory=dict)
    # Not in this reading, and not yet gone: they keep what they have.
    missing: set[int] = field(default_factory=set)

    def count(self, **figures: int) -> None:
        for name, figure in figures.items():
            self.run.counts[name] = self.run.counts.get(name, 0) + figure


def sync_directory(
    directory: Directory, *, now: datetime, confirm: bool = False, dry_run: bool = False,
    tell: Told = lambda _: None,
) -> DirectoryRun:  # fmt: skip
    """Read it all and write down what it says; the run tells how far it came.

    confirm: parts of which too many would go at once are done all the same. dry_run: all is
    undone, the run too. directory: opened. Raises Conflict where somebody reads it already.
    """
    with _alone():
        if not dry_run:
            return _sync(directory, now, confirm, tell)
        try:
            with transaction.atomic():
                run = _sync(directory, now, confirm, tell)
                raise _Undone
        except _Undone:
            return run


def note_failure(error: DirectoryFailed, now: datetime) -> DirectoryRun:
    """Write down that nothing could be read at all."""
    return DirectoryRun.objects.create(started_at=now, ended_at=now, error=str(error)[:500])


def _sync(directory: Directory, now: datetime, confirm: bool, tell: Told) -> DirectoryRun:
    run = DirectoryRun.objects.create(started_at=now, is_confirmed=confirm)
    sync = _Sync(directory, run, now, confirm, tell)
    try:
        _people(sync)
        _groups(sync)
    except DirectoryFailed as error:
        run.error = str(error)[:500]
    run.ended_at = max(now, timezone.now())
    run.save()
    _tell_refused(run, now)
    if run.error or run.refused:
        facts = {"run": run.pk, "refused": run.refused, "words": run.error}
        logger.warning("the directory was not believed in all", extra=facts)
    return run


def _tell_refused(run: DirectoryRun, now: datetime) -> None:
    """Tell the operators of parts that were refused, once: not again with each reading."""
    before = DirectoryRun.objects.filter(pk__lt=run.pk, error="").order_by("-pk").first()
    known = {(each["part"], each["id"]) for each in before.refused} if before else set()
    news = {(each["part"], each["id"]) for each in run.refused} - known
    if not news:
        return
    with transaction.atomic():
        event = record(
            "directory refused", actor=None, now=now, subject_kind="directory",
            subject_id=run.pk, parts=len(news),
        )  # fmt: skip
        operators = User.objects.filter(is_operator=True, is_active=True)
        tell(event, operators.values_list("pk", flat=True), NoticeKind.DIRECTORY)


def _people(sync: _Sync) -> None:
    entries = _whole(sync.directory.people(), "subject", sync.tell)
    sync.run.has_all_people = True
    sync.run.save(update_fields=["has_all_people"])
    sync.by_key, counts = list_people(issuer=sync.issuer, people=entries, now=sync.now)
    sync.count(**counts)
    listed = User.objects.filter(issuer=sync.issuer, listed_at__isnull=False)
    _come_back(sync, listed.filter(listed_at=sync.now, left_at__isnull=False))
    here = listed.filter(left_at__isnull=True)
    known = here.count()
    sync.missing = set(here.filter(listed_at__lt=sync.now).values_list("pk", flat=True))
    sync.count(missing=len(sync.missing))
    if not _may_go(sync, "people", len(sync.missing), known):
        return
    cutoff = _cutoff(sync, DirectoryRun.objects.filter(has_all_people=True))
    if cutoff is None:
        return
    gone = list(here.filter(listed_at__lt=cutoff).order_by("pk"))
    for number, each in enumerate(gone, 1):
        _let_leave(sync, each)
        if number % 100 == 0:
            sync.tell(f"{number} of {len(gone)} who left")
    sync.missing -= {each.pk for each in gone}


def _let_leave(sync: _Sync, person: User) -> None:
    """One at a time; whom somebody else holds at the moment leaves with the next reading."""
    try:
        sync.count(left=int(leave_site(user=person, actor=None, now=sync.now)))
    except (DomainError, OperationalError):
        logger.exception("somebody who left was not let go", extra={"user": person.pk})
        sync.count(failed=1)


def _come_back(sync: _Sync, people: Iterable[User]) -> None:
    """Whom the directory lists again; whose account an operator closed stays away."""
    by_people = set(
        Absence.objects.filter(ends_at__isnull=True, left_by__isnull=False).values_list(
            "user", flat=True
        )
    )
    for each in list(people):
        if each.pk not in by_people and return_to_site(user=each, actor=None, now=sync.now):
            sync.count(returned=1)


def _groups(sync: _Sync) -> None:
    if not settings.DIRECTORY_HAS_GROUPS:
        return
    entries = _whole(sync.directory.groups(), "external_id", sync.tell)
    sync.run.has_all_groups = True
    sync.run.save(update_fields=["has_all_groups"])
    groups = list_groups(issuer=sync.issuer, groups=entries, now=sync.now)
    sync.count(groups=len(groups))
    _vanish(sync)
    for number, (external_id, group) in enumerate(groups.items(), 1):
        keys = {key for page in sync.directory.members(entries[external_id]) for key in page}
        _members(sync, group, {sync.by_key[key] for key in keys if key in sync.by_key})
        if number % 100 == 0:
            sync.tell(f"{number} of {len(groups)} groups")


def _members(sync: _Sync, group: Group, wanted: set[int]) -> None:
    held = _member_ids(group)
    left = held - wanted - sync.missing
    if not _may_go(sync, "group", len(left), len(held), group.pk):
        left = set()
    joined, gone = change_members(group=group, joined=wanted - held, left=left, now=sync.now)
    sync.count(group_joined=joined, group_left=gone)


def _vanish(sync: _Sync) -> None:
    """Groups that several readings in a row did not list: nobody is in them any more."""
    here = Group.objects.filter(issuer=sync.issuer, listed_at__isnull=False, gone_at__isnull=True)
    missing = here.filter(listed_at__lt=sync.now)
    if not _may_go(sync, "groups", missing.count(), here.count()):
        return
    cutoff = _cutoff(sync, DirectoryRun.objects.filter(has_all_groups=True))
    if cutoff is None:
        return
    for each in missing.filter(listed_at__lt=cutoff).order_by("pk"):
        with transaction.atomic():
            change_members(group=each, joined=(), left=_member_ids(each), now=sync.now)
            Group.objects.filter(pk=each.pk).update(gone_at=sync.now)
            record_many("group gone", now=sync.now, subject_kind="group", facts={each.pk: {}})
        sync.count(groups_gone=1)


def _member_ids(group: Group) -> set[int]:
    rows = GroupMembership.objects.filter(group=group, ends_at__isnull=True)
    return set(rows.values_list("user", flat=True))


def _may_go(sync: _Sync, part: str, gone: int, known: int, pk: int | None = None) -> bool:
    """Whether so many may go at once; what may not is written down, for operators."""
    most = max(settings.DIRECTORY_SHRINK_LEAST, known * settings.DIRECTORY_SHRINK_PERCENT // 100)
    if gone <= most or sync.confirm:
        return True
    sync.run.refused.append({"part": part, "id": pk, "gone": gone, "known": known})
    return False


def _cutoff(sync: _Sync, runs: QuerySet[DirectoryRun]) -> datetime | None:
    """Who was last listed before it is missing in each of the last DIRECTORY_READS readings.

    This one, and those that came to their end: one that was killed is begun again at once, and
    the same answer twice within a minute says no more than once.
    """
    counted = runs.filter(Q(ended_at__isnull=False) | Q(pk=sync.run.pk))
    last = counted.order_by("-started_at").values_list("started_at", flat=True)
    return last[settings.DIRECTORY_READS - 1 : settings.DIRECTORY_READS].first()


def _whole(pages: Iterator[Sequence[E]], name: str, tell: Told) -> dict[str, E]:
    """All pages, by what each is known by. Two of one id: which is meant cannot be told."""
    found: dict[str, E] = {}
    for page in pages:
        for each in page:
            known_by: str = getattr(each, name)
            if known_by in found and found[known_by].key != each.key:
                raise DirectoryFailed(f"two entries are called {known_by}: see the filter")
            found[known_by] = each
        tell(f"{len(found)} read")
    return found


@contextmanager
def _alone() -> Iterator[None]:
    """One reading at a time, whoever began it; the lock goes with whoever is killed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [ONE_AT_A_TIME])
        row: Any = cursor.fetchone()
    if not row[0]:
        raise Conflict("The directory is being read already.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [ONE_AT_A_TIME])
