"""Waiting: politely, through what goes wrong on the way, and not for ever."""

import os
import subprocess
import sys

import pytest

from remit_client.commands.asking import wait_for
from remit_client.config import Access, Secret
from remit_client.site import Site
from remit_client.tests.conftest import TOKEN
from remit_client.tests.scripted import DROPPED, Answer, Scripted, problem
from remit_client.tests.test_site import Pauses


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


@pytest.fixture
def site(server: Scripted, pauses: Pauses) -> Site:
    return Site(Access(server.url, Secret(TOKEN)), pause=pauses.pause, clock=pauses.clock)


def is_in(state: str, **headers: str) -> Answer:
    return Answer(body={"state": state, "lines": []}, headers=headers)


def test_what_is_unchanged_is_short_and_asked_for_ever_more_rarely(
    site: Site, server: Scripted, pauses: Pauses
) -> None:
    same = Answer(304, None)
    server.will(is_in("open"), is_in("open", ETag='"1.a"'), *[same] * 20, is_in("applied"))
    assert wait_for(site, 7, 3600)["state"] == "applied"
    assert [each.headers.get("If-None-Match") for each in server.asked[2:]] == ['"1.a"'] * 21
    assert pauses.waited[0] < 1.2
    assert 13 < pauses.waited[-1] < 17


def test_a_site_that_is_away_for_a_while_is_asked_again(site: Site, server: Scripted) -> None:
    site.patience = 5
    away = problem(503, "unavailable", "The database does not answer.")
    lost = Answer(DROPPED)
    server.will(is_in("applying"), *[away] * 8, *[lost] * 8, is_in("applied"))
    assert wait_for(site, 7, 3600)["state"] == "applied"


def test_it_ends_when_the_time_is_over_with_what_it_saw_last(
    site: Site, server: Scripted, pauses: Pauses
) -> None:
    server.will(is_in("open"))
    assert wait_for(site, 7, 30)["state"] == "open"
    assert 29 < sum(pauses.waited) <= 30.1


@pytest.mark.parametrize("state", ["declined", "returned", "withdrawn", "refused", "not enforced"])
def test_what_no_waiting_changes_ends_it_at_once(
    site: Site, server: Scripted, pauses: Pauses, state: str
) -> None:
    server.will(is_in(state))
    assert wait_for(site, 7, 30)["state"] == state
    assert (len(server.asked), pauses.waited) == (1, [])


def test_who_reads_no_further_gets_no_complaint(server: Scripted) -> None:
    """As `remit projects | head -1`."""
    row = {"slug": "a", "unit": "b", "state": "active", "roles": [], "description": "x" * 500}
    server.will(Answer(body={"results": [row] * 200, "next": None}))
    environment = os.environ | {"REMIT_URL": server.url, "REMIT_TOKEN": TOKEN}
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "remit_client", "projects"], env=environment, stdout=write_end,
        stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    os.close(write_end)
    assert (done.returncode, done.stderr) == (0, "")
