"""What is measured is served beside its floors, and says what each call cost."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection
from django.test import Client as Browser
from django.test import RequestFactory
from pytest_django import Settings

from bench.floors.handler import MIDDLEWARE, FloorHandler
from bench.harness import cpu
from quotas.tests.site import make_site

pytestmark = pytest.mark.django_db


def call(path: str, **more: str) -> tuple[str, dict[str, str], bytes]:
    """Through the application that gunicorn is given."""
    from bench.harness.wsgi import application  # it sets Django up, which tests have done

    told: list[Any] = []

    def hear(status: str, headers: list[tuple[str, str]]) -> None:
        told.extend((status, dict(headers)))

    body = b"".join(application(RequestFactory().get(path).environ | more, hear))
    status, headers = told
    return status, headers, body


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """The test's transaction outlives a call, as with Django's own client."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("kept_connection")
def test_a_floor_and_remit_answer_side_by_side_and_tell_their_cost() -> None:
    site, browser = make_site(), Browser()
    browser.force_login(site.alice)
    pairs = [f"{each.key}={each.value}" for each in browser.cookies.values()]
    cookie = {"HTTP_COOKIE": "; ".join(pairs)}

    status, costs, _body = call("/floor/requests/50/", HTTP_X_BENCH_COUNT="1", **cookie)
    assert (status, costs["X-Bench-Queries"]) == ("200 OK", "1")
    assert float(costs["X-Bench-Cpu-Ms"]) > 0
    assert float(costs["X-Bench-Backend-Ms"]) > 0

    status, costs, body = call("/", HTTP_X_BENCH_COUNT="1", **cookie)
    assert status == "200 OK"
    assert b"<main" in body
    assert int(costs["X-Bench-Queries"]) > 1


@pytest.mark.usefixtures("kept_connection")
def test_the_floors_have_a_door_of_their_own_and_leave_remits_as_it_was(
    settings: Settings,
) -> None:
    settings.LOGIN_URL = "/sign-in/"
    before = list(settings.MIDDLEWARE)

    floors = FloorHandler()
    answer = floors.get_response(RequestFactory().get("/floor/requests/50/"))
    answer.close()

    assert answer.status_code == 302  # nobody is signed in
    assert settings.MIDDLEWARE == before != MIDDLEWARE


def test_the_clock_of_work_counts_what_the_database_does() -> None:
    clock = cpu.Cpu()
    began, own = clock.now(), time.process_time()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM generate_series(1, 300000)")
    found = cpu.backend()

    assert found is not None
    assert found[0] != os.getpid()
    assert clock.now() - began > time.process_time() - own
    assert cpu.seconds_of("1500000000 77 3\n") == 1.5
