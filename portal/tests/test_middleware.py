"""What every answer carries, and what becomes of a refusal that a page did not answer."""

import json
import logging
import re

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pythonjsonlogger.json import JsonFormatter

from portal.lib import request_id
from portal.lib.access import keeps, kept_query
from portal.lib.errors import Conflict
from portal.middleware import DomainErrorMiddleware


def test_answer_allows_only_this_site(client: Client) -> None:
    policy = client.get("/livez").headers["Content-Security-Policy"]
    assert policy.split("; ") == [
        "default-src 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    ]


def test_well_formed_request_id_is_kept_and_logged(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="portal.requests"):
        answer = client.get("/livez?q=secret", headers={"X-Request-ID": "abcd-1234"})
    assert answer.headers["X-Request-ID"] == "abcd-1234"
    (record,) = [record for record in caplog.records if record.name == "portal.requests"]
    logged = {key: getattr(record, key) for key in ("method", "path", "status", "user")}
    assert logged == {"method": "GET", "path": "/livez", "status": 200, "user": None}


@pytest.mark.parametrize("forged", ["", "short", "a" * 65, 'x"}{"level": "ERROR"', "a b c d e f g"])
def test_forged_request_id_is_replaced(client: Client, forged: str) -> None:
    answer = client.get("/livez", headers={"X-Request-ID": forged})
    assert answer.headers["X-Request-ID"] != forged
    assert len(answer.headers["X-Request-ID"]) == 32


def test_log_line_is_one_json_object_with_the_request_id() -> None:
    (handler,) = [h for h in logging.getLogger().handlers if isinstance(h.formatter, JsonFormatter)]
    record = logging.LogRecord("x.y", logging.INFO, __file__, 1, "hello\nworld", None, None)
    assert handler.filter(record)
    line = handler.format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert {key: found[key] for key in ("level", "logger", "message", "request_id")} == {
        "level": "INFO",
        "logger": "x.y",
        "message": "hello\nworld",
        "request_id": request_id.current.get(),
    }


def test_what_a_view_keeps_of_a_post_is_never_longer_than_an_address_may_be() -> None:
    posted = {"amount-a": "1", "amount-b": "x" * 2000, "other": "2", "amount-c": "", "zone": "b"}
    assert kept_query(keeps("zone", "amount-*")(never), posted) == "zone=b&amount-a=1"
    assert kept_query(str, posted) == ""


def never(request: HttpRequest) -> HttpResponse:
    raise AssertionError("not asked")


def test_error_that_is_not_the_domains_passes_through() -> None:
    middleware = DomainErrorMiddleware(never)
    assert middleware.process_exception(RequestFactory().get("/"), ValueError("x")) is None


def test_refusal_of_the_domain_becomes_a_page_of_its_status(rf: RequestFactory) -> None:
    middleware = DomainErrorMiddleware(never)
    answer = middleware.process_exception(rf.get("/"), Conflict("Somebody was first."))
    assert answer is not None
    assert answer.status_code == 409
    assert b"Somebody was first." in answer.content


@pytest.mark.parametrize(
    ("method", "before", "link"),
    [
        ("POST", "http://testserver/projects/a/life/?unit=it#move", "/projects/a/life/?unit=it"),
        ("POST", "http://elsewhere.example/projects/", None),
        ("POST", "", None),
        ("GET", "http://testserver/here/", None),
    ],
)
def test_a_refusal_leads_back_to_the_page_of_ours_that_it_came_from(
    rf: RequestFactory, method: str, before: str, link: str | None
) -> None:
    request = rf.generic(method, "/here/", headers={"Referer": before})
    refusal = Conflict("Somebody was first.")
    answer = DomainErrorMiddleware(never).process_exception(request, refusal)
    assert answer is not None
    found = re.findall(r'<a class="btn main" href="([^"]*)"', answer.content.decode())
    assert found == ([link] if link else [])
