"""How long one stays signed in: an age that nothing moves, and an idle time that acts move."""

from datetime import datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from projects.actions.people import make_user
from projects.tasks import sweep_sessions

pytestmark = pytest.mark.django_db
HOUR = 3_600


@pytest.fixture
def client_of_alice(client: Client, settings: Settings) -> Client:
    settings.SESSION_COOKIE_AGE = 12 * HOUR
    settings.SESSION_IDLE_SECONDS = 2 * HOUR
    client.force_login(make_user(subject="alice"))
    return client


def ends_in() -> float:
    """Hours until the session is over."""
    left: timedelta = Session.objects.get().expire_date - timezone.now()
    return round(left.total_seconds() / HOUR, 1)


def be_back(client: Client, **hours: float) -> None:
    """As if somebody came back after doing nothing: all moments of the session were earlier."""
    away = timedelta(**hours)
    session = client.session
    session["signed_in_at"] -= away.total_seconds()
    session.set_expiry(datetime.fromisoformat(session["_session_expiry"]) - away)
    session.save()


def is_in(client: Client) -> bool:
    return client.get("/me/").status_code == 200


def test_who_does_nothing_for_long_is_signed_out(client_of_alice: Client) -> None:
    assert ends_in() == 2
    be_back(client_of_alice, hours=2.1)
    assert not is_in(client_of_alice)


def test_who_does_something_stays(client_of_alice: Client) -> None:
    for _visit in range(3):
        be_back(client_of_alice, hours=1.5)
        assert is_in(client_of_alice)
        assert ends_in() == 2


def test_nobody_stays_longer_than_the_age(client_of_alice: Client) -> None:
    for _visit in range(7):
        be_back(client_of_alice, hours=1.5)
        assert is_in(client_of_alice)
    assert ends_in() == 1.5
    be_back(client_of_alice, hours=1.6)
    assert not is_in(client_of_alice)


def test_what_a_page_fetches_by_itself_keeps_nobody_signed_in(client_of_alice: Client) -> None:
    be_back(client_of_alice, hours=1.5)
    client_of_alice.get("/me/", headers={"HX-Request": "true"})
    assert ends_in() == 0.5
    client_of_alice.post("/language/", {"language": "fr"}, headers={"HX-Request": "true"})
    assert ends_in() == 2


def test_reading_writes_no_session_each_time(
    client_of_alice: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(4) as queries:
        client_of_alice.get("/me/")
    assert not [each for each in queries if "UPDATE" in each["sql"]]


def test_a_session_from_before_there_were_rules_gets_its_end(client_of_alice: Client) -> None:
    session = client_of_alice.session
    del session["signed_in_at"], session["_session_expiry"]
    session.save()
    assert is_in(client_of_alice)
    assert ends_in() == 2


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(client_of_alice: Client) -> None:
    be_back(client_of_alice, hours=1.5)
    cookie = client_of_alice.get("/me/").cookies["session"]
    assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")


def test_sessions_that_are_over_are_forgotten(client_of_alice: Client) -> None:
    sweep_sessions()
    assert Session.objects.count() == 1
    be_back(client_of_alice, hours=2.1)
    sweep_sessions()
    assert Session.objects.count() == 0
