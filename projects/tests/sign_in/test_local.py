"""Signing in and out, one's own page, and the language and time zone of pages."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from projects.models import User

PASSWORD = "correct horse battery"
SIGN_IN = "/sign-in/"


@pytest.fixture
def alice(db: None) -> User:
    user = User(subject="alice", name="Alice <A>")
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(client: Client, **fields: str) -> tuple[int, str]:
    answer = client.post(SIGN_IN, {"username": "alice", "password": PASSWORD} | fields)
    return answer.status_code, answer.get("Location", "")


def test_sign_in_leads_home(client: Client, alice: User) -> None:
    assert sign_in(client) == (302, reverse("home"))
    assert client.get(reverse("me")).status_code == 200


def test_sign_in_leads_to_where_one_was_heading(client: Client, alice: User) -> None:
    wanted = client.get("/me/?tab=1")["Location"]
    assert wanted == f"{SIGN_IN}?next=/me/%3Ftab%3D1"
    assert 'name="next" value="/me/?tab=1"' in client.get(wanted).content.decode()
    assert sign_in(client, next="/me/?tab=1") == (302, "/me/?tab=1")


@pytest.mark.parametrize(
    "next_url",
    ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "http:///evil", "\\\\evil"],
)
def test_sign_in_never_leads_to_another_site(client: Client, alice: User, next_url: str) -> None:
    assert sign_in(client, next=next_url) == (302, reverse("home"))
    assert "evil" not in client.get(SIGN_IN, {"next": next_url}).get("Location", "")


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "wrong"},
        {"username": "nobody"},
        {"username": "alice\x00"},
        {"password": ""},
        {"username": "x" * 5000},
    ],
)
def test_sign_in_with_wrong_words_is_refused_in_a_sentence(
    client: Client, alice: User, fields: dict[str, str]
) -> None:
    answer = client.post(SIGN_IN, {"username": "alice", "password": PASSWORD} | fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert PASSWORD not in answer.content.decode()
    assert client.get(reverse("me")).status_code == 302


def test_sign_in_of_a_closed_account_is_refused(client: Client, alice: User) -> None:
    User.objects.update(is_active=False)
    assert sign_in(client)[0] == 422


def test_sign_in_does_not_know_people_of_an_identity_provider(client: Client, alice: User) -> None:
    User.objects.update(issuer="https://sso.example")
    assert sign_in(client)[0] == 422


def test_sign_in_changes_the_session_key(client: Client, alice: User) -> None:
    client.get(SIGN_IN)
    session = client.session
    session["kept"] = 1
    session.save()
    client.cookies["session"] = str(session.session_key)
    sign_in(client)
    assert client.session.session_key != session.session_key


def test_sign_in_needs_the_token_of_the_page(alice: User) -> None:
    assert sign_in(Client(enforce_csrf_checks=True))[0] == 403


def test_signed_in_people_are_led_on(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get(SIGN_IN, {"next": "/me/"})["Location"] == "/me/"


def test_sign_in_without_local_accounts_says_so(
    client: Client, alice: User, settings: Settings
) -> None:
    settings.LOCAL_ACCOUNTS = False
    html = client.get(SIGN_IN).content.decode()
    assert "This site keeps no passwords" in html
    assert "password" not in html.split("<main")[1].split("<h2")[0].lower()
    client.post(SIGN_IN, {"username": "alice", "password": PASSWORD})
    assert client.get(reverse("me")).status_code == 302


def test_demo_people_are_named_on_a_demo_site_only(
    client: Client, alice: User, settings: Settings
) -> None:
    assert "Alice &lt;A&gt;" not in client.get(SIGN_IN).content.decode()
    settings.SANDBOX = True
    assert "Alice &lt;A&gt;" in client.get(SIGN_IN).content.decode()


def test_sign_out_ends_the_session_by_post_only(client: Client, alice: User) -> None:
    client.force_login(alice)
    assert client.get("/sign-out/").status_code == 405
    answer = client.post("/sign-out/")
    assert (answer.status_code, answer["Location"]) == (302, SIGN_IN)
    assert client.get(reverse("me")).status_code == 302
    assert client.post("/sign-out/").status_code == 302


def test_me_saves_language_and_time_zone(client: Client, alice: User) -> None:
    client.force_login(alice)
    answer = client.post("/me/", {"language": "fr", "time_zone": "Europe/Zurich"})
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert (alice.language, alice.time_zone) == ("fr", "Europe/Zurich")
    assert '<html lang="fr"' in client.get("/me/").content.decode()


def test_me_asks_for_language_and_zone_without_calling_them_optional(
    client: Client, alice: User
) -> None:
    client.force_login(alice)
    html = client.get("/me/").content.decode()
    assert 'for="id_language"' in html
    assert 'for="id_time_zone"' in html
    assert "(optional)" not in html


@pytest.mark.parametrize("fields", [{"language": "tlh"}, {"time_zone": "Mars/Olympus"}])
def test_me_refuses_what_nobody_knows(client: Client, alice: User, fields: dict[str, str]) -> None:
    client.force_login(alice)
    answer = client.post("/me/", {"language": "", "time_zone": ""} | fields)
    assert answer.status_code == 422
    alice.refresh_from_db()
    assert (alice.language, alice.time_zone) == ("", "")


def test_me_escapes_names(client: Client, alice: User) -> None:
    client.force_login(alice)
    html = client.get("/me/").content.decode()
    assert "Alice &lt;A&gt;" in html
    assert "Alice <A>" not in html


def test_language_switch_holds_for_who_is_signed_in_and_for_who_is_not(
    client: Client, alice: User
) -> None:
    client.post("/language/", {"language": "fr", "next": SIGN_IN})
    assert '<html lang="fr"' in client.get(SIGN_IN).content.decode()
    client.force_login(alice)
    client.post("/language/", {"language": "fr", "next": "/me/"})
    alice.refresh_from_db()
    assert alice.language == "fr"
    client.post("/language/", {"language": "xx", "next": "/me/"})
    alice.refresh_from_db()
    assert alice.language == "fr"


def test_language_switch_never_leads_to_another_site(client: Client, db: None) -> None:
    answer = client.post("/language/", {"language": "fr", "next": "https://evil.example/"})
    assert "evil" not in answer["Location"]


@pytest.mark.django_db
def test_a_part_of_a_page_is_told_that_nobody_is_signed_in(client: Client) -> None:
    page = client.get("/requests/1/progress/")
    assert (page.status_code, page["Location"]) == (302, "/sign-in/?next=/requests/1/progress/")
    part = client.get("/requests/1/progress/", HTTP_HX_REQUEST="true")
    assert (part.status_code, part.content) == (401, b"")
