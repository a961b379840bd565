"""From a decision to *applied* where nothing else is going on: web, broker, worker, cloud.

Somebody approves one line by the API; the clock starts as they send it and stops once what was
granted is read back and called applied in the database. The cloud is the sandbox.
"""

import statistics
import tempfile
import time
from pathlib import Path

from bench.harness.report import Report, Site
from bench.harness.rows import Figure
from contrib.sandbox.control import running_sandbox
from contrib.soak.door import Answer, Door

from .working.stack import ASKER, DECIDER, PASSWORD, Stack, sandbox_cloud, standing

DECISIONS = 24
PROJECTS = 4
# One line that one target enforces, and one of the other kind of service.
OFFERINGS = ("geneva.compute-a.vcpu", "geneva.storage-a.space")
STEPS = {"geneva.compute-a.vcpu": 1, "geneva.storage-a.space": 2**30}
REST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
_LOOK_SECONDS = 0.002


def run(site: Site, report: Report) -> list[Figure]:
    """The median, and the best."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_sandbox(Path(folder)) as sandbox,
        standing(sandbox_cloud(sandbox), PROJECTS) as stack,
    ):
        stack.start_web()
        stack.start_worker(2)
        stack.start_beat()
        stack.wait_until_applied(180)
        asker, decider = signed_in(stack, ASKER), signed_in(stack, DECIDER)
        took = [change(stack, asker, decider, number) for number in range(DECISIONS + 1)]
    counted = took[1:]  # the first opens connections
    report.keep("seconds", [round(whole, 4) for whole, _ in counted])
    wholes, after = zip(*counted, strict=True)
    figures = [
        Figure("decision to applied", "sandbox", value=statistics.median(wholes), unit="s"),
        Figure("decision to applied, best", "sandbox", value=min(wholes), unit="s"),
        Figure(
            "answer to applied", "sandbox", value=statistics.median(after), unit="s"
        ),
    ]  # fmt: skip
    for figure in figures:
        report.tell(figure)
    return figures


def change(stack: Stack, asker: Door, decider: Door, number: int) -> tuple[float, float]:
    """Seconds from sending the approval, and from its answer, until all of it is applied."""
    offering = OFFERINGS[number % len(OFFERINGS)]
    body = {
        "project": stack.project(number % PROJECTS),
        "lines": {offering: (number + 10) * STEPS[offering]},
        "reason": "measured",
    }
    asked = _done(asker.post("requests/", body)).body
    line = asked["lines"][0]
    time.sleep(REST_SECONDS)  # until the system is idle again
    approval = {
        "granted": {str(line["id"]): line["wanted"]},
        "seen": {str(line["id"]): line["balance"]},
        "version": asked["version"],
        "reason": "measured",
    }
    with stack.connect() as database:
        began = time.monotonic()
        _done(decider.post(f"requests/{asked['id']}/approve/", approval))
        answered = time.monotonic()
        pending = "SELECT 1 FROM quotas_delivery WHERE applied_at IS NULL LIMIT 1"
        while database.execute(pending).fetchone():
            if time.monotonic() - began > LONGEST_SECONDS:
                raise RuntimeError(f"not applied after {LONGEST_SECONDS:g} s")
            time.sleep(_LOOK_SECONDS)
        ended = time.monotonic()
    return ended - began, ended - answered


def signed_in(stack: Stack, name: str) -> Door:
    door = Door(stack.url)
    door.sign_in(name, PASSWORD)
    return door


def _done(answer: Answer) -> Answer:
    if answer.status not in (200, 201):
        raise RuntimeError(f"refused: {answer}")
    return answer
