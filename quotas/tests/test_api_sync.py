"""Programs that keep a copy of 10,000 requests while others write: nothing missed, nothing twice.

One follows the lists by `updated_since`, the other the feed of events. The writers hold their
transactions open across one another, so that what got its number first is often seen last.
"""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from portal.testing.servers import DatabaseCopy
from projects.models import Event
from projects.queries.events import Place, Window, events_in, horizon
from quotas.models import QuotaRequest, RequestLine
from quotas.tests.api import Caller, caller
from quotas.tests.site import Site, make_site

REQUESTS = 10_000
WRITERS = 6
ROUNDS = 15
# A change, as every verb leaves it: the row and the event of it in one transaction.
CHANGE = "UPDATE quotas_quotarequest SET version = version + 1 WHERE id = %s"
RECORD = (
    "INSERT INTO projects_event (at, verb, project_id, subject_kind, subject_id, data)"
    " VALUES (now(), 'commented', %s, 'request', %s, '{}')"
)


@pytest.fixture
def site(database_copy: DatabaseCopy, settings: Settings) -> Site:
    # A program that keeps to the rate would take minutes.
    settings.API_RATE_PER_MINUTE = 0
    made = make_site(timezone.now() - timedelta(days=1))
    now = timezone.now() - timedelta(days=1)
    requests = QuotaRequest.objects.bulk_create(
        QuotaRequest(project=made.project, requester=made.alice, reason="Run 4", created_at=now,
                     updated_at=now, submitted_at=now)
        for _number in range(REQUESTS)
    )  # fmt: skip
    RequestLine.objects.bulk_create(
        RequestLine(request=each, project=made.project, offering=made.vcpu, wanted=1,
                    balance_seen=0, state="withdrawn")
        for each in requests
    )  # fmt: skip
    Event.objects.bulk_create(
        Event(at=now, verb="submitted", actor=made.alice, project=made.project,
              subject_kind="request", subject_id=each.pk)
        for each in requests
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return made


class Writers:
    """Threads that change requests, each in transactions that stay open while others commit."""

    def __init__(self, url: str, site: Site) -> None:
        self.ids = list(QuotaRequest.objects.values_list("pk", flat=True))
        self.url, self.project = url, site.project.pk
        self.crashes: list[BaseException] = []
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(WRITERS)]
        for each in self.threads:
            each.start()

    @property
    def are_writing(self) -> bool:
        return any(each.is_alive() for each in self.threads)

    def _run(self, number: int) -> None:
        chance = random.Random(number)
        # Each its own: nobody waits for a row of another's.
        mine = self.ids[number::WRITERS]
        try:
            with psycopg.connect(self.url) as one, psycopg.connect(self.url) as other:
                for _round in range(ROUNDS):
                    self._change(one, chance.sample(mine[::2], 5))
                    self._change(other, chance.sample(mine[1::2], 5))
                    # The one that began first ends last, or not at all.
                    other.commit()
                    if chance.random() < 0.2:
                        one.rollback()
                    else:
                        one.commit()
        except BaseException as crash:  # noqa: BLE001 - told to the test
            self.crashes.append(crash)

    def _change(self, database: psycopg.Connection[Any], ids: list[int]) -> None:
        for each in ids:
            database.execute(CHANGE, [each])
            database.execute(RECORD, [self.project, each])

    def end(self) -> None:
        for each in self.threads:
            each.join(timeout=60)
        assert self.crashes == []


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
    site: Site, database_copy: DatabaseCopy
) -> None:
    otto, copy = caller(site, "otto"), dict[int, int]()
    writers = Writers(database_copy.url, site)
    told, mark = synced(otto, copy)
    assert (len(told), set(told.values())) == (REQUESTS, {1})
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
    site: Site, database_copy: DatabaseCopy
) -> None:
    otto, seen, after = caller(site, "otto"), Counter[int](), ""
    start = str(horizon())
    writers = Writers(database_copy.url, site)

    def read(after: str) -> tuple[int, str]:
        answer = otto.get("events/", after=after or start, page_size="200")
        page = answer.json()
        seen.update(each["id"] for each in page["results"])
        return len(page["results"]), page["after"]

    while writers.are_writing:
        _count, after = read(after)
    writers.end()
    count = 1
    while count:
        count, after = read(after)
    written = Event.objects.filter(verb="commented").values_list("pk", flat=True)
    assert seen == Counter(written)
    assert len(seen) > WRITERS * ROUNDS * 5
