"""Whatever goes wrong at the provider ends on a calm page with a code, and changes nothing."""

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from pytest_django import Settings

from contrib.provider.running import RunningProvider
from portal.lib.openid.failures import Failure
from portal.lib.openid.provider import Provider
from portal.testing.waiting import wait_until
from projects.actions.people import make_user
from projects.models import Event, User
from projects.views.provider import WORDS

from .visiting import BEGIN, RETURN, come_back, is_signed_in, way_back

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

pytestmark = [pytest.mark.django_db, pytest.mark.needs("provider")]


@pytest.fixture
def alice(provider: RunningProvider) -> str:
    provider.person("alice", name="Alice", email="alice@here.example", groups=["dq"])
    return "alice"


def code_of(answer: "Answer") -> str:
    """The code of a page of failure, which is one: with a way on, and no trace of code."""
    page = answer.content.decode()
    found = re.search(r"<dd><code>(\w+)</code></dd>", page)
    assert found is not None, page
    assert answer.status_code == WORDS[Failure(found.group(1))].status
    assert 'href="/sign-in/' in page
    assert "Traceback" not in page
    return found.group(1)


def nothing_is_kept(client: Client) -> bool:
    return not (User.objects.exists() or Event.objects.exists() or is_signed_in(client))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("expired", "token_expired"),
        ("future", "clocks_differ"),
        ("nonce", "wrong_nonce"),
        ("no nonce", "wrong_nonce"),
        ("audience", "wrong_audience"),
        ("issuer", "wrong_issuer"),
        ("forged", "wrong_signature"),
        ("unsigned", "wrong_signature"),
        ("no subject", "token_invalid"),
        ("token endpoint", "provider_unreachable"),
        ("no userinfo", "provider_unreachable"),
        ("userinfo of another", "token_invalid"),
    ],
)
def test_a_token_that_does_not_hold_signs_nobody_in(
    client: Client, provider: RunningProvider, alice: str, fault: str, code: str
) -> None:
    provider.fault(fault)
    assert code_of(come_back(client, provider, alice)) == code
    assert nothing_is_kept(client)


def test_who_failed_can_begin_again(client: Client, provider: RunningProvider, alice: str) -> None:
    provider.fault("nonce")
    failed = come_back(client, provider, alice, heading="/me/?tab=1").content.decode()
    assert f'href="{BEGIN}?next=/me/%3Ftab%3D1"' in failed
    provider.fault("")
    assert come_back(client, provider, alice).status_code == 302


def test_who_cancels_there_comes_back_to_a_page_that_says_so(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    answer = come_back(client, provider, alice, cancels=True)
    assert (answer.status_code, code_of(answer)) == (200, "cancelled")
    assert nothing_is_kept(client)


def test_the_log_tells_the_code_of_the_failure_and_no_secret_of_the_way(
    client: Client, provider: RunningProvider, alice: str, caplog: pytest.LogCaptureFixture
) -> None:
    back = way_back(client, provider, alice)
    Client().get(back)
    said = [str(vars(each)) for each in caplog.records]
    assert [each for each in said if "state_mismatch" in each]
    assert [each for each in said if re.search(r"[?&](code|state)=", each)] == []


def test_a_return_that_was_not_begun_in_this_browser_is_refused(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    back = way_back(client, provider, alice)
    stranger = Client()
    assert code_of(stranger.get(back)) == "state_mismatch"
    assert nothing_is_kept(stranger)


@pytest.mark.parametrize("query", ["", "?state=made-up&code=x", "?error=access_denied"])
def test_a_return_without_its_state_is_refused(
    client: Client, provider: RunningProvider, query: str
) -> None:
    assert code_of(client.get(RETURN + query)) == "state_mismatch"


def test_a_return_serves_once(client: Client, provider: RunningProvider, alice: str) -> None:
    back = way_back(client, provider, alice)
    session = client.cookies["session"].value
    assert client.get(back).status_code == 302
    # Another window with the session as it was before: it is no more.
    other = Client()
    other.cookies["session"] = session
    assert code_of(other.get(back)) == "state_mismatch"


def test_a_return_that_took_too_long_is_refused(
    client: Client, provider: RunningProvider, alice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = way_back(client, provider, alice)
    session = client.session
    for each in session["sign_in"].values():
        each["at"] -= 901
    session.save()
    assert code_of(client.get(back)) == "state_mismatch"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda back: re.sub(r"iss=[^&]+", "iss=https%3A%2F%2Felsewhere.example", back),
         "wrong_issuer"),
        (lambda back: re.sub(r"&?iss=[^&]+", "", back), "wrong_issuer"),
        (lambda back: re.sub(r"code=[^&]+", "code=made-up", back), "code_refused"),
        (lambda back: re.sub(r"code=[^&]+", "error=server_error", back), "provider_unreachable"),
        (lambda back: re.sub(r"code=[^&]+", "error=invalid_scope", back), "refused_by_provider"),
        (lambda back: re.sub(r"code=[^&]+", "", back), "refused_by_provider"),
    ],
)  # fmt: skip
def test_a_return_that_was_tampered_with_is_refused(
    client: Client, provider: RunningProvider, alice: str, change: Callable[[str], str], code: str
) -> None:
    assert code_of(client.get(change(way_back(client, provider, alice)))) == code
    assert nothing_is_kept(client)


