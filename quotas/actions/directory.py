"""Reading the directory: who is here, who has left, who is in which group.

All of it is gathered before anything is written, and in no transaction. Only whole readings say
that somebody is missing, only several in a row that they have left, and never too many at once.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from django.conf import settings
from django.db import OperationalError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.lib.alone import alone
from portal.lib.errors import DomainError
from portal.lib.plain import MOST_NAME, is_key, mail_in, one_line
from projects.actions.events import record, record_many
from projects.actions.listing import change_members, list_groups, list_people, slices
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
class _Answer:
    """What the directory said; None: a part that was not read to its end, or is not read here."""

    people: dict[str, PersonEntry] | None = None
    groups: dict[str, GroupEntry] | None = None
    # {external id of the group: subjects of people}
    members: dict[str, set[str]] = field(default_factory=dict)
    error: str = ""
    # Of ids that nobody can be known by.
    unreadable: int = 0


@dataclass
class _Sync:
    """One answer on its way into the tables."""

    run: DirectoryRun
    now: datetime
    confirm: bool
    tell: Told
    issuer: str = field(default_factory=lambda: settings.DIRECTORY_ISSUER)
    ids: Mapping[str, int] = field(default_factory=dict)
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
    with alone(ONE_AT_A_TIME, refusal="The directory is being read already."):
        answer = _gathered(directory, tell)
        if not dry_run:
            return _write(answer, now, confirm, tell)
        try:
            with transaction.atomic():
                run = _write(answer, now, confirm, tell)
                raise _Undone
        except _Undone:
            return run


def note_failure(error: DirectoryFailed, now: datetime) -> DirectoryRun:
    """Write down that nothing could be read at all."""
    return DirectoryRun.objects.create(started_at=now, ended_at=now, error=str(error)[:500])


def _gathered(directory: Directory, tell: Told) -> _Answer:
    """Read it all. Who is in which group is believed only once it is known of every group."""
    answer = _Answer()
    try:
        answer.people = _whole(directory.people(), "subject", answer, tell)
        if settings.DIRECTORY_HAS_GROUPS:
            groups = _whole(directory.groups(), "external_id", answer, tell)
            subjects = {each.key: each.subject for each in answer.people.values()}
            for number, (external_id, group) in enumerate(groups.items(), 1):
                keys = (key for page in directory.members(group) for key in page)
                answer.members[external_id] = {subjects[key] for key in keys if key in subjects}
                if number % 100 == 0:
                    tell(f"{number} of {len(groups)} groups")
            answer.groups = groups
    except DirectoryFailed as error:
        answer.error = str(error)[:500]
    return answer


def _write(answer: _Answer, now: datetime, confirm: bool, tell: Told) -> DirectoryRun:
    run = DirectoryRun.objects.create(started_at=now, is_confirmed=confirm, error=answer.error)
    sync = _Sync(run, now, confirm, tell)
    if answer.unreadable:
        sync.count(unreadable=answer.unreadable)
    if answer.people is not None:
        _people(sync, answer.people)
    if answer.groups is not None:
        _groups(sync, answer.groups, answer.members)
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


def _people(sync: _Sync, entries: Mapping[str, PersonEntry]) -> None:
    sync.ids, counts = list_people(issuer=sync.issuer, people=entries, now=sync.now)
    sync.count(**counts)
    # Not before all are written: of a reading that was killed on the way nobody is missing.
    sync.run.has_all_people = True
    sync.run.save(update_fields=["has_all_people"])
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


def _groups(
    sync: _Sync, entries: Mapping[str, GroupEntry], members: Mapping[str, set[str]]
) -> None:
    groups = list_groups(issuer=sync.issuer, groups=entries, now=sync.now)
    sync.run.has_all_groups = True
    sync.run.save(update_fields=["has_all_groups"])
    sync.count(groups=len(groups))
    _vanish(sync)
    wanted = {
        groups[external_id].pk: {sync.ids[each] for each in subjects}
        for external_id, subjects in members.items()
    }
    by_id = {each.pk: each for each in groups.values()}
    for pk, (joined, left) in _changes(sync, wanted).items():
        joined_count, left_count = change_members(
            group=by_id[pk], joined=joined, left=left, now=sync.now
        )
        sync.count(group_joined=joined_count, group_left=left_count)


def _changes(sync: _Sync, wanted: Mapping[int, set[int]]) -> dict[int, tuple[set[int], set[int]]]:
    """{group: (who joins, who leaves)} where anybody does, without what may not go at once.

    Of one group, and of all together: an answer may lack the members of every group, each of
    which is small.
    """
    found: dict[int, tuple[set[int], set[int]]] = {}
    known = 0
    for some in slices(sorted(wanted)):
        held = _held(some, sync.now)
        for pk in some:
            known += len(held[pk])
            left = held[pk] - wanted[pk] - sync.missing
            if not _may_go(sync, "group", len(left), len(held[pk]), pk):
                left = set()
            joined = wanted[pk] - held[pk]
            if joined or left:
                found[pk] = joined, left
    gone = sum(len(left) for _joined, left in found.values())
    if _may_go(sync, "members", gone, known):
        return found
    return {pk: (joined, set()) for pk, (joined, _left) in found.items() if joined}


def _held(groups: Sequence[int], now: datetime) -> dict[int, set[int]]:
    """{group: ids of its members}; who joined after the reading began is left to the next."""
    found: dict[int, set[int]] = {each: set() for each in groups}
    rows = GroupMembership.objects.filter(
        group__in=groups, ends_at__isnull=True, starts_at__lte=now
    )
    for group, user in rows.values_list("group", "user"):
        found[group].add(user)
    return found


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
            change_members(
                group=each, joined=(), left=_held([each.pk], sync.now)[each.pk], now=sync.now
            )
            Group.objects.filter(pk=each.pk).update(gone_at=sync.now)
            record_many("group gone", now=sync.now, subject_kind="group", facts={each.pk: {}})
        sync.count(groups_gone=1)


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


def _whole(pages: Iterator[Sequence[E]], name: str, answer: _Answer, tell: Told) -> dict[str, E]:
    """All pages, by what each is known by. Two of one id: which is meant cannot be told."""
    found: dict[str, E] = {}
    for page in pages:
        for each in page:
            known_by: str = getattr(each, name)
            if not is_key(known_by):
                answer.unreadable += 1
                continue
            if known_by in found and found[known_by].key != each.key:
                raise DirectoryFailed(f"two entries are called {known_by}: see the filter")
            found[known_by] = _plain(each)
        tell(f"{len(found)} read")
    return found


def _plain(entry: E) -> E:
    """With a name and a mail that fit: people write them themselves, as they like."""
    plain = {"name": one_line(entry.name, MOST_NAME)}
    if isinstance(entry, PersonEntry):
        plain["mail"] = mail_in(entry.mail)
    return replace(entry, **plain)
