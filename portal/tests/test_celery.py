"""Workers outlive their broker: one that dies and comes back, and one that only hangs."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.celery import CALLS, WORK, WORKER_ARGUMENTS, app
from portal.lib.servers.process import Child
from portal.lib.servers.valkey import Valkey
from portal.lib.wake import forget_failure, wake
from portal.testing import wait_until
from portal.testing.servers import DatabaseCopy
from portal.tests.conftest import ROOT


@dataclass
class Worker:
    log: Path
    marks: Path

    def says(self, words: str) -> bool:
        return words in self.log.read_text()

    def has_done(self, word: str) -> bool:
        return self.marks.exists() and word in self.marks.read_text().split()


@pytest.fixture
def worker(broker: Valkey, database_copy: DatabaseCopy, tmp_path: Path) -> Iterator[Worker]:
    started = Worker(log=tmp_path / "worker.log", marks=tmp_path / "marks")
    command = [sys.executable, "-m", "celery", "--app", "portal.tests.worker_app"]
    command += [*WORKER_ARGUMENTS, "--concurrency=1"]
    child = Child(
        command,
        log=started.log,
        cwd=ROOT,
        env=database_copy.environment | {"MARKS": str(started.marks)},
    )
    try:
        wait_until(lambda: started.says("ready."), 30, "the worker is ready")
        yield started
    finally:
        child.kill()


def wake_and_see(worker: Worker, word: str, task: str = "portal.tests.mark") -> None:
    forget_failure()
    assert wake(task, word=word) is True
    wait_until(lambda: worker.has_done(word), 30, f"the worker has done {word!r}")


def test_worker_comes_back_to_a_broker_that_was_killed(worker: Worker, broker: Valkey) -> None:
    wake_and_see(worker, "before")
    broker.kill()
    wait_until(lambda: worker.says("Connection to broker lost"), 30, "the worker noticed")
    broker.start()
    wake_and_see(worker, "after")


def test_worker_with_work_in_hand_comes_back_too(worker: Worker, broker: Valkey) -> None:
    """It holds a message that it has not answered for, and nobody to hand it back to."""
    wake_and_see(worker, "held", "portal.tests.hold")
    broker.kill()
    wait_until(lambda: worker.says("Connection to broker lost"), 30, "the worker noticed")
    broker.start()
    worker.marks.with_suffix(".go").touch()
    wake_and_see(worker, "after")
    assert not worker.says("Unrecoverable error")


def test_worker_leaves_a_broker_that_hangs_and_comes_back(worker: Worker, broker: Valkey) -> None:
    wake_and_see(worker, "before")
    broker.suspend()
    wait_until(lambda: worker.says("dropping stale connection"), 60, "the worker noticed")
    broker.resume()
    wake_and_see(worker, "after")


def test_every_scheduled_message_expires_before_the_next_is_long_due() -> None:
    for name, entry in app.conf.beat_schedule.items():
        assert entry["options"]["expires"] <= max(entry["schedule"], 1.0), name


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("quotas.tasks.sweep_due", "notify"),
        ("quotas.tasks.apply_target", "apply"),
        ("quotas.tasks.sweep_observe", "notify"),
        ("quotas.tasks.observe_target", "observe"),
        ("projects.tasks.notify_person", "notify"),
        ("projects.tasks.sweep_webhooks", "notify"),
        ("projects.tasks.call_webhooks", "call"),
        ("quotas.tasks.sweep_mail", "notify"),
        ("quotas.tasks.post_letters", "mail"),
    ],
)
def test_task_goes_to_its_queue_by_name(task: str, queue: str) -> None:
    assert app.amqp.router.route({}, task)["queue"].name == queue


@pytest.mark.parametrize(
    "path", ["docs/operate.md", "docs/connect-a-cloud.md", "CONTRIBUTING.md", "portal/lib/run.py"]
)
def test_whoever_waits_for_receivers_does_nothing_else(path: str) -> None:
    """Every start of workers that is written down: all queues, and that of calls by itself."""
    text = (ROOT / path).read_text()
    said = re.findall(r"--queues[ =]([a-z,]+|\{.*?\})", text)
    written = [each for each in said if each[0] != "{"] or [",".join(WORK), ",".join(CALLS)]
    assert sorted(written) == sorted([",".join(WORK), ",".join(CALLS)])
    assert {each.name for each in app.conf.task_queues} == {*WORK, *CALLS}
