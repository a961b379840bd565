"""A database that is away: people and programs are told so, and signed in they stay."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.test import Client

from quotas.tests.api import refusal
from quotas.tests.site import Site


@contextmanager
def away() -> Iterator[None]:
    """The connection leads to a database that is not there."""
    connection = connections["default"]
    connection.close()
    name = connection.settings_dict["NAME"]
    connection.settings_dict["NAME"] = "nowhere"
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = name


def signed_in(site: Site) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(site.alice)
    return client


def test_a_program_reads_a_problem_and_when_to_come_again(committed_site: Site) -> None:
    client = signed_in(committed_site)
    with away():
        answer = client.get("/api/v1/me/")
    assert refusal(answer) == (503, "unavailable")
    assert answer["Retry-After"] == "2"
    assert "before you repeat it" in answer.json()["detail"]
    assert client.get("/api/v1/me/").status_code == 200


def test_a_person_gets_a_page_that_says_so(committed_site: Site) -> None:
    client = signed_in(committed_site)
    with away():
        answer = client.get("/projects/")
    assert answer.status_code == 503
    assert "before you repeat it" in answer.content.decode()
    assert client.get("/projects/").status_code == 200
