"""People of a real provider sign in: who they are, what is refreshed, what ends a session."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from contrib.provider.running import CLIENT_ID, RunningProvider
from projects.actions.people import make_user
from projects.models import Event, User

from .visiting import BEGIN, come_back, is_signed_in, way_back

pytestmark = [pytest.mark.django_db, pytest.mark.needs("provider")]


@pytest.fixture
def alice(provider: RunningProvider) -> str:
    provider.person("alice", name="Alice", email="alice@here.example", groups=[])
    return "alice"


def test_the_provider_is_asked_for_a_code_with_pkce_nonce_and_state(
    client: Client, provider: RunningProvider
) -> None:
    sent = urlsplit(client.get(BEGIN, headers={"Accept-Language": "fr"})["Location"])
    asked = {name: values[0] for name, values in parse_qs(sent.query).items()}
    assert f"{sent.scheme}://{sent.netloc}" == provider.issuer
    assert asked["response_type"] == "code"
    assert asked["client_id"] == CLIENT_ID
    assert asked["code_challenge_method"] == "S256"
    assert asked["ui_locales"] == "fr"
    assert asked["redirect_uri"] == "http://testserver/sign-in/return/"
    assert min(len(asked[each]) for each in ("state", "nonce", "code_challenge")) >= 32


def test_who_signs_in_for_the_first_time_is_made_known(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    answer = come_back(client, provider, alice)
    assert (answer.status_code, answer["Location"]) == (302, reverse("home"))
    user = User.objects.get()
    assert (user.issuer, user.subject) == (provider.issuer, "alice")
    assert (user.name, user.mail) == ("Alice", "alice@here.example")
    assert not user.has_usable_password()
    assert [each.verb for each in Event.objects.order_by("pk")] == ["person arrived"]
    assert is_signed_in(client)


def test_a_person_is_known_by_their_subject_when_name_and_mail_change(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    come_back(client, provider, alice)
    provider.person("alice", name="Alice Smith", email="smith@here.example")
    come_back(Client(), provider, alice)
    user = User.objects.get()
    assert (user.name, user.mail) == ("Alice Smith", "smith@here.example")
    changed = Event.objects.get(verb="person changed")
    assert (changed.subject_id, changed.data) == (user.pk, {"fields": ["name", "mail"]})


def test_a_mail_address_makes_nobody_somebody_else(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    come_back(client, provider, alice)
    make_user(subject="carol", issuer="https://other.example", mail="alice@here.example")
    provider.person("mallory", name="Alice", email="alice@here.example")
    come_back(Client(), provider, "mallory")
    assert User.objects.filter(mail="alice@here.example").count() == 3


def test_a_subject_of_another_issuer_is_another_person(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    local = make_user(subject="alice")
    come_back(client, provider, alice)
    assert User.objects.exclude(pk=local.pk).get().issuer == provider.issuer


def test_what_the_token_lacks_is_asked_of_the_provider_and_what_it_holds_stands(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    provider.fault("claims")
    come_back(client, provider, alice)
    assert User.objects.get().name == "Alice"


def test_a_token_of_the_provider_that_lasts_for_seconds_is_long_enough(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    provider.fault("short lived")
    come_back(client, provider, alice)
    assert User.objects.get().name == "Alice"


def test_a_deep_link_survives_the_sign_in(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    wanted = client.get("/me/?tab=1")["Location"]
    page = client.get(wanted).content.decode()
    assert "Sign in with Home" in page
    assert f'href="{BEGIN}?next=/me/%3Ftab%3D1"' in page
    assert come_back(client, provider, alice, heading="/me/?tab=1")["Location"] == "/me/?tab=1"


@pytest.mark.parametrize("heading", ["https://evil.example/", "//evil.example/"])
def test_a_sign_in_never_leads_to_another_site(
    client: Client, provider: RunningProvider, alice: str, heading: str
) -> None:
    assert come_back(client, provider, alice, heading=heading)["Location"] == reverse("home")


def test_the_session_has_a_new_key_and_keeps_nothing_of_the_way(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    back = way_back(client, provider, alice)
    before = client.session.session_key
    client.get(back)
    assert client.session.session_key != before
    assert "sign_in" not in client.session


def test_two_windows_of_one_browser_sign_in_beside_each_other(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    first = way_back(client, provider, alice)
    second = way_back(client, provider, alice)
    assert client.get(second)["Location"] == reverse("home")
    # The other one finds its person signed in.
    assert client.get(first)["Location"] == reverse("home")
    assert is_signed_in(client)


def test_small_differences_of_clocks_are_forgiven(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    provider.fault("skewed")
    assert come_back(client, provider, alice).status_code == 302


def test_new_keys_of_the_provider_are_read_when_a_token_names_one(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    come_back(client, provider, alice)
    provider.fault("rotated")
    assert come_back(Client(), provider, alice).status_code == 302


def test_signing_out_ends_the_session_here_and_leads_to_the_providers_own_end(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    come_back(client, provider, alice)
    answer = client.post("/sign-out/")
    assert answer.status_code == 200
    assert not is_signed_in(client)
    address = urlsplit(answer["Refresh"].partition("url=")[2])
    asked = parse_qs(address.query)
    assert f"{address.scheme}://{address.netloc}" == provider.issuer
    assert asked["post_logout_redirect_uri"] == ["http://testserver/sign-in/"]
    assert asked["id_token_hint"][0].count(".") == 2
    assert "signed out of Remit" in answer.content.decode()


def test_who_signed_in_with_a_local_account_is_not_sent_to_the_provider(
    client: Client, provider: RunningProvider
) -> None:
    client.force_login(make_user(subject="alice"), backend="projects.auth.LocalBackend")
    assert client.post("/sign-out/")["Location"] == "/sign-in/"


def test_without_local_accounts_the_page_has_the_providers_button_alone(
    client: Client, provider: RunningProvider, settings: Settings
) -> None:
    settings.LOCAL_ACCOUNTS = False
    page = client.get("/sign-in/").content.decode()
    assert "Sign in with Home" in page
    assert 'type="password"' not in page
    assert "keeps no passwords" not in page


def test_without_a_provider_its_addresses_lead_home(client: Client, settings: Settings) -> None:
    settings.OIDC = None
    assert client.get(BEGIN)["Location"] == reverse("home")
    assert client.get("/sign-in/return/")["Location"] == reverse("home")
