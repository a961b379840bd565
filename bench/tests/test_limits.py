"""The limits are those that were agreed on, and no row may pass over one in silence."""

import json

import pytest

from bench.harness.document import faults
from bench.harness.explained import EXPLAINED
from bench.harness.limits import LIMITS, Limit
from bench.harness.report import LATEST
from bench.harness.rows import Figure, Row, explained, faults_of, rows_of

KEYS = {"work", "size", "ratio", "queries", "bytes", "cpu_ms", "limit", "holds"}
BOTH = ("large", "large, 100,000 open")
LARGE = ("large",)
# Of the table, word for word; what "flat" and "with progress" mean is ours to say.
AGREED = {
    ("queue", "queries <= 6", BOTH),
    ("queue", "bytes <= 100000", BOTH),
    ("queue", "compressed <= 12000", BOTH),
    ("queue", "ratio <= 2", BOTH),
    ("queue, flat in the number of requests", "value <= 1.15 times", None),
    ("project page", "queries <= 8", LARGE),
    ("project page", "ratio <= 2.5", LARGE),
    ("submit", "queries <= 12", LARGE),
    ("submit", "ratio <= 3", LARGE),
    ("approve", "queries <= 16", LARGE),
    ("approve", "ratio <= 4", LARGE),
    ("approve and back to the queue", "ratio <= 5", LARGE),
    ("bulk of 100", "ratio <= 60", LARGE),
    ("bulk of 100, progress", "value >= 3 steps seen", LARGE),
    *(
        (f"API list of 50: {name}", words, LARGE)
        for name in ("queue", "requests", "projects", "events", "transfers")
        for words in ("queries <= 5", "ratio <= 2")
    ),
    ("decision to applied", "value <= 0.5 s", None),
    ("many changes on real OpenStack", "value >= 90 %", None),
    ("web worker", "value <= 110 MB", None),
    ("web worker, growth", "value <= 3 MB an hour", None),
    ("audit_ledger", "value <= 10 CPU s", LARGE),
}
PAGE_LIMITS = (Limit("page", "queries", 6, ("large",)), Limit("page", "ratio", 2, ("large",)))


def test_limits_are_as_agreed() -> None:
    assert {(each.work, each.words, each.sizes) for each in LIMITS} == AGREED
    assert len({each.name for each in LIMITS}) == len(LIMITS)


def page(ratio: float = 1.5, size: str = "large") -> list[Row]:
    figure = Figure("page", size, ratio=ratio, queries=6)
    return rows_of([figure], PAGE_LIMITS)


def test_a_work_has_one_row_for_each_limit_of_its_size() -> None:
    rows = page()

    assert [(each["limit"], each["holds"]) for each in rows] == [
        ("queries <= 6", True),
        ("ratio <= 2", True),
    ]
    assert all(each.keys() >= KEYS for each in rows)
    assert [(each["limit"], each["holds"]) for each in page(size="small")] == [(None, None)]


def test_a_row_that_misses_says_where_it_is_explained() -> None:
    places = {"page: ratio": "docs/performance.md#why-so-slow"}
    held, missed = explained(page(ratio=3.0), places, PAGE_LIMITS)

    assert (held["holds"], missed["holds"]) == (True, False)
    assert "explained" not in held
    assert faults_of([held, missed], {"why-so-slow"}, PAGE_LIMITS) == []
    (fault,) = faults_of([held, missed], {"other"}, PAGE_LIMITS)
    assert fault == "page, large: misses ratio <= 2, and nothing says why."


def test_a_limit_without_a_row_is_a_fault() -> None:
    (fault,) = faults_of(page()[:1], set(), PAGE_LIMITS)

    assert fault == "page: ratio: no row tells of ratio <= 2 on large."


def test_what_was_not_measured_cannot_be_within_a_limit() -> None:
    with pytest.raises(ValueError, match="page, large: ratio was not measured"):
        rows_of([Figure("page", "large", queries=3)], PAGE_LIMITS)


def test_the_committed_results_explain_each_miss_and_nothing_else() -> None:
    rows: list[Row] = json.loads(LATEST.read_text())

    assert all(each.keys() >= KEYS for each in rows)
    # A limit without a row is for `make bench` to say: it takes hours.
    assert [each for each in faults() if "no row tells of" not in each] == []
    assert set(EXPLAINED) <= {each.name for each in LIMITS}
