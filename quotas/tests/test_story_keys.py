"""The pages of authority for people without a mouse, and for people without JavaScript."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from portal.testing.browser import Person
from portal.testing.processes import running_site
from portal.testing.servers import DatabaseCopy
from projects.models import Delegation
from projects.states import Power
from quotas.delivery import jobs
from quotas.models import EnvelopeAct, Job, Policy, QuotaRequest, RequestLine
from quotas.states import LineState
from quotas.tests.pages.deciding import ask_for_many
from quotas.tests.site import Site
from quotas.tests.stage import PASSWORD

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture
def url(committed_site: Site, database_copy: DatabaseCopy, tmp_path: Path) -> Iterator[str]:
    """Where the pages of the site are served. No worker: what it would do, a test does."""
    for name in ("dana", "erin"):
        user = committed_site.people[name]
        user.set_password(PASSWORD)
        user.save(update_fields=["password"])
    with running_site(database_copy, tmp_path / "clouds.yaml") as running:
        running.start_web()
        yield running.url


@contextmanager
def person(browser: Browser, url: str, name: str, **options: object) -> Iterator[Page]:
    somebody = Person(browser, url, **options)
    try:
        yield somebody.sign_in(name, PASSWORD).page
        assert somebody.complaints == []
    finally:
        somebody.close()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def press_on(page: Page, key: str) -> None:
    """Press a key that leads to another page."""
    with page.expect_navigation():
        page.keyboard.press(key)


def tab_to(page: Page, words: str) -> None:
    """Tab until the focus is on the button of these words."""
    for _press in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()").startswith(words):
            return
    raise AssertionError(f"no way to {words} by Tab")


def states(*numbers: int) -> list[str]:
    lines = RequestLine.objects.filter(request__in=numbers, offering__resource__slug="vcpu")
    return list(lines.order_by("request").values_list("state", flat=True))


def test_the_queue_is_worked_by_keys_alone(
    committed_site: Site, url: str, browser: Browser
) -> None:
    ask_for_many(committed_site, 12)
    first, second, third, fourth, fifth, sixth = QuotaRequest.objects.filter(
        project__unit__slug="atlas"
    ).order_by("submitted_at")
    with person(browser, url, "dana") as page:
        page.goto(reverse("queue"))
        here = page.locator("[data-row][aria-current=true]")
        press(page, "j", "j")
        expect(here).to_contain_text(f"#{second.pk}")
        press_on(page, "a")
        # The next one stands where the approved one stood, and has the focus.
        expect(here).to_contain_text(f"#{third.pk}")
        expect(here.get_by_role("link").first).to_be_focused()

        # Enter in an amount means that amount.
        press(page, "e")
        page.keyboard.type("7")
        press_on(page, "Enter")
        assert committed_site.quota(committed_site.vcpu, third.project) == 7

        press(page, "d")
        page.keyboard.type("Not this year")
        press(page, "Escape")
        expect(here.get_by_role("link").first).to_be_focused()
        press(page, "r")
        tab_to(page, "Return")
        press_on(page, "Enter")
        assert states(second.pk, third.pk, fourth.pk) == [
            LineState.GRANTED, LineState.GRANTED, LineState.RETURNED,
        ]  # fmt: skip

        press(page, "k", "k", "Space", "j", "x", "j", "x", "x")
        expect(page.locator("[data-count=request]")).to_have_text("2")
        press_on(page, "A")
        expect(page.get_by_role("heading", level=1)).to_have_text("Approve 2 requests as asked?")
        page.go_back()
        expect(page.locator("[data-count=request]")).to_have_text("2")
        press_on(page, "A")
        page.locator("#reason").focus()
        tab_to(page, "Approve them")
        press_on(page, "Enter")
        while jobs.run(Job.objects.get().pk):
            pass
        expect(page.locator("#progress")).to_contain_text("2 of 2 handled")
    assert states(first.pk, fifth.pk, sixth.pk) == [
        LineState.GRANTED, LineState.GRANTED, LineState.OPEN,
    ]  # fmt: skip


def test_authority_is_handed_on_by_pages_without_javascript(
    committed_site: Site, url: str, browser: Browser
) -> None:
    ask_for_many(committed_site, 2)
    Delegation.objects.filter(user__in=[committed_site.dana, committed_site.erin]).update(
        powers=[Power.DECIDE_QUOTA, Power.MANAGE_ENVELOPES]
    )
    plain = {"java_script_enabled": False}
    with person(browser, url, "erin", **plain) as page:
        _hand_on(page)
        _name_a_deputy(page)
        _fund(page)
    with person(browser, url, "dana", **plain) as page:
        _write_a_rule(page)
        _decide_many(page)
    held = Delegation.objects.get(user__subject="mallory")
    assert (held.grantor, held.is_deputy, held.purpose) == (committed_site.erin, False, "The shift")
    assert Delegation.objects.get(is_deputy=True).user == committed_site.people["rita"]
    assert EnvelopeAct.objects.latest("pk").amount == 8
    assert str(Policy.objects.get().versions.get().most_amount) == "4"


def _found(page: Page, label: str, name: str) -> None:
    page.get_by_label(label).fill(name)
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("radio", name=name).check()


def _preview(page: Page, words: str) -> None:
    page.locator("form").get_by_role("button", name="Preview").last.click()
    expect(page.locator("#preview")).to_contain_text(words)


def _done(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()
    expect(page.get_by_role("alert")).to_have_count(0)


def _hand_on(page: Page) -> None:
    page.goto(reverse("delegate"))
    _found(page, "Person or group", "Mallory")
    page.get_by_role("textbox", name="What for").fill("The shift")
    _preview(page, "Mallory may decide quota for ORG/EP and all below")
    _done(page, "Hand on")


def _name_a_deputy(page: Page) -> None:
    page.goto(reverse("deputy_new"))
    _found(page, "Somebody else", "Rita")
    page.get_by_label("Until the end of").fill(
        (timezone.localdate() + timedelta(days=7)).isoformat()
    )
    _done(page, "Name deputy")


def _fund(page: Page) -> None:
    page.goto(reverse("unit_fund", args=["atlas"]))
    page.get_by_label("New size of vCPU in compute-a").fill("+8")
    _preview(page, "1000 → 1008")
    _done(page, "Book it")


def _write_a_rule(page: Page) -> None:
    page.goto(reverse("policy_new") + "?unit=atlas")
    page.get_by_label("Name", exact=True).fill("Small steps")
    page.get_by_label("Resource").select_option(label="vCPU")
    page.locator("[name=most_amount]").fill("4")
    _preview(page, "by at most 4")
    _done(page, "Save as a draft")


def _decide_many(page: Page) -> None:
    page.goto(reverse("queue"))
    # Nobody counts what is picked, so that no number is said.
    expect(page.locator("[data-count=request]")).to_be_hidden()
    page.get_by_role("checkbox").first.check()
    page.locator("#bulk").get_by_role("button", name="Approve…").click()
    _done(page, "Approve them")
    while jobs.run(Job.objects.get().pk):
        pass
    page.get_by_role("link", name="Refresh").click()
    expect(page.locator("#progress")).to_contain_text("1 of 1 handled")
