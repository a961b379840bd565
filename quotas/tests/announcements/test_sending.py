"""Everybody is told once: in slices, by several workers, killed or hurried, and by the clock."""

import os
import subprocess
import sys
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from projects.models import Event, Group, GroupMembership, Notice, User
from projects.states import NoticeKind, Role
from quotas.actions import announcements, announcing
from quotas.actions.announcing import begin_due, finish_over
from quotas.delivery import jobs
from quotas.models import Announcement, Job, JobItem
from quotas.states import AnnouncementState, ItemState, JobState
from quotas.tests.announcements.writing import HOUR, announced, draft_of, send, told
from quotas.tests.site import NOW, Site, join, make_group
from quotas.tests.threads import at_once

S = AnnouncementState
PEOPLE = 10_000
ROOT = Path(__file__).resolve().parents[3]
WORK = "import django; django.setup(); from quotas.delivery import jobs; jobs.run({})"


def crowd(site: Site, count: int) -> None:
    """So many people in a group that is a member of the project."""
    people = User.objects.bulk_create(
        User(subject=f"p{number}", name=f"P {number}", password="!") for number in range(count)
    )
    group = Group.objects.create(external_id="crowd", name="crowd")
    GroupMembership.objects.bulk_create(
        GroupMembership(group=group, user=each, starts_at=NOW) for each in people
    )
    join(site.project, group, Role.MEMBER, NOW)


def job_of(announcement: Announcement) -> Job:
    assert announcement.job is not None
    return announcement.job


def states(job: Job) -> list[str]:
    return list(JobItem.objects.filter(job=job).order_by("pk").values_list("state", flat=True))


def finished(job: Job) -> None:
    while jobs.run(job.pk):
        pass


def test_sending_tells_everybody_and_then_it_is_sent(site: Site) -> None:
    sent = announced(site, NOW)
    assert (sent.state, sent.people_count, told(sent)) == (S.SENT, 2, ["alice", "bob"])
    assert set(Notice.objects.values_list("kind", flat=True)) == {NoticeKind.ANNOUNCED}
    verbs = Event.objects.filter(subject_kind="announcement").order_by("pk")
    assert list(verbs.values_list("verb", "data"))[2:] == [
        ("announced", {"people": 2}), ("announcement sent", {"told": 2}),
    ]  # fmt: skip


def test_ten_thousand_are_told_once_by_two_workers(committed_site: Site) -> None:
    crowd(committed_site, PEOPLE)
    sent = send(draft_of(committed_site, NOW), committed_site.otto, NOW)
    job = job_of(sent)
    assert sent.people_count == PEOPLE + 2
    at_once([partial(finished, job), partial(finished, job)])
    finished(job)
    rows = Notice.objects.filter(event=sent.event)
    assert rows.count() == rows.values("person").distinct().count() == PEOPLE + 2
    assert states(job) == [ItemState.DONE] * 21
    sent.refresh_from_db()
    assert sent.state == S.SENT


def test_a_worker_killed_in_a_slice_leaves_it_to_the_next(
    committed_site: Site, database_copy: DatabaseCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "SLICE", 10)
    crowd(committed_site, 38)
    sent = send(draft_of(committed_site, NOW), committed_site.otto, NOW)
    job = job_of(sent)
    assert jobs.run(job.pk, seconds=0)
    assert len(told(sent)) == 10
    with transaction.atomic():
        # The slice claims its item, and then waits for this row.
        Announcement.objects.select_for_update().get(pk=sent.pk)
        command = [sys.executable, "-c", WORK.format(job.pk)]
        named = database_copy.environment | {"DJANGO_SETTINGS_MODULE": "portal.settings"}
        with subprocess.Popen(command, cwd=ROOT, env=os.environ | named) as worker:
            try:
                wait_until(_somebody_waits, 60, "the worker is in a slice")
            finally:
                worker.kill()
    Job.objects.filter(pk=job.pk).update(held_until=Now())
    assert states(job) == ["done", "waiting", "waiting", "waiting"]
    finished(job)
    assert len(told(sent)) == len(set(told(sent))) == 40
    sent.refresh_from_db()
    job.refresh_from_db()
    assert (sent.state, job.state) == (S.SENT, JobState.ENDED)


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)")
        return cursor.fetchone() == (True,)


