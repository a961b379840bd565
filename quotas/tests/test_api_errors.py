"""What becomes of an exception: the code, the status, and pointers into the body."""

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from rest_framework import exceptions as rest

from portal.lib import errors as domain
from quotas.api.errors import CONTENT_TYPE, exception_handler, pointer
from quotas.tests.api import approval, caller, refusal, submit
from quotas.tests.site import Site, make_site


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (domain.NotVisible("No."), 404, "not_found"),
        (domain.Forbidden("No."), 403, "forbidden"),
        (domain.Conflict("No."), 409, "conflict"),
        (domain.NoRoom("No.", short=3), 409, "no_room"),
        (domain.Stale("No."), 412, "stale"),
        (domain.Invalid({"reason": ["No."]}), 422, "invalid"),
        (domain.DomainError("No."), 400, "refused"),
        (rest.NotAuthenticated(), 401, "not_signed_in"),
        (rest.ParseError(), 400, "malformed"),
        (rest.ValidationError({"a": ["No."]}), 422, "invalid"),
        (rest.MethodNotAllowed("GET"), 405, "method_not_allowed"),
        (rest.UnsupportedMediaType("x/y"), 415, "unsupported_media_type"),
        (rest.Throttled(wait=7), 429, "throttled"),
        (OperationalError("server closed the connection"), 503, "unavailable"),
    ],
)  # fmt: skip
def test_each_error_has_its_status_and_code(error: Exception, status: int, code: str) -> None:
    answer = exception_handler(error, {})
    assert answer is not None
    assert (answer.status_code, answer.data["status"], answer.data["code"]) == (
        status, status, code,
    )  # fmt: skip
    assert answer.content_type == CONTENT_TYPE


def test_a_fault_of_ours_stays_a_fault() -> None:
    assert exception_handler(ZeroDivisionError(), {}) is None


def test_throttled_says_when_to_come_back() -> None:
    answer = exception_handler(rest.Throttled(wait=7), {})
    assert answer is not None
    assert answer["Retry-After"] == "7"


def test_facts_are_passed_on() -> None:
    answer = exception_handler(domain.NoRoom("No.", short=3, holder="IT"), {})
    assert answer is not None
    assert answer.data["facts"] == {"short": 3, "holder": "IT"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "#"),
        ("reason", "#/reason"),
        ("lines.geneva.compute-a.vcpu", "#/lines/geneva.compute-a.vcpu"),
        ("lines.a/b~c", "#/lines/a~1b~0c"),
    ],
)
def test_pointer(name: str, expected: str) -> None:
    assert pointer(name) == expected


@pytest.fixture
def committed(database_copy: object) -> Site:
    return make_site(timezone.now())


def test_a_row_that_somebody_holds_is_busy(committed: Site, database_copy: object) -> None:
    asked = submit(committed)
    body = approval(committed, asked)
    with psycopg.connect(database_copy.url) as holder:  # type: ignore[attr-defined]
        holder.execute("SELECT 1 FROM projects_project FOR UPDATE")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        answer = caller(committed, "dana").post(f"requests/{asked.pk}/approve/", body)
    assert refusal(answer) == (409, "busy")
    assert answer["Retry-After"] == "2"
    assert asked.lines.get().state == "open"


@pytest.mark.django_db
def test_an_address_that_does_not_exist_is_a_problem_to_programs_and_a_page_to_people(
    client: Client,
) -> None:
    missing = client.get("/api/v1/nope/")
    assert (missing.status_code, missing["Content-Type"]) == (404, CONTENT_TYPE)
    assert missing.json()["code"] == "not_found"
    assert "/api/v1/schema/" in missing.json()["detail"]
    page = client.get("/nope/")
    assert (page.status_code, page["Content-Type"]) == (404, "text/html; charset=utf-8")
