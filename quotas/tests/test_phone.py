"""What a narrow page must keep: the order in which one reads, and room for a long name."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, ViewportSize, sync_playwright

from projects.models import User
from quotas.actions import requests
from quotas.actions.wishes import Wish
from quotas.models import QuotaRequest
from quotas.tests.site import GIB, Site

pytestmark = pytest.mark.needs("chromium")
STYLE = Path(__file__).parents[2] / "portal" / "static" / "remit.css"
PHONE: ViewportSize = {"width": 360, "height": 780}
DESK: ViewportSize = {"width": 1280, "height": 900}
TOPS = """
(() => ["[name^=grant-]", "#decision", "#earlier"].map(
  (found) => document.querySelector(found).getBoundingClientRect().top))()
"""


def drawn(html: str, look: Callable[[Page], Any]) -> Any:
    """What `look` finds on the page as a phone draws it.

    In a thread: Playwright's loop would take the test's transaction for another's.
    """

    def draw() -> Any:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
            page = browser.new_page(viewport=PHONE)
            page.set_content(html)
            page.add_style_tag(path=STYLE)
            found = look(page)
            browser.close()
            return found

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(draw).result()


def seen_by_dana(site: Site, url: str) -> str:
    client = Client()
    client.force_login(site.dana)
    answer = client.get(url)
    assert answer.status_code == 200
    return answer.content.decode()


def ask(site: Site, offering: str, amount: int) -> QuotaRequest:
    wish = Wish({offering: amount}, "reprocessing")
    return requests.submit(project=site.project, wish=wish, actor=site.alice, now=timezone.now())


def test_the_decision_follows_the_lines_as_the_keys_do(site_today: Site) -> None:
    ask(site_today, site_today.space.slug, GIB)
    asked = ask(site_today, site_today.vcpu.slug, 100)
    html = seen_by_dana(site_today, reverse("decide", args=[asked.pk]))
    assert html.index('name="grant-') < html.index('id="decision"') < html.index('id="earlier"')

    def look(page: Page) -> tuple[list[float], list[float]]:
        narrow = page.evaluate(TOPS)
        page.set_viewport_size(DESK)
        return narrow, page.evaluate(TOPS)

    narrow, (line, decision, earlier) = drawn(html, look)
    assert narrow == sorted(narrow)
    # Wide, it stands beside the lines, and what was before below them.
    assert abs(decision - line) < 100
    assert line < earlier


def test_the_bar_shows_the_initial_and_says_the_name(site_today: Site) -> None:
    name = "Dana Maria van der Hoogenboom-Smythe"
    User.objects.filter(pk=site_today.dana.pk).update(name=name)
    site_today.dana.refresh_from_db()

    def look(page: Page) -> tuple[Any, int]:
        box = page.get_by_role("link", name=name).bounding_box()
        return box, page.evaluate("document.documentElement.scrollWidth")

    box, width = drawn(seen_by_dana(site_today, reverse("queue")), look)
    assert box["width"] < 60
    assert box["height"] < 50
    assert width <= PHONE["width"]
