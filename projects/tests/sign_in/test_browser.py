"""The whole way in a real browser: a deep link, the provider, one's own page, and out again."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from contrib.provider.running import RunningProvider
from portal.testing.processes import running_site
from portal.testing.servers import DatabaseCopy
from projects.models import Event, GroupMembership, User

from .visitor import Visitor, provider_settings

pytestmark = pytest.mark.needs("provider", "chromium", "axe")


@pytest.fixture
def url(provider: RunningProvider, database_copy: DatabaseCopy, tmp_path: Path) -> Iterator[str]:
    """A site whose people sign in at the provider, and with local accounts."""
    settings = provider_settings(provider, SIGN_IN_TRIES="2")
    with running_site(database_copy, tmp_path / "none.yaml", **settings) as running:
        running.start_web()
        yield running.url


def _stay(route: Route) -> None:
    """As if nobody had gone there."""
    route.abort("aborted")


def test_a_new_person_comes_in_by_a_deep_link_and_goes_out_again(
    browser: Browser, url: str, provider: RunningProvider
) -> None:
    groups = [{"id": "dq", "name": "Data quality"}, {"id": "it", "name": "Computing"}]
    provider.person("alice", name="Alice Smith", email="alice@here.example", groups=groups)
    with closing(Visitor(browser, url)) as alice:
        page = alice.page
        page.goto("/me/?from=mail")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        alice.look("sign-in-provider")
        alice.go_to_the_provider()
        alice.say_who("alice")
        page.get_by_role("button", name="Continue").click()

        expect(page).to_have_url(f"{url}/me/?from=mail")
        expect(page.get_by_role("heading", level=1)).to_have_text("Alice Smith")
        for each in ("alice@here.example", "Data quality", "Computing", provider.issuer):
            expect(page.locator("main")).to_contain_text(each)

        # Seen for a moment only, as it goes on by itself.
        page.route(f"{provider.issuer}/session/end?**", _stay)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You are signed out of Remit")
        alice.look("signed-out")
        page.unroute(f"{provider.issuer}/session/end?**", _stay)
        page.get_by_role("link", name="Sign out of Home organisation").click()
        page.get_by_role("button", name="Yes, sign me out").click()
        expect(page).to_have_url(re.compile(rf"^{re.escape(url)}/sign-in/"))
        page.goto("/me/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        # She was signed out there too, so she is asked again.
        alice.go_to_the_provider()
        expect(page.get_by_placeholder("Enter any login")).to_be_visible()
        assert alice.complaints == []
    assert User.objects.get().subject == "alice"
    assert GroupMembership.objects.count() == 2
    assert Event.objects.filter(verb="person arrived").count() == 1


def test_who_thinks_better_of_it_or_is_closed_out_finds_a_way_on(
    browser: Browser, url: str, provider: RunningProvider
) -> None:
    provider.person("alice", name="Alice Smith")
    User.objects.create(issuer=provider.issuer, subject="gone", is_active=False, password="!")
    provider.person("gone", name="Gone")
    with closing(Visitor(browser, url)) as alice:
        page = alice.page
        page.goto("/me/")
        alice.go_to_the_provider()
        page.get_by_role("link", name="Cancel").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You did not sign in")
        alice.look("sign-in-cancelled")
        page.get_by_role("link", name="Sign in with Home organisation again").click()
        alice.say_who("gone")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Your account is closed")
        expect(page.locator("main")).to_contain_text("account_closed")
        page.goto("/me/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
        assert alice.complaints == []


def test_who_guesses_passwords_is_locked_out_and_told_what_else_there_is(
    browser: Browser, url: str
) -> None:
    with closing(Visitor(browser, url)) as alice:
        page = alice.page
        page.goto("/sign-in/")
        for _try in range(3):
            page.get_by_label("Name").fill("nobody")
            page.get_by_label("Password").fill("guessed")
            page.get_by_role("button", name="Sign in", exact=True).click()
            expect(page.get_by_label("Password")).to_have_value("")
        expect(page.get_by_role("heading", name="Too many tries")).to_be_visible()
        alice.look("sign-in-locked")
        expect(page.locator("main")).to_contain_text("which this does not concern")
        assert alice.complaints == []