def test_a_provider_that_is_down_is_said_before_anybody_is_sent_there(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    come_back(client, provider, alice)
    provider.stop()
    try:
        assert code_of(Client().get(BEGIN)) == "provider_unreachable"
        # Whoever is signed in stays so, and can sign out.
        assert is_signed_in(client)
        assert client.post("/sign-out/").status_code in (200, 302)
        assert not is_signed_in(client)
    finally:
        provider.start()


def test_a_provider_that_hangs_holds_up_one_sign_in_and_not_the_site(
    client: Client, provider: RunningProvider, settings: Settings
) -> None:
    settings.OIDC = replace(settings.OIDC, timeout=30)
    assert client.get(BEGIN).status_code == 302
    asking = Provider(settings.OIDC)
    waiting = threading.Thread(target=asking.begin, args=(RETURN,), kwargs={"language": ""})
    provider.suspend()
    try:
        waiting.start()
        wait_until(asking._asking.locked, 10, "somebody waits for the provider")
        assert Client().get(BEGIN).status_code == 302
        assert waiting.is_alive()
    finally:
        provider.resume()
        waiting.join()


def test_a_provider_that_dies_on_the_way_signs_nobody_in(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    back = way_back(client, provider, alice)
    provider.stop()
    try:
        assert code_of(client.get(back)) == "provider_unreachable"
    finally:
        provider.start()
    assert nothing_is_kept(client)


def test_a_provider_that_hangs_is_waited_for_no_longer_than_set(
    client: Client, provider: RunningProvider, settings: Settings
) -> None:
    settings.OIDC = replace(settings.OIDC, timeout=0.3)
    provider.suspend()
    try:
        assert code_of(client.get(BEGIN)) == "provider_unreachable"
    finally:
        provider.resume()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"client_secret": "wrong"}, "client_refused"),
        ({"client_secret": ""}, "client_refused"),
    ],
)
def test_a_provider_that_does_not_know_us_is_a_matter_for_the_operators(
    client: Client, provider: RunningProvider, alice: str, settings: Settings,
    change: dict[str, str], code: str,
) -> None:  # fmt: skip
    settings.OIDC = replace(settings.OIDC, **change)
    answer = come_back(client, provider, alice)
    assert code_of(answer) == code
    assert "Tell the operators" in answer.content.decode()


def test_another_provider_behind_the_address_is_not_believed(
    client: Client, provider: RunningProvider, settings: Settings
) -> None:
    # It announces itself without the slash.
    settings.OIDC = replace(settings.OIDC, issuer=f"{provider.issuer}/")
    Provider.forget()
    assert code_of(client.get(BEGIN)) == "wrong_issuer"


def test_somebody_whose_account_is_closed_is_told_so_and_stays_as_they_were(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    left = make_user(subject=alice, issuer=provider.issuer, name="Alice as she was")
    User.objects.filter(pk=left.pk).update(is_active=False)
    answer = come_back(client, provider, alice)
    assert code_of(answer) == "account_closed"
    assert "again</a>" not in answer.content.decode()
    left.refresh_from_db()
    assert (left.name, left.last_login) == ("Alice as she was", None)
    assert not Event.objects.exists()
    assert not is_signed_in(client)


def test_who_is_closed_out_is_signed_out_at_once(
    client: Client, provider: RunningProvider, alice: str
) -> None:
    come_back(client, provider, alice)
    User.objects.update(is_active=False)
    assert not is_signed_in(client)


def test_every_failure_has_its_words() -> None:
    assert set(WORDS) == set(Failure)
