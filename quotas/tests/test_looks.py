"""Every page of the demo site, as people see it: axe finds nothing, and pictures to look at.

Wide and light, wide and dark, narrow. Pictures go to test-results/pictures; with PICTURES
set to a folder those that the README shows go there too (`make pictures`).
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from django.db.models import Q
from django.urls import reverse
from playwright.sync_api import Browser, expect

from contrib.testing.clouds import SandboxSite
from portal.testing.browser import PICTURES, Person
from portal.testing.processes import ROOT, RunningSite, running_site
from portal.testing.servers import DatabaseCopy
from portal.testing.waiting import wait_until
from quotas.models import Target
from quotas.states import TargetState
from quotas.tests.access.samples import SAMPLES
from quotas.tests.looks import LOOKS

pytestmark = [pytest.mark.needs("chromium", "axe")]
DEMO_PASSWORD = "remit-demo"
Colours = Literal["light", "dark"]
# Answers of GET that are no pages: a fragment, health, and addresses that only take a form.
NO_PAGES = {
    "request_progress", "job_progress", "target_plan", "livez", "readyz", "metrics",
    "sign_in_begin", "sign_in_return",
}  # fmt: skip
# What the README shows.
SHOWN = (
    "home", "request_new", "decide", "request_detail", "project_detail", "queue", "remit",
    "coverage", "problem_list", "drift_list",
)  # fmt: skip

# Without motion, so that nothing is looked at on its way from light to dark.
WIDE: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}
NARROW: dict[str, Any] = {"viewport": {"width": 360, "height": 780}, "has_touch": True}
# Of each window: what a look there is called, by its colours.
VIEWS: list[tuple[dict[str, Any], dict[Colours, str]]] = [
    (WIDE, {"light": "1280", "dark": "dark"}),
    (NARROW, {"light": "360"}),
]


@pytest.fixture(scope="module")
def demo(module_database: DatabaseCopy, sandbox_site: SandboxSite) -> Iterator[RunningSite]:
    """The demo site, its projects in the sandbox, all its targets true.

    Nobody works any more, so that what a look is prepared with stays as it is.
    """
    own = {"SANDBOX": "on", "CLOUDS_YAML": str(sandbox_site.clouds_yaml)}
    subprocess.run(
        [sys.executable, "manage.py", "load_demo"], cwd=ROOT, check=True, timeout=120,
        env={**os.environ, **module_database.environment, **own},
    )  # fmt: skip
    # Long enough that what was read is still fresh when it is looked at.
    observed = {"OBSERVE_SECONDS": "3600"}
    with running_site(module_database, sandbox_site.clouds_yaml, **observed) as running:
        workers = (running.start_worker(), running.start_beat())
        running.start_web()
        wait_until(
            lambda: not Target.objects.exclude(
                Q(state=TargetState.APPLIED) | Q(error_code="below_usage")
            ).exists(),
            90, "all targets of the demo are applied, but for the one that is too full",
        )  # fmt: skip
        for process in workers:
            process.stop()
        yield running


def test_every_page_has_a_look() -> None:
    pages = {
        name
        for name, samples in SAMPLES.items()
        if not name.startswith("api_") and any(each.method == "GET" for each in samples)
    }
    assert pages - NO_PAGES == set(LOOKS)


def test_axe_finds_nothing_on_any_page(demo: RunningSite, browser: Browser) -> None:
    found: dict[str, list[str]] = {}
    for window, views in VIEWS:
        people: dict[str, Person] = {}
        for name, look in LOOKS.items():
            if look.who not in people:
                person = Person(browser, demo.url, locale="en-GB", **window)
                people[look.who] = person.sign_in(look.who, DEMO_PASSWORD) if look.who else person
            person = people[look.who]
            answer = person.page.goto(reverse(name, kwargs=look.kwargs()) + look.query)
            assert answer is not None
            assert answer.status == 200, name
            for colours, view in views.items():
                person.page.emulate_media(color_scheme=colours)
                found[f"{name} {view}"] = [*person.axe(), *person.complaints, *_too_wide(person)]
                person.complaints.clear()
                person.picture(f"{name}-{view}")
        for person in people.values():
            person.close()
    assert {where: what for where, what in found.items() if what} == {}
    _keep_for_the_readme()


def _too_wide(person: Person) -> list[str]:
    """A page never scrolls sideways."""
    over = person.page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return [f"{over} px too wide"] if over > 0 else []


def _keep_for_the_readme() -> None:
    folder = os.environ.get("PICTURES")
    if folder:
        for name in SHOWN:
            shutil.copy(PICTURES / f"{name}-1280.png", Path(folder) / f"{name}.png")


def test_refusals_are_pages_too(demo: RunningSite, browser: Browser) -> None:
    """What is not there, what is not allowed, and a form that was filled in wrongly."""
    mallory = Person(browser, demo.url).sign_in("mallory", DEMO_PASSWORD)
    bob = Person(browser, demo.url).sign_in("bob", DEMO_PASSWORD)
    alice = Person(browser, demo.url).sign_in("alice", DEMO_PASSWORD)
    for person, address, status in (
        (mallory, "/projects/atlas-reco/", 404),
        (bob, "/operations/endpoints/", 403),
    ):
        answer = person.page.goto(address)
        assert answer is not None
        assert answer.status == status
        assert person.axe() == []
        person.picture(f"refused-{status}")
    alice.page.goto("/requests/new/?project=atlas-reco&region=geneva")
    alice.page.get_by_label("vCPU wanted in compute-b").fill("many")
    alice.page.get_by_role("button", name="Send request").click()
    expect(alice.page.get_by_role("alert")).to_contain_text("many")
    assert alice.axe() == []
    alice.picture("request_new-wrong")
    for person in (mallory, bob, alice):
        person.close()