def test_a_slice_that_is_told_again_tells_nobody_twice(site: Site) -> None:
    sent = announced(site, NOW)
    Announcement.objects.update(state=S.SENDING)
    JobItem.objects.update(state=ItemState.WAITING)
    Job.objects.update(state=JobState.QUEUED, ended_at=None)
    finished(job_of(sent))
    assert told(sent) == ["alice", "bob"]


def test_who_joins_before_their_slice_is_told_and_who_left_is_not(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "SLICE", 1)
    sent = send(draft_of(site, NOW), site.otto, NOW)
    site.bob.memberships.update(ends_at=NOW + HOUR)
    join(site.project, make_group("shift", site.mallory, site.audrey), Role.MEMBER, NOW)
    finished(job_of(sent))
    assert told(sent) == ["alice", "audrey", "mallory"]


def test_what_is_withdrawn_is_told_to_nobody_else(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcing, "SLICE", 1)
    sent = send(draft_of(site, NOW), site.otto, NOW)
    assert jobs.run(job_of(sent).pk, seconds=0)
    announcements.withdraw(announcement=sent, actor=site.otto, now=NOW)
    finished(job_of(sent))
    assert (told(sent), states(job_of(sent))) == (["alice"], ["done", "refused"])
    sent.refresh_from_db()
    assert sent.state == S.WITHDRAWN


def test_who_operates_no_more_tells_nobody_else_and_it_ends(site: Site) -> None:
    sent = send(draft_of(site, NOW), site.otto, NOW)
    User.objects.filter(pk=site.otto.pk).update(is_operator=False)
    finished(job_of(sent))
    assert (told(sent), states(job_of(sent))) == ([], ["refused"])
    assert finish_over(NOW) == 1
    assert finish_over(NOW) == 0
    sent.refresh_from_db()
    assert sent.state == S.SENT


def scheduled(site: Site) -> Announcement:
    return announcements.schedule(
        announcement=draft_of(site, NOW), starts_at=NOW + HOUR, version=1, actor=site.otto,
        now=NOW,
    )  # fmt: skip


def test_a_scheduled_one_begins_when_its_moment_comes_and_once(site: Site) -> None:
    made = scheduled(site)
    assert begin_due(NOW + HOUR - timedelta(seconds=1)) == 0
    assert begin_due(NOW + HOUR) == 1
    assert begin_due(NOW + HOUR) == 0
    made.refresh_from_db()
    finished(job_of(made))
    assert told(made) == ["alice", "bob"]
    assert Event.objects.get(verb="announced").actor == site.otto


def test_two_sweeps_begin_it_once(committed_site: Site) -> None:
    made = scheduled(committed_site)
    sweep = partial(begin_due, NOW + HOUR)
    assert sorted(at_once([sweep, sweep])) == [0, 1]
    made.refresh_from_db()
    assert Event.objects.filter(verb="announced").count() == Job.objects.count() == 1


def test_it_is_put_back_where_who_scheduled_it_operates_no_more(site: Site) -> None:
    made = scheduled(site)
    User.objects.filter(pk=site.otto.pk).update(is_operator=False)
    assert begin_due(NOW + HOUR) == 1
    made.refresh_from_db()
    assert (made.state, made.sender, made.starts_at, made.version) == (S.DRAFT, None, None, 3)


def test_one_that_reaches_nobody_by_then_is_sent_to_nobody(site: Site) -> None:
    made = scheduled(site)
    site.project.memberships.update(ends_at=NOW + HOUR)
    assert begin_due(NOW + HOUR) == 1
    made.refresh_from_db()
    assert (made.state, made.people_count, made.job) == (S.SENT, 0, None)
