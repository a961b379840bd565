"""Programs that keep a copy of 10,000 requests while others write: nothing missed, nothing twice.

One follows the lists by `updated_since`, the other the feed of events from its beginning. The
writers hold their transactions open across one another, so that what got its number first is
often seen last: people who send, amend, withdraw and comment, and bare rows beside them.
"""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone
from pytest_django import Settings

from portal.testing.servers import DatabaseCopy
from projects.models import Event, Project
from projects.queries.events import Place, Window, events_in
from projects.states import Role
from quotas.actions import requests
from quotas.actions.wishes import Wish
from quotas.models import QuotaRequest, RequestLine
from quotas.states import LineState
from quotas.tests.api import Caller, caller
from quotas.tests.large.filler import Filler
from quotas.tests.site import Site, join, make_project, make_site

REQUESTS = 10_000
WRITERS = 6
ROUNDS = 10
ACTS = 3
# A change, as every verb leaves it: the row and the event of it in one transaction.
CHANGE = "UPDATE quotas_quotarequest SET version = version + 1 WHERE id = %s"
RECORD = (
    "INSERT INTO projects_event (at, verb, project_id, subject_kind, subject_id, data)"
    " VALUES (now(), 'commented', %s, 'request', %s, '{}')"
)


@pytest.fixture(scope="module")
def site(module_database: DatabaseCopy) -> Site:
    """One for both: a project for each writer, and requests that were all withdrawn."""
    now = timezone.now() - timedelta(days=1)
    made = make_site(now)
    for number in range(WRITERS):
        join(make_project(made, f"p{number}", "atlas", now), made.alice, Role.OWNER, now)
    filler = Filler(now)
    filler.put(
        QuotaRequest,
        f"generate_series(1, {REQUESTS}) n "
        f"JOIN projects_project p ON p.slug = 'p' || n % {WRITERS}",
        {"project_id": "p.id", "requester_id": str(made.alice.pk), "reason": "'Run 4'",
         "submitted_at": "now", "created_at": "now", "updated_at": "now"},
    )  # fmt: skip
    asked = {"project_id": "q.project_id"}
    filler.put(
        RequestLine, "quotas_quotarequest q",
        asked | {"request_id": "q.id", "offering_id": str(made.vcpu.pk), "wanted": "1",
                 "balance_seen": "0", "state": "'withdrawn'"},
    )  # fmt: skip
    filler.put(
        Event, "quotas_quotarequest q",
        asked | {"actor_id": "q.requester_id", "verb": "'submitted'", "at": "now",
                 "subject_kind": "'request'", "subject_id": "q.id"},
    )  # fmt: skip
    return made


@pytest.fixture(autouse=True)
def no_rate(settings: Settings) -> None:
    """A program that keeps to the rate would take minutes."""
    settings.API_RATE_PER_MINUTE = 0


