"""A job does each of its items once, whoever dies or hurries, and says why one was not done."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from portal.lib.errors import Conflict, Invalid
from projects.models import Event, User
from quotas.actions.jobs import KINDS, JobKind, start_job
from quotas.actions.problems import start
from quotas.delivery import jobs
from quotas.models import Job, JobItem, Target
from quotas.queries.jobs import job_rows
from quotas.states import ItemState, JobState, TargetState
from quotas.tests.site import NOW, Site, make_project
from quotas.tests.test_problems import crowd, fail, give_repairs, target_of
from quotas.tests.threads import at_once

LATER = NOW + timedelta(hours=1)


def retry_all(site: Site, count: int, actor: User | None = None) -> Job:
    crowd(site, count)
    ids = Target.objects.filter(error_code="forbidden").order_by("pk").values_list("pk", flat=True)
    return start_job(kind="retry", subjects=list(ids), actor=actor or site.otto, now=LATER)


def states(job: Job) -> list[str]:
    return list(JobItem.objects.filter(job=job).order_by("pk").values_list("state", flat=True))


class Killed(BaseException):
    """As if the process had ended here."""


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> dict[int, BaseException]:
    """A kind of job of tests: items of these ids raise, all others write an event."""
    raises: dict[int, BaseException] = {}

    def act(item: JobItem, job: Job, now: Any) -> None:
        Event.objects.create(verb="tried", at=now, subject_kind="test", subject_id=item.subject_id)
        if item.subject_id in raises:
            raise raises[item.subject_id]

    monkeypatch.setitem(KINDS, "test", JobKind("test", "test", "Test", act))
    return raises


def tried() -> list[int | None]:
    return list(
        Event.objects.filter(verb="tried").order_by("pk").values_list("subject_id", flat=True)
    )


def test_a_job_does_every_item_by_the_same_verb_as_a_page(site: Site) -> None:
    job = retry_all(site, 3)
    assert not jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, states(job)) == (JobState.ENDED, ["done"] * 3)
    assert job.started_at
    assert job.ended_at
    assert Target.objects.filter(error_code="forbidden", state=TargetState.DUE).count() == 3
    assert Event.objects.filter(verb="retried", actor=site.otto).count() == 3


def test_a_refusal_of_one_is_its_words_and_the_others_go_on(
    site: Site, broken: dict[int, BaseException]
) -> None:
    broken |= {2: Conflict("It is in work."), 3: ValueError("a mistake")}
    job = start_job(kind="test", subjects=[1, 2, 3, 4], actor=site.otto, now=LATER)
    jobs.run(job.pk)
    assert states(job) == ["done", "refused", "refused", "done"]
    # What a refused item had begun is undone.
    assert tried() == [1, 4]
    second, third = JobItem.objects.filter(job=job, state=ItemState.REFUSED)
    assert second.words == "It is in work."
    assert "mistake of Remit" in third.words


def test_a_worker_that_is_killed_leaves_its_item_and_another_goes_on(
    site: Site, broken: dict[int, BaseException]
) -> None:
    broken[2] = Killed()
    job = start_job(kind="test", subjects=[1, 2, 3], actor=site.otto, now=LATER)
    with pytest.raises(Killed):
        jobs.run(job.pk)
    assert (states(job), tried()) == (["done", "waiting", "waiting"], [1])
    # It is still held: nobody goes on before its time is over.
    broken.clear()
    assert not jobs.run(job.pk)
    assert not jobs.unended().exists()
    Job.objects.filter(pk=job.pk).update(held_until=Now())
    assert jobs.unended().get() == job
    jobs.run(job.pk)
    assert (states(job), tried()) == (["done"] * 3, [1, 2, 3])


def test_who_lost_the_job_meanwhile_stops(site: Site, broken: dict[int, BaseException]) -> None:
    job = start_job(kind="test", subjects=[1, 2], actor=site.otto, now=LATER)

    def steal(item: JobItem, job: Job, now: Any) -> None:
        Job.objects.filter(pk=job.pk).update(holder="00000000-0000-0000-0000-000000000001")

    KINDS["test"] = JobKind("test", "test", "Test", steal)
    assert not jobs.run(job.pk)
    job.refresh_from_db()
    assert (job.state, states(job)) == (JobState.RUNNING, ["done", "waiting"])


def test_a_slice_ends_and_the_next_goes_on(site: Site, broken: dict[int, BaseException]) -> None:
    job = start_job(kind="test", subjects=[1, 2, 3], actor=site.otto, now=LATER)
    assert jobs.run(job.pk, seconds=0)
    assert states(job) == ["done", "waiting", "waiting"]
    while jobs.run(job.pk, seconds=0):
        pass
    job.refresh_from_db()
    assert (job.state, states(job), tried()) == (JobState.ENDED, ["done"] * 3, [1, 2, 3])


def test_authority_is_asked_when_the_turn_comes(site: Site) -> None:
    crowd(site, 2)
    fail(target_of(site.project, "cinder-geneva"), "forbidden", "no")
    now = timezone.now()
    give_repairs(site, "rita", zone="compute-a")
    ids = list(
        Target.objects.filter(error_code="forbidden").order_by("pk").values_list("pk", flat=True)
    )
    job = start_job(kind="retry", subjects=ids, actor=site.rita, now=now)
    jobs.run(job.pk)
    refused = JobItem.objects.get(job=job, state=ItemState.REFUSED)
    assert "storage-a" in refused.words
    assert states(job).count("done") == 2
    site.rita.delegations.update(revoked_at=timezone.now())
    Target.objects.filter(pk__in=ids).update(state=TargetState.REFUSED)
    later = start_job(kind="retry", subjects=ids, actor=site.rita, now=now)
    jobs.run(later.pk)
    assert states(later) == ["refused"] * 3


def test_who_may_no_longer_sign_in_has_nothing_done_any_more(site: Site) -> None:
    job = retry_all(site, 3)
    jobs.run(job.pk, seconds=0)
    User.objects.filter(pk=site.otto.pk).update(is_active=False)
    jobs.run(job.pk)
    assert states(job) == ["done", "refused", "refused"]


def test_who_is_no_operator_any_more_stops_in_the_middle(
    site: Site, broken: dict[int, BaseException]
) -> None:
    job = retry_all(site, 3)
    act = KINDS["retry"].act

    def demoted(item: JobItem, job: Job, now: Any) -> None:
        act(item, job, now)
        User.objects.filter(pk=site.otto.pk).update(is_operator=False)

    KINDS["test"] = JobKind("test", "target", "Test", demoted)
    Job.objects.filter(pk=job.pk).update(kind="test")
    jobs.run(job.pk)
    assert states(job) == ["done", "refused", "refused"]


def test_a_job_asks_for_something_to_do_and_takes_each_thing_once(
    site: Site, broken: dict[int, BaseException]
) -> None:
    for count in (0, 20_001):
        with pytest.raises(Invalid):
            start_job(kind="test", subjects=range(count), actor=site.otto, now=LATER)
    job = start_job(kind="test", subjects=[7, 5, 7], actor=site.otto, now=LATER)
    assert list(job.items.values_list("subject_id", flat=True)) == [7, 5]


def test_the_reason_of_a_skip_is_asked_before_the_job_begins(site: Site) -> None:
    target = fail(target_of(site.project), "forbidden", "no")
    common: dict[str, Any] = {
        "kind": "skip", "endpoint": target.endpoint, "target_ids": [target.pk],
        "actor": site.otto, "now": timezone.now(),
    }  # fmt: skip
    with pytest.raises(Invalid):
        start(**common)
    jobs.run(start(reason="Later.", **common).pk)
    target.refresh_from_db()
    assert (target.state, target.skip_reason) == (TargetState.SKIPPED, "Later.")


def test_progress_tells_what_is_done_how_long_it_took_and_what_is_left(
    site: Site, broken: dict[int, BaseException]
) -> None:
    broken[2] = Conflict("no")
    job = start_job(kind="test", subjects=range(8), actor=site.otto, now=LATER)
    (row,) = job_rows([job], LATER)
    assert (row.total, row.ended, row.elapsed, row.remaining) == (8, 0, None, None)
    for _turn in range(4):
        jobs.run(job.pk, seconds=0)
    job.refresh_from_db()
    assert job.started_at
    (row,) = job_rows([job], job.started_at + timedelta(seconds=60))
    assert (row.done, row.refused, row.waiting) == (3, 1, 4)
    assert (row.elapsed, row.remaining) == (timedelta(seconds=60), timedelta(seconds=60))


def test_two_workers_at_once_do_each_item_once(committed_site: Site) -> None:
    project = make_project(committed_site, "other", "atlas", NOW)
    fail(target_of(project), "forbidden", "no")
    fail(target_of(committed_site.project), "forbidden", "no")
    ids = list(
        Target.objects.filter(error_code="forbidden").order_by("pk").values_list("pk", flat=True)
    )
    job = start_job(kind="retry", subjects=ids, actor=committed_site.otto, now=timezone.now())
    at_once([lambda: jobs.run(job.pk)] * 4)
    job.refresh_from_db()
    assert (job.state, states(job)) == (JobState.ENDED, ["done", "done"])
    assert Event.objects.filter(verb="retried").count() == 2
