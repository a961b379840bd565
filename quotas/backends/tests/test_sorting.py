"""Answers of services, sorted: every envelope, both forms of Retry-After, the words of each."""

import datetime
import email.utils
import json
from typing import Any

import pytest
import requests

from quotas.backends import Kind
from quotas.backends.cinder import CinderDriver
from quotas.backends.nova import NovaDriver
from quotas.backends.sorting import Rule, sort_answer


def answer(status: int, body: Any, **headers: str) -> requests.Response:
    made = requests.Response()
    made.status_code = status
    made._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    made.headers.update(headers)
    return made


def retry_after(value: str) -> int | None:
    return sort_answer(answer(429, {}, **{"Retry-After": value})).retry_after


def test_retry_after_in_seconds() -> None:
    assert (retry_after("17"), retry_after(" 0 ")) == (17, 0)


def test_retry_after_as_a_date() -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)
    found = retry_after(email.utils.format_datetime(later, usegmt=True))
    assert found is not None
    assert 60 < found <= 91


def test_retry_after_in_the_past_is_now() -> None:
    assert retry_after("Fri, 20 Nov 2020 10:00:00 GMT") == 0


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "9" * 5000, "Fri, 40 Nov 2020 99:00"])
def test_retry_after_that_is_neither_is_no_wish(value: str) -> None:
    assert retry_after(value) is None


BELOW = "Quota limit 2 for cores must be greater than or equal to already used and reserved 3."
GONE = "Project ID 5f is not a valid project."
ENVELOPES: list[tuple[tuple[Rule, ...], int, Any, str, str]] = [
    (NovaDriver.RULES, 400, {"badRequest": {"message": BELOW, "code": 400}}, "below_usage", BELOW),
    (NovaDriver.RULES, 400, {"badRequest": {"message": GONE, "code": 400}}, "project_gone", GONE),
    (
        CinderDriver.RULES, 400,
        {"badRequest": {"message": "Invalid input received: Bad key(s) in quota set: x"}},
        "unknown_key", "Invalid input received: Bad key(s) in quota set: x",
    ),
    (
        (), 400,
        {"NeutronError": {"type": "QuotaBelow", "message": "Below usage", "detail": ""}},
        "bad_request", "Below usage",
    ),
    ((), 401, {"error": {"code": 401, "message": "Sign in"}}, "credentials", "Sign in"),
    ((), 403, {"forbidden": {"message": "Policy"}}, "forbidden", "Policy"),
    ((), 404, {"itemNotFound": {"message": "Nothing here"}}, "not_found", "Nothing here"),
    ((), 409, {"conflictingRequest": {"message": "Busy"}}, "conflict", "Busy"),
    ((), 413, {"overLimit": {"message": "Slow down"}}, "rate_limited", "Slow down"),
    ((), 500, {"computeFault": {"message": "Unexpected API Error."}}, "server_error",
     "Unexpected API Error."),
    ((), 400, {"faultstring": "Bad thing", "debuginfo": None}, "bad_request", "Bad thing"),
    ((), 503, "<html><head><title>no</title></head><body>Down <b>now</b></body>", "unavailable",
     "Down now"),
    ((), 502, "", "unavailable", "HTTP 502"),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "status", "body", "code", "words"), ENVELOPES)
def test_each_envelope_is_opened(
    rules: tuple[Rule, ...], status: int, body: Any, code: str, words: str
) -> None:
    found = sort_answer(answer(status, body), rules)
    assert (found.code, found.words, found.http_status) == (code, words, status)


def test_a_rule_counts_for_its_status_alone() -> None:
    assert sort_answer(answer(500, {"x": {"message": BELOW}}), NovaDriver.RULES).code == (
        "server_error"
    )


def test_a_version_that_is_too_high_is_asked_for_anew() -> None:
    found = sort_answer(answer(406, {"computeFault": {"message": "Version 2.57 is not supported"}}))
    assert (found.kind, found.code) == (Kind.TRANSIENT, "version")


@pytest.mark.parametrize("driver", [NovaDriver, CinderDriver])
def test_every_status_is_sorted(driver: type[NovaDriver] | type[CinderDriver]) -> None:
    found = [sort_answer(answer(status, {}), driver.RULES) for status in range(300, 600)]
    assert {each.kind for each in found} == {Kind.TRANSIENT, Kind.REFUSED}
    assert all(each.words for each in found)
