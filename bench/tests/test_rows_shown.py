"""Rows of pages are counted before anything is timed."""

import pytest

from bench.harness import looks
from bench.harness.client import Answer
from bench.harness.looks import Look, check_rows, rows_in


def answer(body: str, kind: str = "text/html") -> Answer:
    return Answer(200, 0.1, len(body), body.encode(), {"content-type": kind})


def test_rows_are_those_of_the_main_part_or_of_a_list() -> None:
    page = answer("<nav><li>a</nav><main><tr><li class=x><tr data-row></main><li>")

    assert rows_in(page, looks.ITEMS) == 3
    assert rows_in(page, looks.FLOOR_ROW) == 1
    assert rows_in(answer('{"results": [1, 2]}', "application/json"), looks.ITEMS) == 2
    assert rows_in(answer("[1, 2, 3]", "application/json"), looks.ITEMS) == 3


def test_other_rows_than_are_compared_are_an_error() -> None:
    fifty = Look(1, "/queue/", "/floor/requests/50/", rows=50)
    as_many = Look(1, "/", "/floor/requests/{rows}/")
    check_rows(fifty, 50, 50)
    check_rows(as_many, 7, 7)

    for at, rows, besides in (
        (fifty, 49, 49), (fifty, 50, 49), (fifty, 49, 50), (as_many, 7, 6), (as_many, 0, 0),
    ):  # fmt: skip
        with pytest.raises(AssertionError, match=f"shows {rows} rows and its floor {besides}"):
            check_rows(at, rows, besides)
