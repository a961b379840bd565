"""Local accounts lock after failures: from that address, for a time, whether they exist or not."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from axes.models import AccessAttempt
from django.test import Client
from pytest_django import Settings

from portal.testing.html import text_of
from projects.actions.people import make_user
from projects.models import User

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def quick_and_strict(settings: Settings) -> None:
    settings.AXES_FAILURE_LIMIT = 3
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def alice(quick_and_strict: None) -> User:
    user = User(subject="alice", name="Alice")
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(name: str, password: str, address: str = "10.0.0.1") -> "Answer":
    fields = {"username": name, "password": password}
    return Client(REMOTE_ADDR=address).post("/sign-in/", fields)


def fail(name: str, times: int = 3) -> "Answer":
    return [sign_in(name, "wrong") for _time in range(times)][-1]


def test_who_fails_too_often_is_locked_out_with_a_sentence_and_a_way_on(alice: User) -> None:
    assert fail("alice", 2).status_code == 422
    fail("alice", 1)
    answer = sign_in("alice", PASSWORD)
    assert answer.status_code == 429
    page = answer.content.decode()
    assert "for 15 minutes" in page
    assert "operators can help" in page
    assert PASSWORD not in page


def test_a_name_that_nobody_has_locks_as_one_that_exists(alice: User) -> None:
    def told(name: str) -> list[tuple[int, str]]:
        answers = [sign_in(name, "wrong") for _time in range(4)]
        return [(x.status_code, text_of(x.content.decode())) for x in answers]

    assert told("alice") == told("nobody")


def test_a_lock_holds_from_that_address_alone(alice: User) -> None:
    fail("alice")
    assert sign_in("alice", PASSWORD).status_code == 429
    assert sign_in("alice", PASSWORD, "10.0.0.2").status_code == 302


def test_a_lock_ends_by_itself_and_more_tries_do_not_prolong_it(alice: User) -> None:
    fail("alice")
    AccessAttempt.objects.update(attempt_time=moved(10))
    assert sign_in("alice", "wrong").status_code == 429
    AccessAttempt.objects.update(attempt_time=moved(6))
    assert sign_in("alice", PASSWORD).status_code == 302


def moved(minutes: int) -> object:
    return AccessAttempt.objects.get().attempt_time - timedelta(minutes=minutes)


def test_who_signs_in_begins_to_count_anew(alice: User) -> None:
    fail("alice", 2)
    assert sign_in("alice", PASSWORD).status_code == 302
    assert fail("alice", 2).status_code == 422


def test_no_password_is_kept_of_a_failure(alice: User) -> None:
    sign_in("alice", "my-other-password")
    (attempt,) = AccessAttempt.objects.all()
    assert attempt.username == "alice"
    assert "my-other-password" not in attempt.post_data


def test_a_closed_account_is_told_so_to_whoever_knows_its_password_alone(alice: User) -> None:
    User.objects.update(is_active=False)
    assert "This account is closed" in sign_in("alice", PASSWORD).content.decode()
    assert "This account is closed" not in sign_in("alice", "wrong").content.decode()


def test_people_of_a_provider_have_no_password_to_guess(alice: User) -> None:
    make_user(subject="bob", issuer="https://sso.example")
    assert sign_in("bob", "wrong").status_code == 422
