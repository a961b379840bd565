"""A worker is killed in the middle of a job: another ends it, and each item was done once."""

from pathlib import Path

from django.db.models.functions import Now
from django.utils import timezone

from portal.testing.processes import running_site
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from projects.models import Event
from quotas.actions.jobs import start_job
from quotas.models import Endpoint, Job, JobItem, Target
from quotas.states import EndpointState, ItemState, JobState
from quotas.tests.site import NOW, Site
from quotas.tests.test_problems import crowd

ITEMS = 150


def test_a_killed_worker_s_job_is_ended_by_another(
    committed_site: Site, database_copy: DatabaseCopy, tmp_path: Path
) -> None:
    # Nothing is called: the work is our own rows.
    Endpoint.objects.update(state=EndpointState.PAUSED, state_since=NOW)
    crowd(committed_site, ITEMS)
    ids = list(
        Target.objects.filter(error_code="forbidden").order_by("pk").values_list("pk", flat=True)
    )
    job = start_job(kind="retry", subjects=ids, actor=committed_site.otto, now=timezone.now())
    waiting = JobItem.objects.filter(job=job, state=ItemState.WAITING)
    with running_site(database_copy, tmp_path / "clouds.yaml") as running:
        worker = running.start_worker()
        running.start_beat()
        wait_until(lambda: waiting.count() < ITEMS, 60, "the job has begun")
        worker.kill()
        left = waiting.count()
        assert 0 < left < ITEMS
        # As if the time for which it was held had passed.
        Job.objects.filter(pk=job.pk).update(held_until=Now())
        running.start_worker(name="another-worker")
        wait_until(
            lambda: Job.objects.filter(pk=job.pk, state=JobState.ENDED).exists(), 60,
            "the job has ended",
        )  # fmt: skip
    assert JobItem.objects.filter(job=job, state=ItemState.DONE).count() == ITEMS
    done = Event.objects.filter(verb="retried").values_list("data__targets", flat=True)
    assert sorted(each for targets in done for each in targets) == sorted(ids)
