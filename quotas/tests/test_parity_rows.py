"""Twins write the same: in each table as many rows new, changed and gone, and the same record.

By the samples of the table of access, each by the person whom its row lets do it. That it holds
for what else can be said, and the values in the rows, is in the files test_doors*.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from portal.lib.access import OK, ROLES, ROWS
from projects.models import Event
from quotas.tests.access.case import Case, make_case
from quotas.tests.access.sending import Sample
from quotas.tests.site import make_site
from quotas.tests.test_access import row_of, send
from quotas.tests.test_parity import TWINS, samples_of

# Who does it, besides: a page that does at once what its calls do one after the other.
AT_ONCE = {"request_edit": "its form saves the draft and sends it"}
# How one is signed in for a test: the moment is noted.
SIGNED_IN = {("projects_user", "changed"): 1}


@dataclass(frozen=True)
class Left:
    """What an act left: rows by (table, how), and lines of the record."""

    who: str
    writes: Counter[tuple[str, str]]
    events: Counter[tuple[object, ...]]

    @property
    def is_nothing(self) -> bool:
        return not self.writes and not self.events

    def __add__(self, other: "Left") -> "Left":
        assert self.who == other.who
        return Left(self.who, self.writes + other.writes, self.events + other.events)


@dataclass
class Doors:
    """A site, and what the acts that were tried on it left."""

    case: Case
    known: dict[str, list[Left]] = field(default_factory=dict)

    def left_by(self, told: str) -> list[Left]:
        """Of each sample that leaves anything: pages ask first, and calls show what would be."""
        if told not in self.known:
            found = [self._try(told, sample) for sample in samples_of(told)]
            self.known[told] = [each for each in found if not each.is_nothing]
        return self.known[told]

    def _try(self, told: str, sample: Sample) -> Left:
        name = told.rpartition(" ")[2]
        row = ROWS[sample.row or row_of(name)]
        role = next(each for each in ROLES if row[each] == OK and each != "anonymous")
        with transaction.atomic():
            sample.kwargs(self.case), sample.data(self.case)  # what it takes to be possible
            before = _writes()
            last = Event.objects.order_by("pk").values_list("pk", flat=True).last() or 0
            assert send(self.case, role, name, sample) == OK
            writes = _writes()
            writes.subtract(before)
            writes.subtract(SIGNED_IN)
            events = Event.objects.filter(pk__gt=last).values_list(
                "verb", "actor__subject", "project__slug", "unit__slug", "subject_kind"
            )
            left = Left(role, +writes, Counter(events))
            transaction.set_rollback(True)
        return left


def _writes() -> Counter[tuple[str, str]]:
    """{(table, how): rows that this transaction wrote so far}, of our own tables."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_xact_user_tables"
            " WHERE relname ~ '^(projects|quotas)_'"
        )
        return Counter(
            {
                (table, how): count
                for table, *counts in cursor.fetchall()
                for how, count in zip(("new", "changed", "gone"), counts, strict=True)
            }
        )


@pytest.fixture(scope="module")
def doors(module_database: object) -> Doors:
    """One for all: what an act changes is undone."""
    return Doors(make_case(make_site(timezone.now() - timedelta(days=1))))


@pytest.mark.parametrize("page", TWINS)
def test_what_a_page_writes_its_call_writes(doors: Doors, page: str) -> None:
    by_calls = [each for call in TWINS[page] for each in doors.left_by(call)]
    if page in AT_ONCE:
        first, *rest = by_calls
        by_calls = [sum(rest, start=first)]
    missing = [each for each in doors.left_by(page) if each not in by_calls]
    assert not missing, by_calls


@pytest.mark.parametrize(
    "call", sorted({call for page in TWINS for call in TWINS[page] if page not in AT_ONCE})
)
def test_what_a_call_writes_one_of_its_pages_writes(doors: Doors, call: str) -> None:
    by_pages = [each for page in TWINS if call in TWINS[page] for each in doors.left_by(page)]
    missing = [each for each in doors.left_by(call) if each not in by_pages]
    assert not missing, by_pages
