"""pytest plugin: a real browser, people signed in, axe, and pictures.

`browser` is Debian's chromium; `Person` is somebody with a window of their own.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, expect, sync_playwright

from portal.testing.needs import AXE

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "test-results" / "pictures"
PATIENCE = 20_000  # milliseconds; a real service's first answers take seconds
expect.set_options(timeout=PATIENCE)
# Tags of the rules that are law in most places, and axe's own best practices.
AXE_RUN = """
async () => (await axe.run(document, {resultTypes: ["violations"], runOnly: ["wcag2a", "wcag2aa",
"wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})).violations.map(v => v.id + ": " + v.help +
" — " + v.nodes.map(n => n.target.join(" ")).join(", "))
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One browser for the run; mark the test `needs("chromium")`."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        # Playwright's loop runs in this thread from now on, between our calls only; Django
        # would take every query of a test for one out of a coroutine.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
        yield opened
        opened.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


# What a browser prints for an answer of 4xx is the page's own business, and so is a preview
# that was on its way when somebody sent the form: leaving the page cuts it off.
NO_FAULT = ("Failed to load resource", "htmx:afterRequest", "htmx:sendError", "htmx:sendAbort")


class Person:
    """Somebody at a browser: signed in, in a window of their own."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.url = url
        # axe is injected, which our content policy would refuse to anybody else.
        options.setdefault("viewport", {"width": 1280, "height": 900})
        self.context: BrowserContext = browser.new_context(base_url=url, bypass_csp=True, **options)
        self.context.set_default_timeout(PATIENCE)
        self.page: Page = self.context.new_page()
        # What it emulates ends with it, so it is kept.
        self._devices: CDPSession | None = None
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._listen)

    def signed_in(self, session: Client) -> "Person":
        """As whom Django's test client is signed in; where the form is not what is tested."""
        name = settings.SESSION_COOKIE_NAME
        value = str(session.cookies[name].value)
        self.context.add_cookies([{"name": name, "value": value, "url": self.url}])
        return self

    def sign_in(self, name: str, password: str) -> "Person":
        self.page.goto("/sign-in/")
        self.page.get_by_label("Name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", level=1)).not_to_have_text("Sign in")
        return self

    def touch(self, is_on: bool = True) -> None:
        """From now on the pointer is a finger, or a mouse again, also on the page as it is."""
        if self._devices is None:
            self._devices = self.context.new_cdp_session(self.page)
        self._devices.send("Emulation.setTouchEmulationEnabled", {"enabled": is_on})
        coarse = "matchMedia('(pointer: coarse)').matches"
        assert self.page.evaluate(coarse) is is_on

    def axe(self) -> list[str]:
        """What axe finds on the page as it is."""
        if not self.page.evaluate("'axe' in window"):
            self.page.add_script_tag(path=AXE)
        found: list[str] = self.page.evaluate(AXE_RUN)
        return found

    def picture(self, name: str) -> Path:
        """The whole page, kept in test-results/pictures."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        size = self.page.viewport_size
        if size is not None:
            # A window as high as the page: what sticks to its edge covers nothing then.
            height = self.page.evaluate("document.documentElement.scrollHeight")
            self.page.set_viewport_size({"width": size["width"], "height": height})
        self.page.screenshot(path=path, full_page=True)
        if size is not None:
            self.page.set_viewport_size(size)
        return path

    def close(self) -> None:
        self.context.close()

    def _listen(self, message: Any) -> None:
        if message.type == "error" and not any(each in message.text for each in NO_FAULT):
            self.complaints.append(message.text)