class Writers:
    """Threads that change requests, each in transactions that stay open while others commit."""

    def __init__(self, url: str, site: Site) -> None:
        self.url, self.site = url, site
        self.crashes: list[BaseException] = []
        self.acts: Counter[str] = Counter()
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(WRITERS)]
        for each in self.threads:
            each.start()

    @property
    def are_writing(self) -> bool:
        return any(each.is_alive() for each in self.threads)

    def _run(self, number: int) -> None:
        """In a project of its own: nobody waits for a row of another's."""
        chance = random.Random(number)
        try:
            project = Project.objects.get(slug=f"p{number}")
            ids = list(
                QuotaRequest.objects.filter(project=project)
                .order_by("pk")
                .values_list("pk", flat=True)
            )
            with psycopg.connect(self.url) as bare:
                for turn in range(ROUNDS):
                    self._overlap(bare, project, ids, chance, begins_bare=turn % 2 == 0)
        except BaseException as crash:  # noqa: BLE001 - told to the test
            self.crashes.append(crash)
        finally:
            connection.close()

    def _overlap(
        self, bare: psycopg.Connection[Any], project: Project, ids: list[int],
        chance: random.Random, *, begins_bare: bool,
    ) -> None:  # fmt: skip
        """Two transactions of which the one that began first ends last, or not at all."""
        first_is_undone = chance.random() < 0.2
        if begins_bare:
            self._change(bare, project, chance.sample(ids, 5))
        with transaction.atomic():
            for _act in range(ACTS):
                self._act(project, chance)
            if not begins_bare:
                self._change(bare, project, chance.sample(ids, 5))
                bare.commit()
                transaction.set_rollback(first_is_undone)
        if begins_bare:
            bare.rollback() if first_is_undone else bare.commit()

    def _change(self, bare: psycopg.Connection[Any], project: Project, ids: list[int]) -> None:
        for each in ids:
            bare.execute(CHANGE, [each])
            bare.execute(RECORD, [project.pk, each])

    def _act(self, project: Project, chance: random.Random) -> None:
        """What Alice does next in a project: send what does not wait yet, or go on with it."""
        who: Any = {"actor": self.site.alice, "now": timezone.now()}
        line = RequestLine.objects.filter(project=project, state=LineState.OPEN).first()
        if line is None:
            wish = Wish({self.site.vcpu.slug: chance.randrange(1, 9)}, "More")
            requests.submit(project=project, wish=wish, **who)
            self.acts["submit"] += 1
            return
        asked = QuotaRequest.objects.get(pk=line.request_id)
        verb = chance.choice(["amend", "comment", "withdraw"])
        self.acts[verb] += 1
        if verb == "comment":
            requests.comment(quota_request=asked, text="Please", **who)
        elif verb == "withdraw":
            requests.withdraw(quota_request=asked, **who)
        else:
            requests.amend(
                quota_request=asked, wanted={line.pk: line.wanted + 1}, reason="More",
                version=asked.version, **who,
            )  # fmt: skip

    def end(self) -> None:
        for each in self.threads:
            each.join(timeout=60)
        assert self.crashes == []
        assert set(self.acts) == {"submit", "amend", "comment", "withdraw"}


def pages(person: Caller, **query: str) -> Iterator[dict[str, Any]]:
    """Each page of a list of requests with their versions."""
    answer = person.get("requests/", fields="id,version", page_size="200", **query)
    while True:
        assert answer.status_code == 200, answer.content
        page: dict[str, Any] = answer.json()
        yield page
        if page["next"] is None:
            return
        answer = person.client.get(page["next"])


def synced(person: Caller, copy: dict[int, int], **query: str) -> tuple[Counter[int], str]:
    """Bring a copy {id: version} up to date; how often each came, and the next mark."""
    told: Counter[int] = Counter()
    marks = set()
    for page in pages(person, **query):
        marks.add(page["updated_until"])
        for row in page["results"]:
            told[row["id"]] += 1
            copy[row["id"]] = row["version"]
    (mark,) = marks
    return told, mark


def test_a_copy_by_updated_since_is_complete_and_told_nothing_twice(
    site: Site, module_database: DatabaseCopy
) -> None:
    otto, copy = caller(site, "otto"), dict[int, int]()
    writers = Writers(module_database.url, site)
    told, mark = synced(otto, copy)
    assert set(told.values()) == {1}
    assert len(told) >= REQUESTS
    rounds = 0
    while writers.are_writing or rounds == 0:
        mark = _one_round(otto, copy, mark)
        rounds += 1
    writers.end()
    # All that was open is over now.
    _one_round(otto, copy, mark)
    assert copy == dict(QuotaRequest.objects.values_list("pk", "version"))
    assert max(copy.values()) > 1


def _one_round(person: Caller, copy: dict[int, int], mark: str) -> str:
    """A sync told each of what the record has between the marks, once, and nothing else."""
    told, after = synced(person, copy, updated_since=mark)
    between = events_in(Window(Place.read(mark), Place.read(after)))
    assert set(told) == set(between.values_list("subject_id", flat=True))
    assert set(told.values()) <= {1}
    return after


def test_a_copy_by_the_feed_is_complete_and_told_nothing_twice(
    site: Site, module_database: DatabaseCopy
) -> None:
    otto, seen, after = caller(site, "otto"), Counter[int](), "0.0"
    writers = Writers(module_database.url, site)

    def read(after: str) -> tuple[int, str]:
        page = otto.get("events/", after=after, page_size="200").json()
        seen.update(each["id"] for each in page["results"])
        return len(page["results"]), page["after"]

    while writers.are_writing:
        _count, after = read(after)
    writers.end()
    # All that was open is over now.
    count = 1
    while count:
        count, after = read(after)
    assert seen == Counter(Event.objects.values_list("pk", flat=True))
    assert len(seen) > REQUESTS
