"""The same story for people without JavaScript, and for people without a mouse."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from contrib.testing.clouds import SandboxSite
from portal.testing.browser import Person
from portal.testing.servers import DatabaseCopy
from quotas.models import Delivery
from quotas.tests.stage import PASSWORD, Stage, approve, ask, staged

pytestmark = pytest.mark.needs("chromium")
VCPU = ("vCPU", "compute-a")


@pytest.fixture
def stage(
    sandbox_site: SandboxSite, database_copy: DatabaseCopy, browser: Browser, tmp_path: Path
) -> Iterator[Stage]:
    with staged(sandbox_site, database_copy, browser, tmp_path) as standing:
        yield standing


def applied() -> bool:
    return Delivery.objects.filter(applied_at__isnull=False).exists()


def test_the_story_works_without_javascript(stage: Stage) -> None:
    plain = {"java_script_enabled": False}
    with stage.person("alice", **plain) as alice, stage.person("dana", **plain) as dana:
        asked = ask(alice, stage.region(0), {VCPU: "16"}, "Without scripts")
        approve(dana, asked)
        stage.wait_for(applied, "applied")
        alice.page.get_by_role("link", name="Refresh").click()
        expect(alice.page.locator("#request-state")).to_contain_text("applied")
        # The preview is a button where nothing updates by itself.
        alice.page.goto(f"/requests/new/?project=telescope&region={stage.region(0)}")
        alice.page.get_by_label("vCPU wanted in compute-a").fill("+8")
        alice.page.get_by_role("button", name="Preview").click()
        expect(alice.page.locator("#preview")).to_contain_text("Dana")
        expect(alice.page.get_by_label("vCPU wanted in compute-a")).to_have_value("+8")


class Keyboard:
    """A page used by keys alone: Tab until the thing is reached, then act on it."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def reach(self, name: str) -> None:
        """Tab to the control or link of that name; it must show that it has the focus."""
        pattern = re.compile(name)
        for _press in range(300):
            self.page.keyboard.press("Tab")
            if pattern.search(self.page.evaluate(FOCUSED_NAME)):
                outline = self.page.evaluate(
                    "getComputedStyle(document.activeElement).outlineStyle"
                )
                assert outline != "none", f"{name} does not show its focus"
                return
        raise AssertionError(f"no way to {name} by Tab")

    def type_into(self, name: str, text: str) -> None:
        self.reach(name)
        self.page.keyboard.type(text)

    def press_on(self, name: str) -> None:
        """Reach a button or link and press Enter; returns on the page that follows."""
        self.reach(name)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")


FOCUSED_NAME = """
(() => { const it = document.activeElement;
  return it.getAttribute("aria-label") ||
    [...(it.labels || [])].map(label => label.textContent.trim()).join(" ") ||
    it.textContent.trim(); })()
"""


def test_the_story_works_by_keyboard_alone(stage: Stage, browser: Browser) -> None:
    alice = Person(browser, stage.running.url)
    keys = Keyboard(alice.page)
    alice.page.goto("/sign-in/")
    keys.type_into("^Name", "alice")
    keys.type_into("^Password", PASSWORD)
    keys.press_on("^Sign in")
    keys.press_on("New request|Request quota")
    if "project=" not in alice.page.url and alice.page.get_by_label("Region").count() == 0:
        keys.press_on("telescope")
    # A region that is chosen and not yet shown: the preview still speaks of the rows here.
    with alice.page.expect_response("**/requests/preview**"):
        alice.page.get_by_label("Region").select_option(stage.region(1))
    alice.page.get_by_label("Region").select_option(stage.region(0))
    keys.type_into("^vCPU wanted in compute-a", "16")
    keys.type_into(r"^Why(?!\?)", "By keys alone")
    keys.press_on("^Send request")
    expect(alice.page).to_have_url(re.compile(r"/requests/\d+/$"))
    with stage.person("dana") as dana:
        dana.page.goto("/decide/")
        dana.page.keyboard.press("j")
        with dana.page.expect_navigation():
            dana.page.keyboard.press("o")
        with dana.page.expect_navigation():
            dana.page.keyboard.press("a")
    expect(alice.page.locator("#request-state")).to_contain_text("applied")
    assert alice.complaints == []
    alice.close()
