"""Authority is handed on, used, stood in for, proved and taken back, all through pages.

Otto holds a root, Erin heads the unit, Dana decides below her within a bound, Bob stands in.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, expect

from contrib.testing.clouds import SandboxSite
from portal.testing.browser import Person
from portal.testing.processes import running_site
from portal.testing.servers import DatabaseCopy
from projects.models import Delegation, User
from quotas.queries.accounts import audit
from quotas.queries.verifying import verify
from quotas.tests.stage import Stage, ask, set_up_site

pytestmark = pytest.mark.needs("chromium")
VCPU, SPACE = ("vCPU", "compute-a"), ("Volume space", "storage-a")
IN_A_WEEK = timedelta(days=7)


@pytest.fixture
def stage(
    sandbox_site: SandboxSite, database_copy: DatabaseCopy, browser: Browser, tmp_path: Path
) -> Iterator[Stage]:
    """The site with a root each for Otto and Paula, and nothing handed on yet.

    Deciding needs no worker, so that none runs.
    """
    for subject, name in (("bob", "Bob Tanaka"), ("paula", "Paula Reis")):
        User.objects.create(subject=subject, name=name, password="!")
    set_up_site(sandbox_site, tmp_path, roots=("otto", "paula"))
    with running_site(database_copy, sandbox_site.clouds_yaml) as running:
        running.start_web()
        yield Stage(sandbox_site, running, browser)


def hand_on(
    person: Person, name: str, unit: str, *, bound: tuple[str, str] | None = None, depth: int = 0
) -> None:
    """Hand on what one may decide to somebody, for a unit. bound: (resource, a decision)."""
    page = person.page
    page.goto("/remit/")
    page.get_by_role("link", name="Hand on a part").click()
    page.get_by_label("Person or group").fill(name)
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("radio", name=re.compile(name)).check()
    page.get_by_label("Where", exact=True).select_option(unit)
    page.get_by_label("They may hand it on").fill(str(depth))
    if bound is not None:
        page.locator("#row-0-resource").select_option(label=bound[0])
        page.locator("#row-0-per_decision").fill(bound[1])
        expect(page.locator("#preview")).to_contain_text(bound[1])
    page.get_by_role("button", name="Hand on", exact=True).click()
    expect(page.locator("main")).to_contain_text(name)
    expect(page.locator("[role=alert]")).to_have_count(0)


def name_deputy(person: Person, name: str) -> None:
    """Let somebody stand in for a week."""
    page = person.page
    page.goto("/remit/")
    page.get_by_role("link", name="Name a deputy").first.click()
    page.get_by_label("Somebody else").fill(name)
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("radio", name=re.compile(name)).check()
    until = timezone.localdate() + IN_A_WEEK
    page.get_by_label("Until the end of").fill(until.isoformat())
    page.get_by_role("button", name="Name deputy").click()
    expect(page.locator("[role=alert]")).to_have_count(0)
    expect(page.locator("main")).to_contain_text(name)


def open_from_queue(person: Person, number: int) -> None:
    person.page.goto("/decide/")
    person.page.get_by_role("link", name=f"#{number}").first.click()
    expect(person.page.get_by_role("heading", name="Your decision")).to_be_visible()


def grant(person: Person, number: int, amount: str, note: str, button: str) -> None:
    """Decide the one line of a request with an amount of one's own."""
    open_from_queue(person, number)
    page = person.page
    page.locator("input[name^=grant-]").fill(amount)
    page.locator("#note").fill(note)
    page.get_by_role("button", name=button).click()
    expect(page.locator("main")).to_contain_text(f"#{number}")
    expect(page.locator("[role=alert]")).to_have_count(0)


def waits_in_queue(person: Person, number: int) -> bool:
    person.page.goto("/decide/")
    return person.page.get_by_role("link", name=f"#{number}").count() > 0


def read_the_proof(person: Person, number: int) -> None:
    """Follow the last decision of a request to why it was allowed."""
    page = person.page
    page.goto(f"/requests/{number}/")
    page.locator("summary", has_text="Proof").last.click()
    page.get_by_role("link", name="Why was this allowed?").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Why was this allowed?")


def test_authority_goes_down_is_used_stood_in_for_proved_and_taken_back(stage: Stage) -> None:
    with ExitStack() as stack:
        otto, erin, dana, bob, alice = (
            stack.enter_context(stage.person(name))
            for name in ("otto", "erin", "dana", "bob", "alice")
        )
        region = stage.region(0)

        # Down: the root delegate to the head, who hands on with a bound.
        hand_on(otto, "Erin Costa", "it", depth=2)
        hand_on(erin, "Dana Lindqvist", "cm", bound=("vCPU", "64"))

        # Up: more than Dana may grant. She endorses, Erin grants a part.
        first = ask(alice, region, {VCPU: "200"}, "First light")
        grant(dana, first, "150", "They need it by spring.", "Endorse as edited")
        assert not waits_in_queue(dana, first)
        open_from_queue(erin, first)
        expect(erin.page.locator("main")).to_contain_text("Endorsed by Dana Lindqvist: grant 150")
        grant(erin, first, "120", "The rest after the upgrade.", "Approve as edited")

        # Away: what Erin would decide waits for her deputy too.
        name_deputy(erin, "Bob Tanaka")
        second = ask(alice, region, {SPACE: "1T"}, "Plates")
        grant(bob, second, "1T", "In Erin's stead.", "Approve as edited")

        # Proof: who stood in for whom, by which chain, within which bounds, and that it holds.
        third = ask(alice, region, {VCPU: "130"}, "A little more")
        read_the_proof(otto, second)
        main = otto.page.locator("main")
        for words in (
            "still holds",
            "deputy of Erin Costa",
            "Otto Brandt",
            "IT/CM",
            "Volume space",
        ):
            expect(main).to_contain_text(words)
        otto.picture("story-why-allowed")
        read_the_proof(otto, first)
        expect(otto.page.locator("main")).to_contain_text("200 asked for")

        # Back: what hangs from it is seen before it is revoked.
        revoke_erin(otto, third)
        assert not waits_in_queue(dana, third)
        assert waits_in_queue(otto, third)
        read_the_proof(otto, first)
        expect(otto.page.locator("main")).to_contain_text("still holds")
        expect(otto.page.locator("main")).to_contain_text("what was decided before stays allowed")
    assert list(verify()) == []
    assert audit() == []


def revoke_erin(otto: Person, waiting: int) -> None:
    page = otto.page
    held = Delegation.objects.get(user__subject="erin", parent__parent=None, parent__isnull=False)
    page.goto("/remit/")
    page.get_by_role("link", name=str(held), exact=True).click()
    page.get_by_role("link", name="Revoke…").click()
    main = page.locator("main")
    for words in ("Dana Lindqvist", "Bob Tanaka", "Leave 3 decisions as they were made"):
        expect(main).to_contain_text(words)
    otto.picture("story-revoke")
    page.get_by_role("textbox", name=re.compile("^Why")).fill("Another head from now on")
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.locator("[role=alert]")).to_have_count(0)
    held.refresh_from_db()
    assert held.revoked_at is not None
