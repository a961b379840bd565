"""Somebody at a browser who signs in at the real provider, and the site that sends them there."""

import re

from playwright.sync_api import Browser, Route

from contrib.provider.running import CLIENT_ID, CLIENT_SECRET, RunningProvider
from portal.testing.browser import Person


def provider_settings(provider: RunningProvider, **more: str) -> dict[str, str]:
    """The environment of a site whose people sign in at the provider."""
    return {
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OIDC_SCOPES": "openid,profile,email,groups",
        "OIDC_NAME": "Home organisation",
        **more,
    }


class Visitor(Person):
    """Somebody at a browser that reaches this machine alone: the provider asks for fonts."""

    def __init__(self, browser: Browser, url: str) -> None:
        super().__init__(browser, url)
        self.context.route(re.compile("^https:"), _abort)

    def go_to_the_provider(self) -> None:
        self.page.get_by_role("link", name="Sign in with Home organisation").click()

    def say_who(self, subject: str) -> None:
        self.page.get_by_placeholder("Enter any login").fill(subject)
        self.page.get_by_placeholder("and password").fill("any")
        self.page.get_by_role("button", name="Sign-in").click()

    def look(self, name: str) -> None:
        """Pictures and axe, wide, narrow and dark."""
        for suffix, width, colours in (("", 1280, "light"), ("-360", 360, "light"),
                                       ("-dark", 1280, "dark")):  # fmt: skip
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=colours, reduced_motion="reduce")  # type: ignore[arg-type]  # one of its words
            assert self.axe() == []
            self.picture(f"{name}{suffix}")
        self.page.emulate_media(color_scheme="light")


def _abort(route: Route) -> None:
    route.abort()
