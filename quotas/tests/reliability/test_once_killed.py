"""A thousand POSTs with repeated keys, while the processes that answer them are killed."""

import http.client
import json
import os
import queue
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from portal.lib.servers.process import Child
from portal.testing.figures import FIGURES
from portal.testing.processes import RunningSite, running_site
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from projects.models import Event, KeptAnswer
from projects.states import Role, TokenScope
from quotas.models import QuotaRequest
from quotas.queries.accounts import audit
from quotas.tests.site import Site, join, make_project, make_site
from quotas.tests.test_tokens import token_for

KEYS, TIMES, THREADS, WORKERS = 200, 5, 8, 3
# Sent in any order: some meet their own first call, most find its answer.
KEYS_AT_ONCE = 40
# Each goes while the others are in the middle of something.
ANSWERS_FOR_A_KILL = 50
AGAIN = ("in_flight", "busy", "unavailable")
# Far more than it takes on a machine that does much else; then what is missing fails the test.
MOST_SECONDS = 300


@dataclass
class Callers:
    """What eight threads send and are told. lost: calls whose answer never came."""

    port: int
    token: str
    wishes: list[dict[str, Any]]
    todo: "queue.SimpleQueue[int]" = field(default_factory=queue.SimpleQueue)
    told: dict[int, list[tuple[int, bytes]]] = field(default_factory=lambda: defaultdict(list))
    lost: int = 0
    replayed: int = 0
    in_flight: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def told_count(self) -> int:
        with self.lock:
            return sum(len(each) for each in self.told.values())

    def run(self) -> None:
        """Until nothing is left to send; what was not answered is sent again, behind the others."""
        until = time.monotonic() + MOST_SECONDS
        while time.monotonic() < until:
            try:
                number = self.todo.get_nowait()
            except queue.Empty:
                return
            answer = self._send(number)
            if answer is None:
                self.todo.put(number)
                continue
            with self.lock:
                self.told[number].append(answer)

    def _send(self, number: int) -> tuple[int, bytes] | None:
        """Status and body; None where it is to be sent again, as any program would."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {
            "Authorization": f"Bearer {self.token}", "Content-Type": "application/json",
            "Idempotency-Key": f"apply-{number}",
        }  # fmt: skip
        try:
            link.request("POST", "/api/v1/requests/", json.dumps(self.wishes[number]), headers)
            answer = link.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            with self.lock:
                self.lost += 1
            return None
        finally:
            link.close()
        if answer.status >= 400 and (code := json.loads(body)["code"]) in AGAIN:
            with self.lock:
                self.in_flight += code == "in_flight"
            return None
        with self.lock:
            self.replayed += answer.getheader("Idempotency-Replayed") == "true"
        return answer.status, body


def wishes_of(site: Site) -> list[dict[str, Any]]:
    """As many wishes as there are keys, none of which stands in the way of another."""
    now = timezone.now() - timedelta(hours=1)
    found = []
    for number in range(-(-KEYS // len(site.offerings))):
        project = make_project(site, f"project-{number}", "atlas", now)
        join(project, site.alice, Role.OWNER, now)
        found += [
            {"project": project.slug, "lines": {each.slug: each.resource.step}, "reason": "tests"}
            for each in site.offerings.values()
        ]
    return found[:KEYS]


def workers_of(web: Child) -> list[int]:
    """The processes that answer: what the one that was started has forked."""
    return [
        int(each.name)
        for each in Path("/proc").iterdir()
        if each.name.isdigit() and _parent_of(each) == web.popen.pid
    ]


def _parent_of(process: Path) -> int:
    try:
        # After the name, which stands in brackets and may hold anything.
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def kill_while(callers: Callers, web: Child, is_going_on: Callable[[], bool]) -> int:
    """Kill one after the other, as long as there are calls; returns how many were killed."""
    chance, count = random.Random(4), 0
    while is_going_on():
        mark = callers.told_count + ANSWERS_FOR_A_KILL
        wait_until(
            lambda: callers.told_count >= mark or not is_going_on(), MOST_SECONDS, "more answers"  # noqa: B023 - asked at once
        )  # fmt: skip
        alive = workers_of(web)
        if alive:
            os.kill(chance.choice(alive), signal.SIGKILL)
            count += 1
    return count


def test_each_key_has_one_effect_and_one_answer_whoever_is_killed(
    database_copy: DatabaseCopy, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    site = make_site(timezone.now() - timedelta(days=1))
    wishes, (_token, text) = wishes_of(site), token_for(site.alice, TokenScope.ASK)
    settings = {"API_RATE_PER_MINUTE": "0", "GUNICORN_CMD_ARGS": f"--workers {WORKERS}"}
    with running_site(database_copy, tmp_path / "none.yaml", **settings) as running:
        callers, killed = _call(running, text, wishes)

    assert callers.told_count == KEYS * TIMES
    assert {status for told in callers.told.values() for status, _body in told} == {201}
    assert [len({body for _status, body in told}) for told in callers.told.values()] == [1] * KEYS
    ids = {number: json.loads(told[0][1])["id"] for number, told in callers.told.items()}
    assert set(ids.values()) == set(QuotaRequest.objects.values_list("pk", flat=True))
    assert QuotaRequest.objects.count() == KeptAnswer.objects.count() == KEYS
    assert Event.objects.filter(verb="submitted").count() == KEYS
    assert audit() == []
    assert callers.replayed >= KEYS * (TIMES - 1)
    assert killed > KEYS * TIMES // ANSWERS_FOR_A_KILL // 2
    figures = f"{killed} killed, {callers.lost} answers lost, {callers.in_flight} in flight"
    record_property(FIGURES, f"{KEYS * TIMES} POSTs with {KEYS} keys: {figures}")


def _call(running: RunningSite, token: str, wishes: list[dict[str, Any]]) -> tuple[Callers, int]:
    """Eight threads send each key five times, near one another; what they saw, and the killed."""
    web = running.start_web()
    callers = Callers(running.port, token, wishes)
    chance = random.Random(7)
    for start in range(0, KEYS, KEYS_AT_ONCE):
        some = [*range(start, start + KEYS_AT_ONCE)] * TIMES
        chance.shuffle(some)
        for number in some:
            callers.todo.put(number)
    threads = [threading.Thread(target=callers.run) for _each in range(THREADS)]
    for each in threads:
        each.start()
    killed = kill_while(callers, web, lambda: any(each.is_alive() for each in threads))
    for each in threads:
        each.join(timeout=MOST_SECONDS)
    return callers, killed
